// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// Runs one node on Dispatch's threads, one run at a time.
///
///     parked --wake()--> signalled --trigger--> run: flush, advance, take items ... --nothing to do--> parked
///                                              \--batch used up: signals itself, gives the thread back
///
/// `Wakeup` holds the parking protocol.
final class Stage: @unchecked Sendable {
    // Invariant of @unchecked Sendable: all mutable state is touched in runs only (or before the graph starts and
    // after it finished), but for the atomics. The wakeup's release/acquire chain orders one run after the last.

    enum Role {
        case source(any SourceNode)
        case node(any Node)
        case join(any JoinNode)
    }

    enum Phase: Comparable {
        case running
        /// All inputs have ended, or the source has; the node empties itself.
        case draining
        /// The node is done; what it emitted still has to leave.
        case closing
        /// The node failed or the graph was aborted: what comes is dropped so that nobody upstream waits.
        case discarding
        case finished
    }

    /// The most items taken in a run.
    static let batch = 128
    /// A call shorter than this counts as quick, in nanoseconds.
    static let quick: UInt64 = 1000
    /// After so many quick calls in a row, wake-ups are put off to the end of the batch.
    static let quickCallsBeforeLazy = 32

    let name: String
    let place: Int
    let role: Role
    let node: any Node
    /// Neither a source nor a join; asked first, for looking into `role` retains the node.
    let isPlain: Bool
    let onError: ErrorPolicy
    private let trigger = StageTrigger()
    let graph: GraphControl
    let output: Output
    let frames: OpenFrames
    let outbox: Outbox
    let inputs: EdgeList
    /// What brings the items of the ports together; nil unless the node is a join.
    let matcher: JoinMatcher?

    let wakeup: Wakeup

    var phase = Phase.running
    var isNodeStarted = false
    private var isStoppedCounted = false
    var discardCause = DropCause.nodeFailed
    /// An item the node answered `.busy` to.
    var stalled: Unmanaged<Item>?
    var nextInput = 0
    var quickCalls = 0
    /// How long the item being processed was queued; 0 in a source or a join.
    var lastWait: UInt64 = 0
    /// The stage was woken since the node answered `.busy`.
    var retryStalled = false

    /// Written once, before `hasFailed` is set.
    var failure: RunReport.Failure?
    let hasFailed = Atomic<Bool>(false)

    let processTime = LatencyHistogram()
    let items = Atomic<UInt64>(0)
    let firstAt = Atomic<UInt64>(0)
    let lastAt = Atomic<UInt64>(0)

    init(
        name: String, place: Int, role: Role, onError: ErrorPolicy, graph: GraphControl, wakeup: Wakeup,
        inputs: EdgeList, output: Output
    ) {
        self.name = name
        self.place = place
        self.role = role
        self.onError = onError
        self.graph = graph
        self.wakeup = wakeup
        self.inputs = inputs
        self.output = output
        frames = output.frames
        outbox = output.outbox
        switch role {
        case .source(let source): (node, isPlain, matcher) = (source, false, nil)
        case .node(let plain): (node, isPlain, matcher) = (plain, true, nil)
        case .join(let join):
            node = join
            isPlain = false
            matcher = JoinMatcher(join.matching, inputs: inputs, frames: output.frames)
        }
    }

    deinit { stalled?.release() }

    // MARK: Start and end

    /// Starts the node.
    func start() throws {
        let link = StageLink(wakeup: wakeup, graph: graph, name: name)
        try node.start(link)
        isNodeStarted = true
        trigger.activate(self)  // a cycle, broken in `finish`
        wakeup.connect(trigger)
    }

    /// Lets the stage run for the first time.
    func launch() {
        wakeup.runAgain()
    }

    /// Takes back a start when another node's failed.
    func unstart() {
        stopNode()
        trigger.cancel()
    }

    func stopNode() {
        guard isNodeStarted else { return }
        isNodeStarted = false
        node.stop()
    }

    private func finish() {
        phase = .finished
        countAsStopped()
        trigger.cancel()
        graph.stageFinished(self)
    }

