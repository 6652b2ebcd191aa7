// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Annotations
internal import Dataflow
internal import Glibc
public import Inference
internal import Media
internal import Networks
public import Pipeline
internal import PipelineLanguage

/// Measures a pipeline of file, network, overlay and encoder against the limit that its parts set.
///
/// The limit is *cores / (decode + inference + encode CPU time per frame)*, each measured alone in the same run: what a
/// pipeline without any cost of its own would reach.
public struct PipelineBench: Sendable {
    /// What is measured.
    public struct Options: Sendable {
        /// Video file that is read.
        public var input: String
        /// A network that a node is named after.
        public var network: String
        /// Variant of the network; nil is the node's default.
        public var variant: String?
        /// Input size of the network; nil is the node's default.
        public var size: String?
        /// Weights file; nil is the node's default.
        public var weights: String?
        /// Arithmetic of the network; nil is what the node takes by itself.
        public var precision: Precision?
        /// Frames at most for each part measured alone.
        public var frames = 150

        /// Makes options for a file and a network.
        public init(input: String, network: String) {
            self.input = input
            self.network = network
        }
    }

    /// Frames through the pipeline.
    public let frames: Int
    /// Frames per second of the pipeline, from the first frame to the last.
    public let fps: Double
    /// CPU milliseconds per frame of the pipeline, all threads, from the first delivered frame on.
    public let pipelineCPU: Double
    /// Decoding alone, CPU milliseconds per frame.
    public let decodeCPU: Double
    /// Inference alone: the engine with a constant input and the pipeline's own streams.
    public let inferenceCPU: Double
    /// Encoding alone, with the pipeline's settings and what it drew.
    public let encodeCPU: Double
    /// Seconds from building the pipeline to its first delivered frame.
    public let startSeconds: Double
    /// Largest resident memory while the pipeline ran, in bytes.
    public let peakBytes: Int
    /// Cores counted on.
    public let cores: Int
    /// Arithmetic of the network, for the engine.
    public let precision: Precision
    /// Why it was chosen; nil where the options name it.
    public let choice: String?

    /// Frames per second that the parts allow.
    public var limit: Double { Double(cores) * 1000 / (decodeCPU + inferenceCPU + encodeCPU) }
    /// How much of the limit the pipeline reaches.
    public var share: Double { fps / limit }

    /// Runs all measurements; takes some seconds.
    public init(_ options: Options, registry: NodeRegistry, engine: any InferenceEngine) throws {
        let build = BuildContext.Options(ifExists: .replace)
        cores = build.cores
        guard let folder = TemporaryFolder("bench") else { throw OutputError("no temporary folder can be made") }
        defer { withExtendedLifetime(folder) {} }
        let output = folder.path + "/bench.mp4"

        let pipeline = try Self.pipeline(options, output: output, contracts: registry.contracts)
        let begin = MonotonicClock.system.now()
        let run = try PipelineRun(pipeline, registry: registry, engine: engine, options: build)
        try run.start()
        var first: (at: UInt64, delivered: UInt64, cpuSeconds: Double)?
        var report: RunReport?
        while report == nil {
            report = run.waitUntilFinished(seconds: first == nil ? 0.005 : 60)
            if first == nil, let delivered = run.snapshot().sources.map(\.delivered).max(), delivered > 0 {
                first = (MonotonicClock.system.now(), delivered, ProcessUsage().cpuSeconds)
            }
        }
        guard let report, let sink = report.nodes.first(where: { $0.endToEnd != nil }), let first,
            sink.items > first.delivered
        else { throw OutputError("\(options.input): too short to measure") }
        if let failure = report.failures.first { throw OutputError("nodes.\(failure.node): \(failure.message)") }
        let after = ProcessUsage()
        frames = Int(sink.items)
        fps = sink.fps
        pipelineCPU = (after.cpuSeconds - first.cpuSeconds) * 1000 / Double(sink.items - first.delivered)
        startSeconds = Double(first.at - begin) / 1e9
        peakBytes = after.peakBytes

        decodeCPU = try Self.measureDecoder(options)
        encodeCPU = try Self.measureEncoder(options, picturesOf: output, cores: cores)
        let chosen = try Self.model(options, cores: cores, engine)
        precision = chosen.precision
        choice = chosen.reason
        inferenceCPU = try Self.measureInference(
            chosen, CompileOptions(.throughput, cores: cores, precision: precision), frames: options.frames, engine)
    }

