// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Foundation
public import Pipeline
public import PipelineLanguage

/// What a pipeline will do on this machine, predicted from what its parts were measured to cost.
///
/// A node's cost is the processor time per frame of everything up to and with it, less that of everything before it,
/// each run for a second or two on the pipeline's own input, as fast as it goes. The whole pipeline is run on every rung
/// of the ladder as well, which gives its highest frame rate there, and a live one once more at its source's pace. Where
/// other programs were busy meanwhile, the costs alone speak: they are processor time, which does not care who else runs.
public struct PipelinePlan: Sendable {
    /// One node's part.
    public struct Node: Sendable {
        /// Its id.
        public let id: String
        /// Its type.
        public let type: String
        /// Processor time per frame, in milliseconds.
        public let cpuPerFrame: Double
        /// Frames per second at which this node alone would be full: it works on one frame at a time.
        ///
        /// Nil for a node that does next to nothing on its own queue, such as a network, whose engine has threads of
        /// its own.
        public let serialLimit: Double?
        /// Of a network: which one it is, in which arithmetic and why, as the report of a run says it.
        public let notes: [String]
    }

    /// One rung of the ladder.
    public struct Rung: Sendable {
        /// What it changes, in words.
        public let name: String
        /// Processor time per frame of the whole pipeline, in milliseconds.
        public let cpuPerFrame: Double
        /// Frames per second it can do.
        public let capacity: Double
        /// Frames per second that were delivered at the source's own pace; nil for pipelines that are not live, and
        /// where other programs were too busy for the figure to mean anything.
        public let pacedRate: Double?
        /// From capture to delivery at that pace, p99 in milliseconds; nil as for the rate.
        public let latencyP99: Double?
    }

    /// The nodes, in the order of the graph.
    public let nodes: [Node]
    /// The rungs, the pipeline as written first.
    public let rungs: [Rung]
    /// Frames per second that the source gives; nil when it gives them as fast as they are taken.
    public let sourceRate: Double?
    /// What it promises; nil when it promises nothing.
    public let target: PipelineTarget?
    /// Cores counted on.
    public let cores: Int
    /// Cores that other programs kept busy while the whole pipeline was measured; what they do to the run is not in
    /// the figures.
    public let foreignCores: Double
    /// Parts measured now; the others were known.
    public let measurements: Int

    /// Frames per second that a run will show, on a rung.
    public func expectedRate(on rung: Int = 0) -> Double {
        min(sourceRate ?? .infinity, rungs[rung].pacedRate ?? rungs[rung].capacity)
    }

    /// Whether the frame rate will be kept on a rung; true where none is promised.
    public func keepsRate(on rung: Int = 0) -> Bool {
        guard let fps = target?.fps else { return true }
        // A live source does not wait: a rung that just suffices loses frames at the first disturbance.
        let spare = rungs[rung].pacedRate == nil ? 1 : Governor.headroom
        return expectedRate(on: rung) >= fps * Governor.tolerance
            && rungs[rung].capacity * spare >= fps * Governor.tolerance
    }

    /// Whether the latency will be kept; true where none is promised or it is not known.
    public func keepsLatency(on rung: Int = 0) -> Bool {
        guard let limit = target?.latencyMilliseconds, let latency = rungs[rung].latencyP99 else { return true }
        return latency <= limit
    }

    /// The first rung that keeps all that is promised.
    public var keepingRung: Int? { rungs.indices.first { keepsRate(on: $0) && keepsLatency(on: $0) } }

    /// What is expected as written, beside what is promised, in words.
    var shortfall: String {
        var parts: [String] = []
        if let fps = target?.fps, !keepsRate() {
            parts.append("\(NumberText.decimal(expectedRate(), places: 1)) of \(NumberText.decimal(fps)) fps")
        }
        if let limit = target?.latencyMilliseconds, let latency = rungs[0].latencyP99, !keepsLatency() {
            parts.append("latency p99 \(NumberText.decimal(latency, places: 0)) of \(NumberText.decimal(limit)) ms")
        }
        return parts.joined(separator: ", ")
    }

    /// The node that costs most.
    public var dearest: Node? { nodes.max { $0.cpuPerFrame < $1.cpuPerFrame } }
}

