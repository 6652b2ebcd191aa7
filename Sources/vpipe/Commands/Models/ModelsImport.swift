// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Foundation
internal import Networks
import Pipeline
internal import Workbench

extension ModelsCommand {
    /// `vpipe models import`.
    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Convert an official release (TFLite, PyTorch, Caffe) to weights that nodes use by default.")

        @Argument(help: "The release: a .tflite, .pth, .pt or .caffemodel file.", completion: .file()) var file: String
        @Option(help: "Network, where it is to be checked.") var network: String?
        @Option(help: "Variant, where the file does not tell.") var variant: String?
        @Option(help: "SPDX identifier of the licence, where the release is not a known one.") var licence: String?
        @Option(help: "Where the weights come from, where the release is not a known one.") var provenance: String?
        @Option(name: .shortAndLong, help: "Where to write; the user's models folder by default.") var output: String?
        @Flag(help: "Replace the output if it exists.") var overwrite = false
        @Flag(help: "Every tensor that was mapped.") var verbose = false

        func run() throws {
            do {
                let trial = FamilyTrial(engine: try Installation.engine)
                let result = try ModelImporter.read(
                    path: file, network: network, variant: variant, choose: { trial.choose(among: $0) })
                let report = result.report
                let target = output ?? ModelStore.userFolder + "/" + Self.name(of: result) + ".safetensors"
                try ModelsCommand.checkFree(target, overwrite: overwrite)
                try FileManager.default.createDirectory(
                    at: URL(fileURLWithPath: target).deletingLastPathComponent(), withIntermediateDirectories: true)
                var weights = result.weights
                for (key, value) in [
                    (Weights.MetadataKey.licence, licence), (Weights.MetadataKey.provenance, provenance),
                ] {
                    if let value, report.release == nil { weights.metadata[key] = value }
                }
                try SafeTensors.write(weights, path: target)
                Console.line(
                    verbose ? report.description : "\(file): \(report.network) \(report.variant), \(report.format)")
                if let outcome = trial.outcome { Console.line(outcome) }
                Console.line("wrote \(target): \(weights.count) tensors, \(weights.checksum)")
                try Self.addRecord(of: weights, besides: target)
            } catch let failure as Failure {
                throw failure
            } catch {
                throw Failure(.failed, "vpipe: \(error)")
            }
        }

        /// What was measured of a known release in 8 bits comes with the program.
        private static func addRecord(of weights: Weights, besides target: String) throws {
            let folders = ModelStore.shipped("models/official")
            guard let record = QuantisationRecord.find(for: weights.checksum, in: folders) else { return }
            try record.write(besides: target)
            let share = (record.figures["int8"] ?? 0) / (record.figures["f32"] ?? 1) * 100
            Console.line(
                "wrote \(QuantisationRecord.path(besides: target)): \(record.measure) in 8 bits, "
                    + "\(Figures.fixed(share, 1)) % of f32's")
        }

        private static func name(of result: ModelImporter.Result) -> String {
            let size = result.weights.metadata[Weights.MetadataKey.inputSize].map { "_\($0)" } ?? ""
            return "\(result.report.network)_\(result.report.variant)\(size)"
        }
    }
}
