// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Networks

extension ModelsCommand {
    /// `vpipe models info`.
    struct Info: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Describe a network, or a weights file and whether its tensors are unchanged.")

        @Argument(help: "A network (see `vpipe models list`) or a .safetensors file.") var subject: String
        @Option(help: "Variant of the network.") var variant: String?
        @Option(help: ArgumentHelp("Input size.", valueName: "WxH")) var size: String?
        @Flag(help: "Every layer.") var layers = false

        func run() throws {
            if subject.hasSuffix(".safetensors") { return try describeFile() }
            let named = try ModelsCommand.architecture(subject, variant)
            // Not all that can be named are listed: the light detectors have more widths.
            let found = variant == nil ? named.family.architectures : [named]
            for architecture in found {
                do {
                    let network = try architecture.build(at: try ModelsCommand.inputSize(size))
                    Console.line("\(architecture.network) \(architecture.variant): \(architecture.summary)")
                    Console.line("  \(architecture.paper)")
                    Console.line("  reference: \(architecture.reference)")
                    describe(network)
                    Console.line("  input sizes: \(architecture.sizes)")
                    Console.line("  pre-processing: \(architecture.normalisation)")
                    for port in network.inputs { Console.line("  input  \(port.name) \(port.shape)") }
                    for port in network.outputs { Console.line("  output \(port.name) \(port.shape)") }
                    if layers { Console.print(network.summary + "\n") }
                } catch let error as NetworkError {
                    throw Failure(.usage, "vpipe: \(error)")
                }
            }
        }

        private func describe(_ network: Network) {
            Console.line("  parameters \(Figures.count(UInt64(network.parameterCount)))")
            Console.line("  multiply-accumulates \(ModelsCommand.giga(network.multiplyAccumulates)) G")
        }

        private func describeRecord(_ weights: Weights) throws {
            let record: QuantisationRecord?
            do {
                record = try QuantisationRecord.read(besides: subject, for: weights)
            } catch {
                throw Failure(.failed, "vpipe: \(error)")
            }
            guard let record else { return Console.line("  nothing was measured in 8 bits: see vpipe models quantize") }
            let figures = record.figures.sorted { $0.key < $1.key }
                .map { "\($0.key) \(Figures.fixed($0.value * 100, 2))" }.joined(separator: ", ")
            let blocks = record.quantisation.floatBlocks.sorted().joined(separator: ", ")
            Console.line(
                "  8 bits: \(record.measure) \(figures) (\(record.data)), \(record.keep) of f32's was to be kept")
            Console.line("  blocks in floating point: \(blocks.isEmpty ? "none" : blocks)")
        }

        private func describeFile() throws {
            let weights: Weights
            do {
                weights = try SafeTensors.read(path: subject)
            } catch {
                throw Failure(.failed, "vpipe: \(error)")
            }
            Console.line("\(subject): \(weights.count) tensors, \(Figures.count(UInt64(weights.floatCount))) numbers")
            for (key, value) in weights.metadata.sorted(by: { $0.key < $1.key }) { Console.line("  \(key): \(value)") }
            try describeRecord(weights)
            switch weights.isIntact {
            case true?: Console.line("  the tensors are those of the checksum")
            case nil: Console.line("  no checksum: `vpipe models export` writes one")
            case false?:
                throw Failure(
                    .failed,
                    "vpipe: \(subject): a tensor was changed since the file was written: its checksum is now "
                        + weights.checksum)
            }
        }
    }
}
