// SPDX-License-Identifier: Apache-2.0
internal import Basics
public import Dataflow
@preconcurrency internal import Dispatch
internal import Foundation
package import Media
public import PipelineLanguage

/// A pipeline in operation: its nodes, opened, and the graph that runs them, once.
///
///     init (opens sources, sinks, models) --start()--> running --end of input, stop()--> drained --> report
///
/// `@unchecked Sendable`: everything is set in `init`; the graph and the controller guard their own state, and what is
/// asked of nodes while they run is thread-safe: `interrupt`, `expectedFrames`, and `prepare`, which the controller asks.
public final class PipelineRun: @unchecked Sendable {
    /// What one node has to say about the run.
    public struct Notes: Sendable {
        /// The node's id.
        public let node: String
        /// One sentence each.
        public let lines: [String]

        package init(node: String, lines: [String]) {
            self.node = node
            self.lines = lines
        }
    }

    private let graph: Graph
    /// Readers of frames, outside the graph.
    private let readers = FrameReaders()
    private let nodes: [(id: String, node: AnyObject)]
    private let controller: RunController
    private let sources: Set<String>
    private let live: [String]
    private let box: EventBox

    /// Opens everything the pipeline names and joins it up.
    ///
    /// - Parameters:
    ///   - pipeline: what was validated.
    ///   - registry: makes the nodes; knows at least the types that the pipeline was validated against.
    ///   - engine: runs the networks; opened when the first of them is built.
    ///   - options: how the run may use the machine and the disk.
    /// - Throws: `PipelineRunError` naming the node that cannot work and why.
    public init(
        _ pipeline: ValidatedPipeline, registry: NodeRegistry,
        engine: @escaping @autoclosure BuildContext.EngineSource, options: BuildContext.Options = .init()
    ) throws {
        let context = BuildContext(pipeline: pipeline, options: options, engine: try engine())
        // Nodes may keep the context, to build more networks while they run.
        defer { context.made = [:] }
        var builder = GraphBuilder(name: pipeline.name ?? "pipeline")
        var ids: [String: NodeID] = [:]
        var nodes: [(id: String, node: AnyObject)] = []
        let opened = Self.openLiveSources(of: pipeline, registry, context)
        for node in pipeline.nodes where node.reachesSink {
            let built: BuiltNode
            do {
                built = try opened[node.id]?.get() ?? registry.make(node, in: context)
            } catch {
                throw PipelineRunError(
                    node: node.id, cause: error, place: "\(pipeline.file):\(node.position.line):\(node.position.column)"
                )
            }
            context.made[node.id] = built
            let policy: ErrorPolicy = node.onError == .stop ? .stop : .isolate
            switch built {
            case .source(let source):
                nodes.append((node.id, source))
                ids[node.id] = builder.addSource(node.id, source, onError: policy)
            case .node(let plain):
                nodes.append((node.id, plain))
                ids[node.id] = builder.addNode(node.id, plain, onError: policy)
            case .join(let join):
                nodes.append((node.id, join))
                ids[node.id] = builder.addJoin(node.id, join, onError: policy)
            }
            for link in node.inputs {
                guard let from = ids[link.from], let to = ids[node.id] else {
                    preconditionFailure("nodes come in topological order")
                }
                builder.connect(
                    from, port: link.fromPortIndex, to: to, port: link.toPortIndex,
                    policy: EdgePolicy(link.rule.policy),
                    capacity: link.rule.capacity)
            }
        }
        self.nodes = nodes
        sources = Set(pipeline.nodes.filter { $0.contract.category == .source }.map(\.id))
        live = pipeline.nodes.filter { $0.contract.category == .source && $0.isLive && $0.reachesSink }.map(\.id)
        box = context.events
        graph = try builder.build()
        let target = pipeline.target.map {
            TargetController(
                target: $0, ladder: pipeline.ladder, cores: options.cores,
                isLive: pipeline.nodes.allSatisfy { $0.contract.category != .source || !$0.reachesSink || $0.isLive },
                start: pipeline.ladder.rungCount == 1 ? nil : options.startingRung?(pipeline),
                gate: context.gate)
        }
        do {
            controller = try RunController(
                pipeline, nodes: Dictionary(uniqueKeysWithValues: nodes.map { ($0.id, $0.node) }), graph: graph,
                target: target, events: context.events)
        } catch let failure as PreparedSettings.Failure {
            throw failure.causes.first.map { PipelineRunError(node: $0.node, cause: $0.cause) } ?? failure
        }
        // Compiling networks leaves tens of megabytes of freed memory behind; give them back before the frames come.
        Heap.trim()
    }

