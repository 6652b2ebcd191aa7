// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// What a node emits with: its edges, and the tickets it answers for.
///
/// Emissions take effect when the node's call returns, in the order they were made. A full `block` edge keeps them
/// waiting, and the node is not called again until they are through.
/// - Note: Thread-safety: queue-bound; use it inside the node's calls only.
public final class Output {
    /// A frame the node answers for: the one being processed, a held one, or (in a source) an admitted one.
    struct Charge: BitwiseCopyable {
        var ticket: Ticket
        /// Emissions waiting in `staged`.
        var staged = 0
        var hasEmitted = false
        /// The node is through with it.
        var isFinished = false
        /// Its token was given back or passed on.
        var isReleased = false
        var isLive = false
    }

    struct Staged: BitwiseCopyable {
        var item: Unmanaged<Item>
        var port: Int
        /// The edges of the port that still have to take it, one bit each.
        var remaining: UInt64
        /// Its tokens are out.
        var isOpened = false
    }

    let graph: GraphControl
    var clock: MonotonicClock { graph.clock }
    let place: Int
    private(set) var edges = EdgeList([])
    private var portLists: [EdgeList] = []
    private(set) var isSink = false
    private(set) var needsBounds = false
    let ledgers: [Ledger]
    /// How the sources' stages are woken, by source.
    var sourceWakeups: [Wakeup] = []
    let sourceIndex: Int?
    let maxHeld: Int

    /// What changes with every frame; see `FlatList` for why it is not a set of properties.
    struct State {
        var current = Charge(ticket: Ticket(source: 0, sequence: 0, capturedAt: 0))
        var held: FlatList<Charge>
        var staged: FlatList<Staged>
        var stagedHead = 0
        /// The edges of each port, kept by `portLists`, and the lowest sequence number it may emit next.
        var ports: FlatList<Unmanaged<EdgeList>>
        var nextOnPort: FlatList<UInt64>
        /// The item being processed, borrowed from the stage, for `forward`.
        var currentItem: Unmanaged<Item>?
        var currentWasForwarded = false
        var takenBelow: UInt64 = 0
        var emissions: UInt64 = 0
    }

    let state: UnsafeMutablePointer<State>

    let endToEnd = LatencyHistogram()
    /// When the last frame that a sink delivered had been captured.
    let lastCapturedAt = Atomic<UInt64>(0)
    /// One past the newest sequence number the stage has taken in (or, in a source, admitted).
    var takenBelow: UInt64 { state.pointee.takenBelow }
    /// How many emissions were ever made.
    var emissions: UInt64 { state.pointee.emissions }
    var currentWasForwarded: Bool { state.pointee.currentWasForwarded }
    /// Set when admission was refused during the last call.
    var admissionRefused = false
    /// The node broke a rule; the stage turns it into a failure.
    var fault: GraphError?

    init(graph: GraphControl, place: Int, ledgers: [Ledger], sourceIndex: Int?, maxHeld: Int) {
        self.graph = graph
        self.place = place
        self.ledgers = ledgers
        self.sourceIndex = sourceIndex
        self.maxHeld = maxHeld
        state = .allocate(capacity: 1)
        state.initialize(
            to: State(
                held: FlatList(capacity: max(8, maxHeld + 1)), staged: FlatList(capacity: 32),
                ports: FlatList(capacity: 4), nextOnPort: FlatList(capacity: 4)))
    }

    deinit {
        for i in state.pointee.stagedHead..<state.pointee.staged.count { state.pointee.staged[i].item.release() }
        state.pointee.held.free()
        state.pointee.staged.free()
        state.pointee.ports.free()
        state.pointee.nextOnPort.free()
        state.deinitialize(count: 1)
        state.deallocate()
    }

    func connect(ports: [[Edge]]) {
        portLists = ports.map(EdgeList.init)
        for list in portLists {
            state.pointee.ports.append(.passUnretained(list))
            state.pointee.nextOnPort.append(0)
        }
        edges = EdgeList(ports.flatMap { $0 })
        isSink = edges.count == 0
        needsBounds = edges.contains { $0.needsBounds }
    }

    // MARK: For nodes

    /// The present instant of the graph's clock, in nanoseconds.
    public var now: UInt64 { clock.now() }

    /// Opens the next frame of this source; nil when too many are in flight (then return `.waiting`).
    ///
    /// The frame is the source's until it emits it (once) or drops it.
    /// - Parameter capturedAt: the monotonic instant of capture in nanoseconds; now when absent.
    public func admit(capturedAt: UInt64? = nil) -> Ticket? {
        guard let sourceIndex else { preconditionFailure("only a source admits frames") }
        guard let sequence = ledgers[sourceIndex].admit() else {
            admissionRefused = true
            return nil
        }
        // Acquire pairs with the release in `Graph.advanceGeneration`: what was posted before it is visible to every
        // node that gets this frame.
        let ticket = Ticket(
            source: UInt16(truncatingIfNeeded: sourceIndex), sequence: sequence, capturedAt: capturedAt ?? clock.now(),
            generation: graph.generation.load(ordering: .acquiring))
        var charge = Charge(ticket: ticket)
        charge.isLive = true
        state.pointee.held.append(charge)
        state.pointee.takenBelow = sequence &+ 1
        return ticket
    }

