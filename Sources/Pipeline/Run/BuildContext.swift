// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
internal import Foundation
public import Inference
public import Media
public import PipelineLanguage

/// What node factories share while one pipeline is built.
///
/// Confined to the thread that builds.
public final class BuildContext {
    /// How a run may use the machine and the disk.
    public struct Options: Sendable {
        /// Processor cores the pipeline may count on.
        public var cores: Int
        /// What sinks do with files that exist, whatever their own settings say; nil leaves it to those.
        public var ifExists: IfExists?
        /// Where compiled models are kept.
        public var cache: CompileOptions.Cache
        /// Whether frames come by themselves; nil when the pipeline's sources tell.
        package var isLive: Bool?
        /// Whether the run only measures, so that nobody outside may notice it.
        package var isTrial = false
        /// Whether records and recordings say when they were made; where they do not, the same input gives the same bytes.
        package var isDated = true
        /// Finds the rung on which a pipeline with a target starts, before its first frame; nil starts as written.
        public var startingRung: (@Sendable (ValidatedPipeline) -> StartingRung?)?

        /// All cores, files that exist as the pipeline says, the standard cache.
        public init(
            cores: Int? = nil, ifExists: IfExists? = nil, cache: CompileOptions.Cache = .standard
        ) {
            self.cores = max(1, cores ?? ProcessInfo.processInfo.activeProcessorCount)
            self.ifExists = ifExists
            self.cache = cache
        }
    }

    /// Opens the engine that networks run on.
    ///
    /// - Throws: what keeps it from working, such as `InferenceError.Code.libraryMissing`.
    public typealias EngineSource = @Sendable () throws -> any InferenceEngine

    /// How the run may use the machine.
    public let options: Options
    /// The pipeline being built.
    public let pipeline: ValidatedPipeline
    /// What live sources ask before they let a frame in; nil where no latency is promised.
    package let gate: AdmissionGate?
    /// Where nodes leave what the user should hear of during the run.
    package let events = EventBox(now: { MonotonicClock.system.now() })
    /// The nodes made so far, by id.
    public package(set) var made: [String: BuiltNode] = [:]

    private let openEngine: EngineSource

    /// - Parameter engine: opened when the first node asks for it; pipelines without networks never do.
    package init(
        pipeline: ValidatedPipeline, options: Options,
        engine: @escaping @autoclosure EngineSource
    ) {
        self.pipeline = pipeline
        self.options = options
        openEngine = engine
        gate = pipeline.target?.latencyMilliseconds.map { AdmissionGate(latencyMilliseconds: $0) }
    }

    /// The engine that the pipeline's networks run on.
    ///
    /// - Throws: what keeps it from working.
    public var engine: any InferenceEngine { get throws { try openEngine() } }

    /// How a node's network is compiled for this run: for throughput, or for latency where frames come by themselves.
    func compileOptions(_ precision: Precision) -> CompileOptions {
        CompileOptions(
            isLive ? .latency : .throughput, cores: options.cores, precision: precision, cache: options.cache)
    }

    /// Whether the run only measures, so that no device, server or broker may notice it.
    public var isTrial: Bool { options.isTrial }

    /// Whether frames come by themselves rather than as fast as they are taken.
    package var isLive: Bool { options.isLive ?? pipeline.isLive }

    /// Nominal rate of the frames that reach `node`: its source's, or what the slowest `rate` on the way lets through; nil
    /// where unknown.
    package func frameRate(of node: ValidatedNode) -> Rational? {
        var rate = (source(of: node) as? any MeasuredSource)?.frameRate
        var place: ValidatedNode? = node
        while let current = place {
            if let limit = RateNode.limit(of: current), let known = rate?.value ?? (rate == nil ? .infinity : nil),
                limit.perSecond < known
            {
                // A source of unknown rate is most likely faster than what it is thinned out to.
                rate = Rational(limit.frames, limit.seconds)
            }
            place = current.inputs.first.flatMap { link in pipeline.nodes.first { $0.id == link.from } }
        }
        return rate
    }

    /// The source that feeds `node`, where it has exactly one.
    package func source(of node: ValidatedNode) -> AnyObject? {
        guard node.sources.count == 1, case .source(let source)? = made[node.sources[0]] else { return nil }
        return source
    }
}
