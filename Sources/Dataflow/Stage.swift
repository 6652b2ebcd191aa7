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
        /// The node is through; what it emitted still has to leave.
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
    var inputs = EdgeList([])

    let wakeup = Wakeup()

    var phase = Phase.running
    var isNodeStarted = false
    private var isStoppedCounted = false
    var discardCause = DropCause.nodeFailed
    /// An item the node answered `.busy` to.
    var stalled: Unmanaged<Item>?
    /// A join's items in hand, by port: what comes next.
    let hands: UnsafeMutablePointer<Item?>
    /// Those that `join` is to be shown, or is being shown if `isJoinReady`: their tokens are given back then.
    let shown: UnsafeMutablePointer<Item?>
    let handCount: Int
    let matching: JoinMatching
    var isJoinReady = false
    var joinedBelow: UInt64 = 0
    var nextInput = 0
    var quickCalls = 0
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
        name: String, place: Int, role: Role, onError: ErrorPolicy, handCount: Int,
        graph: GraphControl,
        output: Output
    ) {
        self.name = name
        self.place = place
        self.role = role
        self.onError = onError
        self.graph = graph
        self.output = output
        switch role {
        case .source(let source): (node, isPlain, matching) = (source, false, .sameFrame)
        case .node(let plain): (node, isPlain, matching) = (plain, true, .sameFrame)
        case .join(let join): (node, isPlain, matching) = (join, false, join.matching)
        }
        self.handCount = handCount
        hands = .allocate(capacity: max(1, handCount))
        hands.initialize(repeating: nil, count: max(1, handCount))
        shown = .allocate(capacity: max(1, handCount))
        shown.initialize(repeating: nil, count: max(1, handCount))
    }

    deinit {
        stalled?.release()
        hands.deinitialize(count: max(1, handCount))
        hands.deallocate()
        shown.deinitialize(count: max(1, handCount))
        shown.deallocate()
    }

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

    /// Tells the graph, once, that nothing is delivered here any more.
    func countAsStopped() {
        guard !isStoppedCounted else { return }
        isStoppedCounted = true
        if output.isSink { graph.sinkStopped() }
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
            guard output.flush(now: now, lazily: isLazy) else {
                relieveBranches(now)
                if park(blocked: true) { return }
                now = graph.clock.now()
                continue
            }
            if output.needsBounds, phase <= .draining { output.publishBounds(output.takenBelow) }
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
                        guard output.flush(now: now, lazily: true) else { continue }
                        output.settleWakes()
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
                    let before = output.emissions
                    let isEmpty = try node.drain(to: output)
                    try checkFault()
                    now = graph.clock.now()
                    if isEmpty { phase = .closing } else if output.emissions == before, park(blocked: false) { return }
                case .closing:
                    output.abandonHeld(.abandoned)
                    stopNode()
                    output.close()
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

    /// Says what there is to say, then stops unless there is news; true when the run is over.
    private func park(blocked: Bool) -> Bool {
        output.settleWakes()
        inputs.forEach { $0.offerRoom() }
        if output.needsBounds, phase <= .draining { output.publishBounds(inputBound) }
        wakeup.park()
        guard hasNews(blocked: blocked) else { return true }
        return !wakeup.unpark()
    }

    private func hasNews(blocked: Bool) -> Bool {
        if wakeup.isPoked { return true }
        if blocked { return output.waitForRoom() || branchesHaveNews }
        switch phase {
        case .running:
            if stalled != nil || isJoinReady { return false }
            if handCount > 0 {
                var port = 0
                while port < handCount {
                    if hands[port] == nil, inputs.with(port, { $0.hasNews }) { return true }
                    port += 1
                }
                return false
            }
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
        guard inputs.count > 0 else { return output.takenBelow }
        if handCount > 0, let item = shown[0] ?? hands[0] { return item.ticket.sequence }
        // Not read anew: `take` and `gather` have not acted on what came since, so it must still count as news.
        // `ended` is said by close alone, after draining.
        let (bound, isEmpty) = inputs.with(0) { ($0.seenBound, $0.ring.isEmpty) }
        guard isEmpty, bound != Edge.ended else { return output.takenBelow }
        return max(output.takenBelow, bound)
    }
}
