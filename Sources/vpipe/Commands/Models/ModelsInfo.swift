// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Networks

extension ModelsCommand {
    /// `vpipe models info`.
    struct Info: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Describe a network or a weights file.")

        @Argument(help: "A network (mlsd, retinaface) or a .safetensors file.") var subject: String
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
                    let network = try architecture.build(at: try ModelsCommand.inputSize(size))
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
}