    /// Frames of this source that are under way.
    public var inFlight: Int {
        guard let sourceIndex else { preconditionFailure("only a source asks for its frames") }
        return Int(truncatingIfNeeded: ledgers[sourceIndex].inFlight)
    }

    /// Sends an item to every edge of a port.
    ///
    /// The item's ticket must be one the node answers for.
    ///
    /// On one port, sequence numbers must rise. An unconnected port takes and forgets the item.
    public func emit(_ item: consuming Item, port: Int = 0) {
        let ticket = item.ticket
        stage(Unmanaged.passRetained(item), ticket: ticket, port: port)
    }

    /// Emits the item being processed unchanged, moving the stage's own reference: no reference counting.
    ///
    /// Only inside `process`; only once per item; the node answers `.done`.
    public func forward(port: Int = 0) {
        guard let item = state.pointee.currentItem, !state.pointee.currentWasForwarded else {
            return fail("forwards an item outside process, or twice")
        }
        state.pointee.currentWasForwarded = true
        stage(item, ticket: state.pointee.current.ticket, port: port)
    }

    /// Ends a frame the node answers for with a cause of its own.
    public func drop(_ ticket: Ticket, cause: DropCause) {
        end(ticket, cause: cause)
    }

    /// Gives a held frame back: delivered (no outputs), passed on (emitted), or dropped as filtered.
    public func finish(_ ticket: Ticket) {
        end(ticket, cause: nil)
    }

    func fail(_ what: String) {
        if fault == nil { fault = GraphError(code: .nodeMisbehaved, detail: what) }
    }

    @inline(__always)
    private func stage(_ item: Unmanaged<Item>, ticket: Ticket, port: Int) {
        guard port >= 0, port < state.pointee.ports.count, edgeCount(port) > 0 else {
            item.release()
            // A source has one emission per frame; this one went nowhere.
            if sourceIndex != nil { end(ticket, cause: .filtered) }
            return
        }
        guard ticket.sequence >= state.pointee.nextOnPort[port] else {
            item.release()
            return fail("emitted frame \(ticket.sequence) after frame \(state.pointee.nextOnPort[port] &- 1)")
        }
        if isCurrent(ticket) {
            state.pointee.current.staged += 1
            state.pointee.current.hasEmitted = true
        } else if let i = heldIndex(ticket) {
            state.pointee.held[i].staged += 1
            state.pointee.held[i].hasEmitted = true
            // A source is through with a frame once it has emitted it.
            if sourceIndex != nil { state.pointee.held[i].isFinished = true }
        } else {
            item.release()
            return fail("emitted frame \(ticket.sequence), which it does not have")
        }
        state.pointee.nextOnPort[port] = ticket.sequence &+ 1
        state.pointee.emissions &+= 1
        let count = UInt64(truncatingIfNeeded: edgeCount(port))
        state.pointee.staged.append(Staged(item: item, port: port, remaining: count == 64 ? ~0 : (1 << count) &- 1))
    }

    @inline(__always)
    func edgeCount(_ port: Int) -> Int { state.pointee.ports[port]._withUnsafeGuaranteedRef { $0.count } }

    @inline(__always)
    private func isCurrent(_ ticket: Ticket) -> Bool {
        state.pointee.current.isLive && !state.pointee.current.isFinished
            && state.pointee.current.ticket.sequence == ticket.sequence
            && state.pointee.current.ticket.source == ticket.source
    }

    private func heldIndex(_ ticket: Ticket) -> Int? {
        var i = 0
        while i < state.pointee.held.count {
            let charge = state.pointee.held[i]
            if !charge.isFinished, charge.ticket.sequence == ticket.sequence, charge.ticket.source == ticket.source {
                return i
            }
            i += 1
        }
        return nil
    }

    private func end(_ ticket: Ticket, cause: DropCause?) {
        if isCurrent(ticket) {
            close(&state.pointee.current, cause: cause, now: nil)
        } else if let i = heldIndex(ticket) {
            close(&state.pointee.held[i], cause: cause, now: nil)
            if state.pointee.held[i].isReleased { state.pointee.held.remove(at: i) }
        } else {
            fail("finished frame \(ticket.sequence), which it does not have")
        }
    }

    /// Marks a charge finished and, when no emission waits to take its token along, gives the token back.
    @inline(__always)
    func close(_ charge: inout Charge, cause: DropCause?, now: UInt64?) {
        charge.isFinished = true
        if charge.staged > 0 {
            if let cause {
                ledgers[Int(charge.ticket.source)].noteDrop(charge.ticket.sequence, place: place, cause: cause)
            }
            return
        }
        charge.isReleased = true
        if let cause {
            release(charge.ticket, .dropped(place: place, cause: cause))
        } else if isSink {
            let instant = now ?? clock.now()
            lastCapturedAt.store(charge.ticket.capturedAt, ordering: .relaxed)
            endToEnd.record(nanoseconds: instant > charge.ticket.capturedAt ? instant &- charge.ticket.capturedAt : 0)
            release(charge.ticket, .delivered)
        } else if charge.hasEmitted {
            release(charge.ticket, .merged)
        } else {
            release(charge.ticket, .dropped(place: place, cause: .filtered))
        }
    }

    /// Gives a token back and wakes the source if it waited for the record.
    @inline(__always)
    func release(_ ticket: Ticket, _ end: Ledger.End) {
        let source = Int(ticket.source)
        if ledgers[source].release(ticket.sequence, end) {
            sourceWakeups[source].poke()
        }
    }
}