extension PipelinePlan {
    /// Where and how a plan is measured.
    public struct Options: Sendable {
        /// Cores to count on; nil is all.
        public var cores: Int?
        /// Whether everything is measured anew.
        public var isFresh = false
        /// Seconds of running for each part.
        public var seconds = 1.5
        /// File that keeps the figures; nil is the user's own.
        public var table: String?

        /// All cores, figures of earlier plans used.
        public init() {}
    }

    /// Measures what is not known yet and predicts; takes some seconds a node the first time.
    ///
    /// - Parameters:
    ///   - registry: makes the nodes of the parts that are run.
    ///   - engine: runs their networks.
    ///   - progress: told what is measured next.
    /// - Throws: what keeps the pipeline from running.
    public init(
        _ pipeline: ValidatedPipeline, registry: NodeRegistry,
        engine: @escaping @autoclosure BuildContext.EngineSource, options: Options = Options(),
        progress: (String) -> Void = { _ in }
    ) throws {
        var build = BuildContext.Options(cores: options.cores, ifExists: .replace)
        build.isLive = pipeline.isLive
        build.isTrial = true
        let trial = TrialRun { [build] part in
            try PipelineRun(part, registry: registry, engine: try engine(), options: build)
        }
        let engineText = pipeline.usesEngine ? Self.text(of: engine) : ""
        try self.init(pipeline, options, trial, cores: build.cores, engine: engineText, progress)
    }

    /// Name and version of the engine: another one computes at other costs.
    private static func text(of engine: BuildContext.EngineSource) -> String {
        (try? engine()).map { "\($0.name) \($0.version)" } ?? "no engine"
    }

    private init(
        _ pipeline: ValidatedPipeline, _ options: Options, _ trial: TrialRun?, cores: Int, engine: String,
        _ progress: (String) -> Void
    ) throws {
        var measuring = Measuring(pipeline, options, trial, cores: cores, engine: engine)
        defer { measuring.finish() }
        let live = pipeline.nodes.filter { $0.reachesSink }
        let sinks = live.filter { $0.contract.category == .sink }.map(\.id)
        let isLive = pipeline.isLive

        var rungs: [Rung] = []
        var wholes: [TrialRun.Figures] = []
        for rung in 0..<pipeline.ladder.rungCount {
            let name = rung == 0 ? "the whole pipeline" : "the whole pipeline on ladder \(rung)"
            progress(name)
            let whole = try measuring.figures(feeding: sinks, on: rung)
            if isLive { progress("\(name), at the source's pace") }
            let paced = isLive ? try measuring.figures(feeding: sinks, on: rung, isPaced: true) : nil
            wholes.append(whole)
            rungs.append(Rung(pipeline.ladder.name(of: rung), whole: whole, paced: paced, cores: measuring.cores))
        }
        nodes = try live.map { node in
            progress(node.id)
            let cost = try measuring.cost(of: node)
            let serial = wholes[0].nodeMilliseconds[node.id] ?? 0
            return Node(
                id: node.id, type: node.type, cpuPerFrame: cost,
                serialLimit: node.contract.category == .inference || serial < 0.5 ? nil : 1000 / serial,
                notes: node.contract.category == .inference ? wholes[0].notes[node.id] ?? [] : [])
        }
        self.rungs = rungs
        sourceRate = try isLive ? measuring.sourceRate(of: live) : nil
        target = pipeline.target
        self.cores = measuring.cores
        foreignCores = wholes[0].foreignCores
        measurements = measuring.count
    }

    /// Where a run starts by what earlier plans measured, for `BuildContext.Options`; measures nothing.
    ///
    /// - Parameters:
    ///   - engine: will run the networks.
    ///   - cores: cores to count on; nil is all.
    ///   - table: file that keeps the figures; nil is the user's own.
    public static func startingRung(
        engine: @escaping @autoclosure BuildContext.EngineSource, cores: Int? = nil, table: String? = nil
    ) -> @Sendable (ValidatedPipeline) -> StartingRung? {
        { pipeline in
            let engineText = pipeline.usesEngine ? text(of: engine) : ""
            return PipelinePlan(remembered: pipeline, cores: cores, table: table, engine: engineText)?.start
        }
    }

    /// The first rung that keeps the target; as written where none does.
    private var start: StartingRung {
        let rung = keepingRung ?? 0
        return StartingRung(rung: rung, shortfall: rung == 0 ? "" : shortfall, costs: rungs.map(\.cpuPerFrame))
    }

