// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Networks
import Pipeline
internal import Workbench

extension ModelsCommand {
    /// `vpipe models quantize`.
    struct Quantize: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Find out which parts of a network can run in 8 bits, and keep that beside its weights.",
            discussion: "Ranges come from pictures (--data: a folder, or a video), or from batch normalisations "
                + "(--data-free). With data the blocks that cost too much stay in floating point: results keep at least "
                + "--keep of f32's figure, measured against labels where the data has them (docs/evaluation.md), against "
                + "f32's own results otherwise. A search that was ended goes on where it was.")

        @Argument(help: "The network: mlsd, retinaface, ssh or ddrnet.") var network: String
        @Option(help: "Pictures in a folder, with labels or without, or a video.", completion: .file()) var data:
            String?
        @Flag(help: "Take ranges from batch normalisations; --data only measures then.") var dataFree = false
        @Option(help: "The share of f32's figure to keep.") var keep = 0.99
        @Option(help: "Variant of the network.") var variant: String?
        @Option(help: "Weights file; the default ones otherwise.") var weights: String?
        @Option(help: ArgumentHelp("Input size.", valueName: "WxH")) var size: String?
        @Option(help: "The part of labelled data to measure on.") var split = "val"
        @Option(help: "Faces: the smallest side that counts, in pixels of the labels.") var minFace = 0.0
        @Option(help: "Pictures to take ranges from.") var pictures = 60

        func validate() throws {
            guard dataFree || data != nil else { throw ValidationError("give --data FOLDER or VIDEO, or --data-free") }
            guard keep > 0, keep <= 1 else { throw ValidationError("--keep is a share, such as 0.99 (got \(keep))") }
            guard pictures > 0 else { throw ValidationError("--pictures must be at least 1 (got \(pictures))") }
        }

        func run() throws {
            var options = QuantisationRun.Options(network: network)
            options.variant = variant
            options.weights = weights
            options.size = try ModelsCommand.inputSize(size)
            options.data = data
            options.isDataFree = dataFree
            options.keep = keep
            options.split = split
            options.smallestFace = minFace
            options.pictures = pictures
            let outcome: QuantisationRun.Outcome
            let start = ContinuousClock.now
            do {
                outcome = try QuantisationRun.run(options, engine: Installation.engine) { Self.tell($0, since: start) }
                try outcome.record.write(besides: outcome.weightsPath)
            } catch {
                throw Failure(.failed, "vpipe: \(error)")
            }
            print(outcome)
        }

        private static func tell(_ progress: QuantisationRun.Progress, since start: ContinuousClock.Instant) {
            guard let figure = progress.figure else { return Console.line("\(progress.what) ...") }
            let passed = (ContinuousClock.now - start) / Double(max(1, progress.done))
            let left = passed * Double(max(0, progress.most - progress.done))
            Console.line(
                "\(progress.what): \(Figures.fixed(figure * 100, 2)) "
                    + "(\(progress.done) of at most \(progress.most), at most \(left.components.seconds) s left)")
        }

        private func print(_ outcome: QuantisationRun.Outcome) {
            let record = outcome.record
            if outcome.rows.contains(where: { $0.cost != nil }) {
                var table = TextTable(["block", "costs", "share of the work", ""], rightAligned: [1, 2])
                for row in outcome.rows {
                    table.add([
                        row.block, row.cost.map { Figures.fixed($0 * 100, 2) } ?? "",
                        Figures.fixed(row.share * 100, 1) + " %", row.isFloat ? "stays in f32" : "",
                    ])
                }
                for line in table.lines { Console.line(line) }
            }
            let figures = record.figures.sorted { $0.key < $1.key }
                .map { "\($0.key) \(Figures.fixed($0.value * 100, 2))" }.joined(separator: ", ")
            Console.line(
                figures.isEmpty
                    ? "nothing was measured: give --data for that" : "\(record.measure), \(record.data): \(figures)")
            Console.line(
                "one inference on one thread: \(Figures.fixed(outcome.times.f32, 1)) ms in f32, "
                    + "\(Figures.fixed(outcome.times.int8, 1)) ms in 8 bits")
            if !figures.isEmpty, !outcome.isWithin {
                Console.line("8 bits lose more than was to be kept: f32 stays what \"auto\" takes")
            }
            Console.line("wrote \(QuantisationRecord.path(besides: outcome.weightsPath))")
        }
    }
}
