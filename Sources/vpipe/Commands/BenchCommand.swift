// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Inference
import Pipeline
internal import PipelineLanguage
internal import Workbench

/// `vpipe bench`.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure file -> network -> overlay -> H.264 against what its parts alone would allow.")

    @Argument(help: "The video to read.", completion: .file()) var input: String
    @Option(help: "The networks to measure; mlsd and retinaface by default.") var network: [String] = []
    @Option(help: "Variant of the network; the node's default otherwise.") var variant: String?
    @Option(help: ArgumentHelp("Input size of the network.", valueName: "WxH")) var size: String?
    @Option(help: "Weights file; the default ones otherwise.") var weights: String?
    @Option(
        help: ArgumentHelp(
            "Arithmetic of the network: f32, bf16 or int8; auto, the fastest of those measured equal, otherwise.",
            valueName: "name"))
    var precision: String?
    @Flag(help: "Figures as JSON, one object per network.") var json = false

    func validate() throws {
        if let precision, precision != "auto", Precision(rawValue: precision) == nil {
            let names = ["auto"] + Precision.allCases.map(\.rawValue)
            throw ValidationError("--precision is one of \(names.joined(separator: ", ")) (got \(precision))")
        }
    }

    func run() throws {
        let interruption = Interruption()
        defer { withExtendedLifetime(interruption) {} }
        for name in network.isEmpty ? ["mlsd", "retinaface"] : network {
            var options = PipelineBench.Options(input: input, network: name)
            options.variant = variant
            options.size = size
            options.weights = weights
            options.precision = precision.flatMap { Precision(rawValue: $0) }
            let bench: PipelineBench
            do {
                bench = try PipelineBench(options, registry: Installation.registry, engine: Installation.engine)
            } catch {
                throw Failure(starting: error)
            }
            if json { Console.print(Self.json(bench, network: name) + "\n") } else { Self.print(bench, network: name) }
        }
    }

    private static func print(_ bench: PipelineBench, network: String) {
        func ms(_ value: Double) -> String { Figures.fixed(value, 2) }
        Console.line("\(network): \(bench.frames) frames, \(bench.cores) cores")
        var table = TextTable(["  part", "CPU ms/frame"], rightAligned: [1])
        table.add(["  decode alone", ms(bench.decodeCPU)])
        table.add(["  inference alone", ms(bench.inferenceCPU)])
        table.add(["  encode alone", ms(bench.encodeCPU)])
        table.add(["  whole pipeline", ms(bench.pipelineCPU)])
        for line in table.lines { Console.line(line) }
        Console.line("  precision \(bench.choice ?? bench.precision.rawValue)")
        Console.line(
            "  pipeline \(Figures.fixed(bench.fps, 1)) fps, limit \(Figures.fixed(bench.limit, 1)) fps, ratio \(Figures.fixed(bench.share, 2))"
        )
        Console.line(
            "  first frame after \(Figures.fixed(bench.startSeconds, 2)) s, peak memory \(bench.peakBytes / 1_000_000) MB"
        )
    }

    private static func json(_ bench: PipelineBench, network: String) -> String {
        let fields: [(String, Double)] = [
            ("frames", Double(bench.frames)), ("fps", bench.fps), ("limit", bench.limit), ("ratio", bench.share),
            ("pipelineCPUms", bench.pipelineCPU), ("decodeCPUms", bench.decodeCPU),
            ("inferenceCPUms", bench.inferenceCPU), ("encodeCPUms", bench.encodeCPU),
            ("startSeconds", bench.startSeconds), ("peakMB", Double(bench.peakBytes) / 1e6),
            ("cores", Double(bench.cores)),
        ]
        return RunJSON.line(
            [("network", .string(network)), ("precision", .string(bench.precision.rawValue))]
                + fields.map { ($0.0, .number(($0.1 * 1000).rounded() / 1000)) })
    }
}