    /// Opens several live sources at the same time: each may take seconds to answer.
    private static func openLiveSources(
        of pipeline: ValidatedPipeline, _ registry: NodeRegistry, _ context: BuildContext
    ) -> [String: Result<BuiltNode, any Error>] {
        let sources = pipeline.nodes.filter { $0.contract.category == .source && $0.reachesSink && $0.isLive }
        guard sources.count > 1 else { return [:] }
        // What sources take from the context never changes, or is thread-safe.
        nonisolated(unsafe) let shared = context
        let opened = OpenedSources()
        let group = DispatchGroup()
        for node in sources {
            group.enter()
            let open: @Sendable () -> Void = {
                opened.add(Result { try registry.make(node, in: shared) }, of: node.id)
                group.leave()
            }
            // They wait for the world, not for a processor: a thread for each.
            if SystemThread.start(open) != 0 { open() }
        }
        group.wait()
        return opened.all
    }

    /// What was opened on several threads.
    private final class OpenedSources: @unchecked Sendable {
        // Invariant of @unchecked Sendable: touched under the lock; the nodes are used by one thread after that.
        private let lock = NSLock()
        private var results: [String: Result<BuiltNode, any Error>] = [:]

        func add(_ result: Result<BuiltNode, any Error>, of node: String) { lock.withLock { results[node] = result } }

        var all: [String: Result<BuiltNode, any Error>] { lock.withLock { results } }
    }

    /// Starts all nodes, sinks first.
    public func start() throws {
        for (_, node) in nodes { (node as? any RunAttached)?.attach(self) }
        try controller.start()
        graph.whenFinished { [readers] in readers.close() }
    }

    /// Runs it from start to end; cancelling the task is a `stop()`, after which the report still comes.
    ///
    /// - Throws: what keeps a node from starting.
    public func run() async throws -> RunReport {
        try start()
        return await withTaskCancellationHandler {
            let report = await graph.finish()
            await withCheckedContinuation { continuation in
                DispatchQueue.global().async { [controller] in
                    controller.finish(report)
                    continuation.resume()
                }
            }
            return report
        } onCancel: {
            stop()
        }
    }

    /// The pipeline as it was validated, or as it was last reloaded.
    public var pipeline: ValidatedPipeline { controller.pipeline }

    /// Puts a rung of the ladder into force.
    func take(rung: Int) { controller.take(rung: rung) }

    /// Puts what a changed file says into force, where that needs no restart: all of it, from one frame on, or nothing.
    ///
    /// Networks that it needs are built first, which may take seconds; frames go on meanwhile.
    ///
    /// - Returns: what changed, one line each, as `node.parameter: old -> new`.
    /// - Throws: `ReloadError` naming everything that needs a restart or cannot work; then nothing has changed.
    public func reload(_ new: ValidatedPipeline) throws(ReloadError) -> [String] { try controller.reload(new) }

    /// As `reload`, for changes made by hand: they are told as events and stand in the report.
    ///
    /// - Parameter author: what the change came through, such as "preview".
    package func adjust(_ new: ValidatedPipeline, by author: String) throws(ReloadError) -> [String] {
        try controller.reload(new, by: author)
    }