    /// What an earlier plan found, nothing measured; nil where it did not see this pipeline with these settings.
    init?(remembered pipeline: ValidatedPipeline, cores: Int?, table: String?, engine: String = "") {
        var options = Options()
        options.table = table
        let cores = BuildContext.Options(cores: cores).cores
        guard let plan = try? PipelinePlan(pipeline, options, nil, cores: cores, engine: engine, { _ in }) else {
            return nil
        }
        self = plan
    }

    /// Share of the cores below which other programs do not matter.
    static let quiet = 0.1
    /// Share of the cores that a pipeline fills when it is the only one; the rest goes to waiting for each other.
    static let filled = 0.92

    /// The runs of one plan, with the table that spares most of them.
    private struct Measuring {
        let pipeline: ValidatedPipeline
        let cores: Int
        let engine: String
        let folder: String
        private let owner: TemporaryFolder?
        let seconds: Double
        let isFresh: Bool
        /// Nil where nothing is measured, so that what no earlier plan has measured is an error.
        let trial: TrialRun?
        var table: CostTable
        var count = 0
        /// Figures of this plan, which even a fresh one takes only once.
        var taken: [String: TrialRun.Figures] = [:]

        init(
            _ pipeline: ValidatedPipeline, _ options: Options, _ trial: TrialRun?, cores: Int, engine: String
        ) {
            self.pipeline = pipeline
            self.engine = engine
            self.trial = trial
            self.cores = cores
            seconds = options.seconds
            isFresh = options.isFresh
            table = options.table.map { CostTable(path: $0) } ?? CostTable()
            owner = trial == nil ? nil : TemporaryFolder("plan")
            folder = owner?.path ?? NSTemporaryDirectory()
        }

        mutating func figures(
            feeding ids: [String], on rung: Int, isPaced: Bool = false
        ) throws -> TrialRun.Figures {
            let part = pipeline.part(feeding: ids, on: rung, isPaced: isPaced, folder: folder)
            let key = CostTable.key(
                of: part, isPaced: isPaced, isLive: pipeline.isLive, cores: cores, engine: engine)
            if let known = taken[key] ?? (isFresh ? nil : table[key]) { return known }
            guard let trial else { throw OutputError("not measured yet") }
            guard owner != nil else { throw OutputError("no temporary folder can be made") }
            // At the source's pace a frame in so many waits for a network: longer, so that several do.
            let figures = try trial.run(part, seconds: isPaced ? 2 * seconds : seconds)
            count += 1
            taken[key] = figures
            table.store(figures, under: key)
            return figures
        }

        /// Processor milliseconds per frame of one node.
        mutating func cost(of node: ValidatedNode) throws -> Double {
            let with = try figures(feeding: [node.id], on: 0).cpuPerFrame
            let before = node.inputs.map(\.from)
            guard !before.isEmpty else { return with }
            return max(0, with - (try figures(feeding: before, on: 0).cpuPerFrame))
        }

        /// Frames per second of the live sources, the slowest counts.
        mutating func sourceRate(of nodes: [ValidatedNode]) throws -> Double? {
            var slowest: Double?
            for node in nodes where node.contract.category == .source && node.isLive {
                let rate = try figures(feeding: [node.id], on: 0, isPaced: true).fps
                slowest = min(slowest ?? rate, rate)
            }
            return slowest
        }

        func finish() {
            if count > 0 { table.save() }
            withExtendedLifetime(owner) {}
        }
    }
}

extension PipelinePlan.Rung {
    fileprivate init(_ name: String, whole: TrialRun.Figures, paced: TrialRun.Figures?, cores: Int) {
        func isQuiet(_ figures: TrialRun.Figures) -> Bool {
            figures.foreignCores < PipelinePlan.quiet * Double(cores)
        }
        self.name = name
        cpuPerFrame = whole.cpuPerFrame
        // With other programs about, its costs tell what it would do with the machine for itself.
        capacity =
            isQuiet(whole) || whole.cpuPerFrame <= 0
            ? whole.fps : max(whole.fps, PipelinePlan.filled * Double(cores) * 1000 / whole.cpuPerFrame)
        pacedRate = paced.flatMap { isQuiet($0) ? $0.fps : nil }
        latencyP99 = paced.flatMap { isQuiet($0) ? $0.latencyP99 : nil }
    }
}