    /// Reports to the graph, once, that nothing is delivered here any more.
    func countAsStopped() {
        guard !isStoppedCounted else { return }
        isStoppedCounted = true
        if frames.isSink { graph.sinkStopped() }
    }

    // MARK: The run

    func run() {
        guard wakeup.beginRun(), phase != .finished else { return }
        defer { wakeup.endRun() }
        var now = graph.clock.now()
        var budget = Self.batch
        var mustAdvance = true
        while true {
            if wakeup.takePoke() { mustAdvance = true }
            if graph.isAborted, phase < .discarding { discardFromNow(.aborted) }
            guard outbox.flush(now: now, lazily: isLazy) else {
                if phase <= .closing { matcher?.relieveBranches(now, hasEnded: phase > .running) }
                if park(blocked: true) { return }
                now = graph.clock.now()
                continue
            }
            if outbox.needsBounds, phase <= .draining { outbox.publishBounds(frames.takenBelow) }
            do {
                if mustAdvance, phase <= .draining {
                    mustAdvance = false
                    try node.advance(to: output)
                    try checkFault()
                    retryStalled = true
                    now = graph.clock.now()
                    continue
                }
                switch phase {
                case .running:
                    switch try step(&now) {
                    case .progress:
                        budget -= 1
                        if budget > 0 { continue }
                        guard outbox.flush(now: now, lazily: true) else { continue }
                        outbox.sendDeferredWakes()
                        inputs.forEach { $0.offerRoom() }
                        wakeup.runAgain()
                        return
                    case .idle:
                        if park(blocked: false) { return }
                        now = graph.clock.now()
                    case .ended:
                        phase = .draining
                    }
                case .draining:
                    let before = outbox.total
                    let isEmpty = try node.drain(to: output)
                    try checkFault()
                    now = graph.clock.now()
                    if isEmpty { phase = .closing } else if outbox.total == before, park(blocked: false) { return }
                case .closing:
                    frames.dropHeld(.abandoned)
                    stopNode()
                    outbox.close()
                    countAsStopped()
                    // A join ends with its primary port; what still comes on the others has nowhere to go.
                    discardCause = .unmatched
                    phase = .discarding
                case .discarding:
                    if discardInputs() {
                        finish()
                        return
                    }
                    if park(blocked: false) { return }
                case .finished:
                    return
                }
            } catch {
                fail(error)
            }
        }
    }

    /// Whether wake-ups may wait for the end of the batch: never in a source, whose next call may block.
    var isLazy: Bool { quickCalls >= Self.quickCallsBeforeLazy }

    /// Wakes the neighbours that wait for this stage, then ends the run unless there is news; true when it is over.
    private func park(blocked: Bool) -> Bool {
        outbox.sendDeferredWakes()
        inputs.forEach { $0.offerRoom() }
        if outbox.needsBounds, phase <= .draining { outbox.publishBounds(inputBound) }
        wakeup.park()
        guard hasNews(blocked: blocked) else { return true }
        return !wakeup.unpark()
    }

    private func hasNews(blocked: Bool) -> Bool {
        if wakeup.isPoked { return true }
        if blocked {
            return outbox.waitForRoom() || phase <= .closing && matcher?.branchesHaveNews == true
        }
        switch phase {
        case .running:
            if stalled != nil { return false }
            if let matcher { return matcher.hasNews }
            return inputs.contains { $0.hasNews } || output.waitForAdmission()
        case .discarding:
            return inputs.contains { $0.hasNews }
        case .draining, .closing, .finished:
            return false
        }
    }

    /// What this stage's inputs and its own state promise: nothing below will be taken in any more.
    private var inputBound: UInt64 {
        if let stalled { return stalled._withUnsafeGuaranteedRef { $0.ticket.sequence } }
        guard inputs.count > 0 else { return frames.takenBelow }
        if let sequence = matcher?.nextSequence { return sequence }
        // Not read again: `takeNext` and `match` have not acted on what came since, so it must still count as news.
        // Only `close` promises `ended`, after draining.
        let (bound, isEmpty) = inputs.with(0) { ($0.seenBound, $0.ring.isEmpty) }
        guard isEmpty, bound != Edge.ended else { return frames.takenBelow }
        return max(frames.takenBelow, bound)
    }
}