    /// Puts into force what of a changed file can be without a restart, from one frame on, and names the rest.
    ///
    /// A node takes all of its new settings or none.
    public func reloadWhatCanBe(_ new: ValidatedPipeline) -> ReloadOutcome {
        var outcome = ReloadOutcome()
        var fixed: Set<String> = []
        let old = pipeline
        do throws(ReloadError) {
            outcome.changes = try reload(new)
            return outcome
        } catch {
            outcome.restarts = error.reasons
            outcome.failures = error.failures
            fixed.formUnion(error.nodes)
        }
        // Each turn either succeeds or leaves out another node.
        for _ in 0...old.nodes.count {
            do throws(ReloadError) {
                outcome.changes = try reload(old.taking(new, except: fixed))
                return outcome
            } catch {
                for failure in error.failures where !outcome.failures.contains(failure) {
                    outcome.failures.append(failure)
                }
                if error.nodes.isEmpty { return outcome }
                fixed.formUnion(error.nodes)
            }
        }
        return outcome
    }

    /// Adds a listener for changes of rung, made to hold the target: the change, and the rung taken in words.
    ///
    /// Called on a queue of the run's own, in the order of what happened, until the run ends; it must not wait for that.
    public func onLadderChange(_ tell: @escaping @Sendable (Governor.Change, String) -> Void) {
        controller.listenToRungs(tell)
    }

    /// Adds a listener for losses and faults as they happen; what comes often is summed up.
    ///
    /// Called on a queue of the run's own, in the order of what happened, until the run ends; it must not wait for that.
    /// Everything has been told when `waitUntilFinished` returns a report.
    public func onEvent(_ tell: @escaping @Sendable (RunEvent) -> Void) { controller.listen(tell) }

    /// The losses and faults from now to the end of the run; what comes often is summed up.
    public var events: AsyncStream<RunEvent> {
        AsyncStream { continuation in
            controller.listen({ continuation.yield($0) }, atEnd: { continuation.finish() })
        }
    }

    /// How the target was kept so far; nil where the pipeline has none.
    public var targetRecord: TargetRecord? { controller.targetRecord }

    /// Ends the sources; what is under way is delivered and every file finalised.
    public func stop() {
        for (_, node) in nodes { (node as? any InterruptibleSource)?.interrupt() }
        graph.stop()
    }

    /// Has text files opened anew by name: others may have moved them away.
    public func reopenFiles() {
        for (_, node) in nodes { (node as? any ReopeningNode)?.reopenFiles() }
    }

    /// Drops what is under way.
    ///
    /// Files keep what was written.
    public func abort() {
        // A stage that waits for a reader would never see the end.
        readers.close()
        for (_, node) in nodes { (node as? any InterruptibleSource)?.interrupt() }
        graph.abort()
    }

    /// Hands every frame that `node` emits on its first output to `queue` from now on.
    ///
    /// - Precondition: the node takes part in the run.
    func attach(_ queue: FrameQueue, to node: String) {
        let isPart = graph.observe(node) { item, port in port == 0 ? queue.offer(item.frame) : true }
        precondition(isPart, "no node \"\(node)\" takes part in this run")
        readers.add(queue)
    }

    /// Shows every frame that a node emits on its first output to `body` from now on; see `Graph.observe`.
    ///
    /// - Parameter body: called in the node's stage with the frame and its picture as it was before the node drew on it;
    ///   false when it wants no more.
    package func tap(_ node: String, _ body: @escaping @Sendable (_ frame: Frame, _ clean: Picture) -> Bool) {
        // Asked in its own stage only, which is where it may be.
        nonisolated(unsafe) let drawing = nodes.first { $0.id == node }?.node as? any DrawingNode
        graph.observe(node) { item, port in
            guard port == 0, let frame = item as? Frame else { return true }
            return body(frame, drawing?.undrawn ?? frame.picture)
        }
    }

    /// What nodes want the user to be told at the start.
    package var announcements: [String] { nodes.compactMap { ($0.node as? any RunAttached)?.announcement } }

