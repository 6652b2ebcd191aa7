// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Foundation
internal import Networks
import Pipeline

/// `vpipe models`.
struct ModelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models", abstract: "List, import, inspect, measure and export network weights.",
        subcommands: [List.self, Info.self, Import.self, Export.self, Eval.self], defaultSubcommand: List.self)

    /// `vpipe models list`.
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "What each network would use.")

        func run() {
            let store = ModelStore()
            var table = TextTable(["network", "variant", "parameters", "weights", ""], rightAligned: [2])
            for architecture in Architecture.all {
                let entry = store.best(network: architecture.network, variant: architecture.variant)
                let count = (try? architecture.build().parameterCount).map { Figures.count(UInt64($0)) } ?? "-"
                table.add([
                    architecture.network, architecture.variant, count, entry?.path ?? "none",
                    entry.map { $0.isPreview ? "preview: weak, import the official release for more" : "" } ?? "",
                ])
            }
            for line in table.lines { Console.line(line) }
        }
    }

    /// `vpipe models info`.
    struct Info: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Describe a network or a weights file.")

        @Argument(help: "A network (mlsd, retinaface, ddrnet) or a .safetensors file.") var subject: String
        @Option(help: "Variant of the network.") var variant: String?
        @Option(help: ArgumentHelp("Input size.", valueName: "WxH")) var size: String?
        @Flag(help: "Every layer.") var layers = false

        func run() throws {
            if subject.hasSuffix(".safetensors") { return try describeFile() }
            let found = Architecture.all.filter {
                $0.network == subject && (variant == nil || $0.variant == variant)
            }
            guard !found.isEmpty else {
                let names = Set(Architecture.all.map(\.network)).sorted().joined(separator: ", ")
                throw Failure(
                    .usage,
                    "vpipe: no network \"\(subject)\"\(variant.map { " in variant \($0)" } ?? ""); there are \(names)")
            }
            for architecture in found {
                do {
                    let network = try architecture.build(at: try inputSize(size))
                    Console.line("\(architecture.network) \(architecture.variant): \(architecture.summary)")
                    Console.line("  \(architecture.paper)")
                    Console.line("  reference: \(architecture.reference)")
                    Console.line("  parameters \(Figures.count(UInt64(network.parameterCount)))")
                    Console.line(
                        "  multiply-accumulates \(Figures.fixed(Double(network.multiplyAccumulates) / 1e9, 3)) G")
                    for port in network.inputs { Console.line("  input  \(port.name) \(port.shape)") }
                    for port in network.outputs { Console.line("  output \(port.name) \(port.shape)") }
                    if layers { Console.line(network.summary) }
                } catch let error as NetworkError {
                    throw Failure(.usage, "vpipe: \(error)")
                }
            }
        }

        private func describeFile() throws {
            do {
                let weights = try SafeTensors.read(path: subject)
                Console.line(
                    "\(subject): \(weights.count) tensors, \(Figures.count(UInt64(weights.floatCount))) numbers")
                for (key, value) in weights.metadata.sorted(by: { $0.key < $1.key }) {
                    Console.line("  \(key): \(value)")
                }
            } catch {
                throw Failure(.failed, "vpipe: \(error)")
            }
        }
    }

    /// `vpipe models import`.
    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Convert an official release (TFLite, PyTorch) to weights that nodes use by default.")

        @Argument(help: "The release: a .tflite, .pth or .pt file.", completion: .file()) var file: String
        @Option(help: "Network, where it is to be checked.") var network: String?
        @Option(help: "Variant, where the file does not tell.") var variant: String?
        @Option(name: .shortAndLong, help: "Where to write; the user's models folder by default.") var output: String?
        @Flag(help: "Replace the output if it exists.") var overwrite = false
        @Flag(help: "Every tensor that was mapped.") var verbose = false

        func run() throws {
            do {
                let result = try ModelImporter.read(path: file, network: network, variant: variant)
                let report = result.report
                let target = output ?? ModelStore.userFolder + "/" + Self.name(of: result) + ".safetensors"
                guard overwrite || !FileManager.default.fileExists(atPath: target) else {
                    throw Failure(.failed, "vpipe: \(target): exists already; replace it with --overwrite")
                }
                try FileManager.default.createDirectory(
                    at: URL(fileURLWithPath: target).deletingLastPathComponent(), withIntermediateDirectories: true)
                try SafeTensors.write(result.weights, path: target)
                Console.line(
                    verbose ? report.description : "\(file): \(report.network) \(report.variant), \(report.format)")
                Console.line("wrote \(target): \(result.weights.count) tensors")
            } catch let failure as Failure {
                throw failure
            } catch {
                throw Failure(.failed, "vpipe: \(error)")
            }
        }

        private static func name(of result: ModelImporter.Result) -> String {
            let size = result.weights.metadata[Weights.MetadataKey.inputSize].map { "_\($0)" } ?? ""
            return "\(result.report.network)_\(result.report.variant)\(size)"
        }
    }

    /// `vpipe models export`.
    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a network with its weights as ONNX, for other tools.")

        @Argument(help: "The network: mlsd, retinaface or ddrnet.") var network: String
        @Option(help: "Variant of the network.") var variant: String?
        @Option(help: "Weights file; the default ones otherwise.") var weights: String?
        @Option(help: ArgumentHelp("Input size.", valueName: "WxH")) var size: String?
        @Option(name: .shortAndLong, help: "The ONNX file to write.") var output: String

        func run() throws {
            let wanted = try inputSize(size)
            guard let usual = Architecture.all.first(where: { $0.network == network })?.variant else {
                throw Failure(.usage, "vpipe: no network \"\(network)\"")
            }
            do {
                let model = try NodeModel(network: network, variant: variant ?? usual, weights: weights, size: wanted)
                let bytes = try model.architecture.onnx(at: model.size, weights: model.weights)
                try Data(bytes).write(to: URL(fileURLWithPath: output), options: .atomic)
                Console.line(
                    "wrote \(output): \(network) \(model.architecture.variant) at \(model.size) from \(model.path)")
            } catch {
                throw Failure(.failed, "vpipe: \(error)")
            }
        }
    }
}

/// Reads a size given on the command line.
func inputSize(_ text: String?) throws -> InputSize? {
    guard let text else { return nil }
    guard let size = InputSize(text) else {
        throw ValidationError("a size is WIDTHxHEIGHT, as in 512x512 (got \(text))")
    }
    return size
}
