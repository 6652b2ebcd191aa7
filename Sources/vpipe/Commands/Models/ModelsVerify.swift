// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Inference
internal import Networks
import Pipeline
internal import PipelineLanguage

extension ModelsCommand {
    /// `vpipe models verify`.
    struct Verify: ParsableCommand {
        /// The ways to run a network.
        enum Side: String, ExpressibleByArgument, CaseIterable { case plain, f32, bf16, int8 }

        static let configuration = CommandConfiguration(
            abstract: "Run a network two ways on the same input and say which layer drifts first.",
            discussion:
                "plain is our own loops in Swift; f32, bf16 and int8 are the engine in that precision. With int8 on one side "
                + "the network is the quantised one on both, as \"vpipe models quantize\" recorded it. Differences "
                + "are relative to the largest number of each layer's result.")

        @Argument(help: "The network, as \"vpipe models list\" names it.") var network: String
        @Option(help: "Variant of the network.") var variant: String?
        @Option(help: "Weights file; the default ones otherwise.") var weights: String?
        @Option(help: "Initial weights of this seed instead.") var randomSeed: UInt64?
        @Option(help: ArgumentHelp("Input size; small by default, as plain loops are slow.", valueName: "WxH"))
        var size: String?
        @Option(help: "What is taken as right: plain, f32, bf16 or int8.") var reference = Side.plain
        @Option(help: "What is compared with it: plain, f32, bf16 or int8.") var candidate = Side.f32
        @Option(help: "Largest relative difference allowed.") var tolerance: Float = 1e-3
        @Option(help: "Which random numbers the input is made of.") var seed: UInt64 = 1
        @Flag(help: "Every layer.") var layers = false

        func run() throws {
            let model = try [reference, candidate].contains(.int8) ? quantised(self.model()) : self.model()
            let architecture = model.architecture
            let intact = model.weights.isIntact
            guard intact != false else {
                throw Failure(.failed, "vpipe: \(model.path): a tensor was changed since the file was written")
            }
            let (a, b): (any NetworkRunner, any NetworkRunner)
            let report: DriftReport
            let network: Network
            do {
                network = try architecture.build(at: model.size, for: model.weights)
                (a, b) = (try Self.runner(reference), try Self.runner(candidate))
                report = try DriftReport(
                    network, weights: model.weights,
                    inputs: network.randomInputs(seed: seed, architecture.normalisation), reference: a, candidate: b,
                    tolerance: tolerance)
            } catch let error as NetworkError where error.code == .size {
                throw Failure(.usage, "vpipe: \(error)")
            } catch {
                throw Failure(.failed, "vpipe: \(error)")
            }
            Console.line(
                "\(architecture.network) \(architecture.variant) at \(model.size), \(model.path)"
                    + (intact == true ? ", checksum holds" : ""))
            Console.line("\(b.name) against \(a.name), random input of seed \(seed), tolerance \(tolerance)")
            print(report)
            guard let first = report.first else { return Console.line("no layer drifts past the tolerance") }
            throw Failure(
                .failed,
                "vpipe: \(first.layer) (\(first.kind)) is the first layer past the tolerance: "
                    + "\(Self.text(first.relative)) relative, \(Self.text(first.difference)) absolute")
        }

        private func model() throws -> NodeModel {
            let architecture = try ModelsCommand.architecture(network, variant)
            let small = architecture.sizes.nearest(to: InputSize(width: 128, height: 128))[0]
            let wanted = try ModelsCommand.inputSize(size) ?? small
            let isInstalled = ModelStore().best(architecture.family, variant: architecture.variant) != nil
            if weights == nil, randomSeed == nil, !isInstalled {
                Console.line("no weights for \(network) \(architecture.variant) are installed: initial ones are used")
            }
            do {
                return try ModelsCommand.model(
                    of: architecture, weights: weights,
                    randomSeed: randomSeed ?? (weights == nil && !isInstalled ? 1 : nil), size: wanted)
            } catch {
                throw Failure(.failed, "vpipe: \(error)")
            }
        }

        private func quantised(_ model: NodeModel) throws -> NodeModel {
            do { return try model.quantised() } catch { throw Failure(.failed, "vpipe: \(error)") }
        }

        private func print(_ report: DriftReport) {
            var table = TextTable(["layer", "kind", "relative", "absolute", "output"], rightAligned: [2, 3])
            for entry in layers ? report.entries : report.outputs {
                table.add([
                    entry.layer, entry.kind, Self.text(entry.relative), Self.text(entry.difference),
                    entry.output ?? "",
                ])
            }
            for line in table.lines { Console.line(line) }
            guard let worst = report.worst else { return }
            Console.line(
                "\(report.entries.count) results compared; furthest apart: \(worst.layer), "
                    + "\(Self.text(worst.relative)) relative")
        }

        private static func runner(_ side: Side) throws -> any NetworkRunner {
            switch side {
            case .plain: PlainRunner()
            case .f32: EngineRunner(try Installation.engine, precision: .f32)
            case .bf16: EngineRunner(try Installation.engine, precision: .bf16)
            case .int8: EngineRunner(try Installation.engine, precision: .int8)
            }
        }

        private static func text(_ value: Float) -> String { Figures.scientific(Double(value)) }
    }
}