    private static func pipeline(
        _ options: Options, output: String, contracts: ContractTable
    ) throws -> ValidatedPipeline {
        let given = [
            ("variant", options.variant), ("size", options.size), ("weights", options.weights),
            ("precision", options.precision?.rawValue),
        ]
        let network: [(String, JSONDocument)] =
            [("type", .string(options.network)), ("input", "video")]
            + given.compactMap { key, value in value.map { (key, .string($0)) } }
        let document: JSONDocument = [
            "name": "bench",
            "nodes": [
                "video": ["type": "video", "url": .string(options.input)], "network": .object(network),
                "overlay": ["type": "overlay", "inputs": ["network"]],
                "file": ["type": "file", "input": "overlay", "audio": "none", "path": .string(output)],
            ],
        ]
        let file = PipelineFile(name: "bench", text: document.compact)
        return try file.validated(against: contracts, overrides: [])
    }

    /// CPU milliseconds per frame of decoding.
    private static func measureDecoder(_ options: Options) throws -> Double {
        let reader = try VideoReader(options.input)
        let start = ProcessUsage().cpuSeconds
        var count = 0
        while count < options.frames, try reader.read() != nil { count += 1 }
        guard count > 0 else { throw OutputError("\(options.input): no frames to measure") }
        return (ProcessUsage().cpuSeconds - start) * 1000 / Double(count)
    }

    /// CPU milliseconds per frame of encoding what the pipeline encoded: results drawn on a picture cost the encoder too.
    private static func measureEncoder(_ options: Options, picturesOf path: String, cores: Int) throws -> Double {
        var settings = WriterSettings()
        settings.preset = FileNode.presetDefault
        settings.threads = FileNode.threadsBesideNetworks(cores: cores)
        settings.ifExists = .replace
        let reader = try VideoReader(path)
        settings.frameRate = reader.info.frameRate
        let output = path + ".again.mp4"
        defer { unlink(output) }
        let writer = try VideoWriter(output, settings: settings)
        var seconds = 0.0
        var count = 0
        // In turns of a few frames, so that the whole clip is never in memory.
        var batch: [DecodedPicture] = []
        while count < options.frames {
            while batch.count < 25, let decoded = try reader.read() { batch.append(decoded) }
            guard !batch.isEmpty else { break }
            let start = ProcessUsage().cpuSeconds
            for decoded in batch { try writer.write(decoded.picture, pts: decoded.pts, duration: decoded.duration) }
            seconds += ProcessUsage().cpuSeconds - start
            count += batch.count
            batch.removeAll()
        }
        let start = ProcessUsage().cpuSeconds
        _ = try writer.finish()
        seconds += ProcessUsage().cpuSeconds - start
        guard count > 0 else { throw OutputError("\(path): no frames to measure") }
        return seconds * 1000 / Double(count)
    }

    /// What the pipeline's node runs.
    private static func model(
        _ options: Options, cores: Int, _ engine: any InferenceEngine
    ) throws -> ChosenModel {
        let family = try NetworkFamily.named(options.network)
        let model = try NodeModel(
            family, variant: options.variant ?? family.variants[0].name, weights: options.weights,
            size: options.size.flatMap { InputSize($0) })
        return try ChosenModel(
            model, in: options.precision, engine: engine,
            options: CompileOptions(.throughput, cores: cores, precision: .f32))
    }

    /// CPU milliseconds per inference of the engine alone, with every stream busy.
    private static func measureInference(
        _ chosen: ChosenModel, _ options: CompileOptions, frames: Int, _ engine: any InferenceEngine
    ) throws -> Double {
        let compiled = try engine.compile(chosen.model.source(), options: options)
        let pool = try RequestPool(model: compiled)
        let warmUp = pool.requests.count
        let total = max(20, frames / 2)
        var submitted = 0
        var completed = 0
        var start = 0.0
        while completed < warmUp + total {
            while submitted < warmUp + total, let slot = pool.acquire() {
                try pool.submit(slot)
                submitted += 1
            }
            guard let (slot, failure) = pool.waitForNext() else { break }
            if let failure { throw failure }
            pool.release(slot)
            completed += 1
            if completed == warmUp { start = ProcessUsage().cpuSeconds }
        }
        return (ProcessUsage().cpuSeconds - start) * 1000 / Double(total)
    }
}