    /// The figures so far; cheap enough for a status line.
    public func snapshot() -> RunReport { graph.snapshot() }

    /// Everything there is to say at present; for a timer, not for frames.
    package func figures() -> RunFigures {
        let outages = box.outages
        let report = snapshot()
        let known = Set(live).union(outages.keys)
        return RunFigures(
            report: report, rung: controller.rungInForce, target: controller.targetRecord,
            peers: nodes.filter { known.contains($0.id) }.map {
                .init(node: $0.id, isUp: outages[$0.id]?.isUp ?? true, losses: outages[$0.id]?.losses ?? 0)
            },
            results: nodes.compactMap { id, node in
                (node as? any CountingNode)?.results.total.map { .init(node: id, kind: $0.kind, count: $0.count) }
            })
    }

    /// Whether the run answers: its control is not stuck.
    ///
    /// Waits for that, `seconds` at most.
    package func answers(within seconds: Double) -> Bool { controller.answers(within: seconds) }

    /// What the frames went through lately.
    package func trace() -> GraphTrace { graph.trace() }

    /// What has been done so far, for rates.
    package func pulse() -> GraphPulse { graph.pulse() }

    /// Waits for the end, `seconds` at most; nil when it is still running then.
    public func waitUntilFinished(seconds: Double) -> RunReport? {
        guard let report = graph.waitUntilFinished(nanoseconds: UInt64(max(0, seconds) * 1e9)) else { return nil }
        controller.finish(report)
        return report
    }

    /// Waits for the end.
    public func waitUntilFinished() -> RunReport {
        let report = graph.waitUntilFinished()
        controller.finish(report)
        return report
    }

    /// Frames to come in all, where every source knows; nil otherwise.
    public var expectedFrames: Int? {
        var sum = 0
        for (id, node) in nodes where sources.contains(id) {
            guard let frames = (node as? any MeasuredSource)?.expectedFrames else { return nil }
            sum += frames
        }
        return sum
    }

    /// How many results each node that finds something has made so far, in the order of the graph.
    public var resultCounts: [(node: String, count: UInt64)] {
        nodes.compactMap { id, node in
            (node as? any CountingNode)?.results.total.map { (id, UInt64(clamping: $0.count)) }
        }
    }

    /// What the nodes have to say, in the order of the graph.
    ///
    /// Call it after the end.
    public func notes() -> [Notes] {
        nodes.compactMap { id, node in
            let raw = pipeline[id]?.allowRaw.map { ["may give away what a sensitive source sees: \($0)"] } ?? []
            let lines = raw + ((node as? any ReportingNode)?.notes ?? [])
            return lines.isEmpty ? nil : Notes(node: id, lines: lines)
        } + (graph.adjustments.isEmpty ? [] : [Notes(node: "graph", lines: graph.adjustments)])
            + (controller.changes.isEmpty ? [] : [Notes(node: "changed while running", lines: controller.changes)])
    }
}

/// Why a valid pipeline cannot be set up.
public struct PipelineRunError: Error, CustomStringConvertible {
    /// Id of the node that cannot work.
    public let node: String
    /// What its factory threw.
    public let cause: any Error
    /// Where the file declares the node, as `file:line:column`; nil where that is not known.
    public var place: String?

    /// One line for the user; mistakes in the text of a file know their place themselves.
    public var description: String {
        (cause as? PipelineFileError)?.description ?? "nodes.\(node): \(cause)"
    }

    /// The same in the form of what validation says: `door.json:7:5: error: nodes.file: ...`.
    public var located: String { (place.map { $0 + ": error: " } ?? "error: ") + description }
}

extension EdgePolicy {
    init(_ policy: LinkPolicy) {
        self =
            switch policy {
            case .block: .block
            case .latest: .latest
            case .dropOldest: .dropOldest
            case .dropNewest: .dropNewest
            }
    }
}
