// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// What a pipeline will do on this machine, predicted from what its parts were measured to cost.
///
/// A node's cost is the processor time per frame of everything up to and with it, less that of everything before it,
/// each run for a second or two on the pipeline's own input, as fast as it goes. The whole pipeline is run once as well,
/// which gives its highest frame rate. What a rung of the ladder would give is in proportion to its costs. Where other
/// programs were busy meanwhile, the costs alone speak: they are processor time, which does not care who else runs.
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
    }

    /// One rung of the ladder.
    public struct Rung: Sendable {
        /// What it changes, in words.
        public let name: String
        /// Processor time per frame of the whole pipeline, in milliseconds.
        public let cpuPerFrame: Double
        /// Frames per second it can do.
        public let capacity: Double
    }

    /// The nodes, in the order of the graph.
    public let nodes: [Node]
    /// The rungs, the pipeline as written first.
    public let rungs: [Rung]
    /// Frames per second that the source gives; nil when it gives them as fast as they are taken.
    public let sourceRate: Double?
    /// From capture to delivery at the source's own pace, p99 in milliseconds; nil for pipelines that are not live.
    public let latencyP99: Double?
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
    public func expectedRate(on rung: Int = 0) -> Double { min(sourceRate ?? .infinity, rungs[rung].capacity) }

    /// Whether the frame rate will be kept on a rung; true where none is promised.
    public func keepsRate(on rung: Int = 0) -> Bool {
        target?.fps.map { expectedRate(on: rung) >= $0 * Governor.tolerance } ?? true
    }

    /// Whether the latency will be kept; true where none is promised or it is not known.
    public var keepsLatency: Bool {
        guard let limit = target?.latencyMilliseconds, let latencyP99 else { return true }
        return latencyP99 <= limit
    }

    /// The first rung that keeps the frame rate.
    public var keepingRung: Int? { rungs.indices.first { keepsRate(on: $0) } }

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
    /// - Parameter progress: told what is measured next.
    /// - Throws: what keeps the pipeline from running.
    public init(
        _ pipeline: ValidatedPipeline, options: Options = Options(), progress: (String) -> Void = { _ in }
    ) throws {
        var measuring = Measuring(pipeline, options)
        defer { measuring.finish() }
        let live = pipeline.nodes.filter { $0.reachesSink }
        let names = live.map(\.id)
        let sinks = live.filter { $0.contract.category == .sink }.map(\.id)

        progress("the whole pipeline")
        let whole = try measuring.figures(feeding: sinks, on: 0)
        var nodes: [Node] = []
        for node in live {
            progress(node.id)
            let cost = try measuring.cost(of: node, on: 0)
            let serial = whole.nodeMilliseconds[node.id] ?? 0
            nodes.append(
                Node(
                    id: node.id, type: node.type, cpuPerFrame: cost,
                    serialLimit: node.contract.category == .inference || serial < 0.5 ? nil : 1000 / serial))
        }
        let total = nodes.map(\.cpuPerFrame).reduce(0, +)
        let capacity = Self.capacity(of: whole, total: total, cores: measuring.cores)
        var rungs = [Rung(name: pipeline.ladder.name(of: 0), cpuPerFrame: total, capacity: capacity)]
        for rung in 1..<max(1, pipeline.ladder.rungCount) {
            progress("ladder \(rung)")
            var cost = 0.0
            for node in live where names.contains(node.id) { cost += try measuring.cost(of: node, on: rung) }
            rungs.append(
                Rung(
                    name: pipeline.ladder.name(of: rung), cpuPerFrame: cost,
                    capacity: capacity * (cost > 0 ? total / cost : 1)))
        }
        let isLive = live.contains { $0.contract.category == .source && $0.isLive }
        if isLive { progress("the pipeline at its own pace") }
        let paced = isLive ? try measuring.figures(feeding: sinks, on: 0, isPaced: true) : nil
        self.nodes = nodes
        self.rungs = rungs
        sourceRate = try isLive ? measuring.sourceRate(of: live) : nil
        latencyP99 = paced.flatMap { $0.foreignCores < Self.quiet * Double(measuring.cores) ? $0.latencyP99 : nil }
        target = pipeline.target
        cores = measuring.cores
        foreignCores = whole.foreignCores
        measurements = measuring.count
    }

    /// Share of the cores below which other programs do not matter.
    static let quiet = 0.1
    /// Share of the cores that a pipeline fills when it is the only one; the rest goes to waiting for each other.
    static let filled = 0.92

    /// Frames per second of the pipeline with the machine for itself.
    private static func capacity(
        of whole: Rehearsal.Figures, total: Double, cores: Int
    ) -> Double {
        guard whole.foreignCores >= quiet * Double(cores), total > 0 else { return whole.fps }
        return max(whole.fps, filled * Double(cores) * 1000 / total)
    }

    /// The runs of one plan, with the table that spares most of them.
    private struct Measuring {
        let pipeline: ValidatedPipeline
        let cores: Int
        let folder: String
        let isFresh: Bool
        var rehearsal = Rehearsal()
        var table: CostTable
        var count = 0
        /// Figures of this plan, which even a fresh one takes only once.
        var taken: [String: Rehearsal.Figures] = [:]

        init(_ pipeline: ValidatedPipeline, _ options: Options) {
            self.pipeline = pipeline
            rehearsal.options = BuildContext.Options(cores: options.cores, overwrites: true)
            rehearsal.seconds = options.seconds
            cores = rehearsal.options.cores
            isFresh = options.isFresh
            table = options.table.map { CostTable(path: $0) } ?? CostTable()
            folder = NSTemporaryDirectory() + "/vpipe-plan-" + UUID().uuidString
            try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        }

        mutating func figures(
            feeding ids: [String], on rung: Int, isPaced: Bool = false
        ) throws -> Rehearsal.Figures {
            let part = pipeline.part(feeding: ids, on: rung, isPaced: isPaced, folder: folder)
            let key = CostTable.key(of: part, isPaced: isPaced, cores: cores)
            if let known = taken[key] ?? (isFresh ? nil : table[key]) { return known }
            let figures = try rehearsal.run(part)
            count += 1
            taken[key] = figures
            table.store(figures, under: key)
            return figures
        }

        /// Processor milliseconds per frame of one node.
        mutating func cost(of node: ValidatedNode, on rung: Int) throws -> Double {
            let with = try figures(feeding: [node.id], on: rung).cpuPerFrame
            let before = node.inputs.map(\.from)
            guard !before.isEmpty else { return with }
            return max(0, with - (try figures(feeding: before, on: rung).cpuPerFrame))
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
            table.save()
            try? FileManager.default.removeItem(atPath: folder)
        }
    }
}
