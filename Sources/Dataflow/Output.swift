// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// What a node emits with: its edges, and the tickets it answers for.
///
/// Emissions take effect when the node's call returns, in the order they were made. A full `block` edge keeps them
/// waiting, and the node is not called again until they are through.
/// - Note: Thread-safety: queue-bound; use it inside the node's calls only.
public final class Output {
    /// A frame the node answers for: the one being processed, a held one, or (in a source) an admitted one.
    struct Charge {
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

    struct Staged {
        var item: Unmanaged<Item>
        var port: Int
        /// The edges of the port that still have to take it, one bit each.
        var remaining: UInt64
        /// Its tokens are out.
        var isOpened = false
    }

    let clock: MonotonicClock
    let place: Int
    var edges = EdgeList([])
    private var ports: [EdgeList] = []
    var isSink = false
    var needsBounds = false
    private let ledgers: [Ledger]
    /// How the sources' stages are woken, by source.
    var sourceWakeups: [Wakeup] = []
    let sourceIndex: Int?
    let maxHeld: Int

    private var current = Charge(ticket: Ticket(source: 0, sequence: 0, capturedAt: 0))
    private var held: [Charge] = []
    private var staged: [Staged] = []
    private var stagedHead = 0
    private var nextOnPort: [UInt64] = []
    /// The item being processed, borrowed from the stage, for `forward`.
    private var currentItem: Unmanaged<Item>?
    private(set) var currentWasForwarded = false

    let endToEnd = LatencyHistogram()
    /// One past the newest sequence number the stage has taken in (or, in a source, admitted).
    var takenBelow: UInt64 = 0
    /// How many emissions were ever made.
    private(set) var emissions: UInt64 = 0
    /// Set when admission was refused during the last call.
    var admissionRefused = false
    /// The node broke a rule; the stage turns it into a failure.
    var fault: GraphError?

    init(clock: MonotonicClock, place: Int, ledgers: [Ledger], sourceIndex: Int?, maxHeld: Int) {
        self.clock = clock
        self.place = place
        self.ledgers = ledgers
        self.sourceIndex = sourceIndex
        self.maxHeld = maxHeld
        held.reserveCapacity(max(8, maxHeld + 1))
        staged.reserveCapacity(32)
    }

    func connect(ports: [[Edge]]) {
        self.ports = ports.map(EdgeList.init)
        edges = EdgeList(ports.flatMap { $0 })
        isSink = edges.count == 0
        needsBounds = edges.contains { $0.needsBounds }
        nextOnPort = Array(repeating: 0, count: ports.count)
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
        let ticket = Ticket(
            source: UInt16(truncatingIfNeeded: sourceIndex), sequence: sequence, capturedAt: capturedAt ?? clock.now())
        var charge = Charge(ticket: ticket)
        charge.isLive = true
        held.append(charge)
        takenBelow = sequence &+ 1
        return ticket
    }

    /// Sends an item to every edge of a port. The item's ticket must be one the node answers for.
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
        guard let item = currentItem, !currentWasForwarded else {
            return fail("forwards an item outside process, or twice")
        }
        currentWasForwarded = true
        stage(item, ticket: current.ticket, port: port)
    }

    /// Ends a frame the node answers for with a cause of its own.
    public func drop(_ ticket: Ticket, cause: DropCause) {
        end(ticket, cause: cause)
    }

    /// Gives a held frame back: delivered (no outputs), passed on (emitted), or dropped as filtered.
    public func finish(_ ticket: Ticket) {
        end(ticket, cause: nil)
    }

    private func fail(_ what: String) {
        if fault == nil { fault = GraphError(code: .nodeMisbehaved, detail: what) }
    }

    @inline(__always)
    private func stage(_ item: Unmanaged<Item>, ticket: Ticket, port: Int) {
        guard port >= 0, port < ports.count, ports[port].count > 0 else {
            item.release()
            // A source has one emission per frame; this one went nowhere.
            if sourceIndex != nil { end(ticket, cause: .filtered) }
            return
        }
        guard ticket.sequence >= nextOnPort[port] else {
            item.release()
            return fail("emitted frame \(ticket.sequence) after frame \(nextOnPort[port] &- 1)")
        }
        if isCurrent(ticket) {
            current.staged += 1
            current.hasEmitted = true
        } else if let i = heldIndex(ticket) {
            held[i].staged += 1
            held[i].hasEmitted = true
            // A source is through with a frame once it has emitted it.
            if sourceIndex != nil { held[i].isFinished = true }
        } else {
            item.release()
            return fail("emitted frame \(ticket.sequence), which it does not have")
        }
        nextOnPort[port] = ticket.sequence &+ 1
        emissions &+= 1
        let count = UInt64(truncatingIfNeeded: ports[port].count)
        staged.append(Staged(item: item, port: port, remaining: count == 64 ? ~0 : (1 << count) &- 1))
    }

    @inline(__always)
    private func isCurrent(_ ticket: Ticket) -> Bool {
        current.isLive && !current.isFinished && current.ticket.sequence == ticket.sequence
            && current.ticket.source == ticket.source
    }

    private func heldIndex(_ ticket: Ticket) -> Int? {
        var i = 0
        while i < held.count {
            if !held[i].isFinished, held[i].ticket.sequence == ticket.sequence, held[i].ticket.source == ticket.source {
                return i
            }
            i += 1
        }
        return nil
    }

    private func end(_ ticket: Ticket, cause: DropCause?) {
        if isCurrent(ticket) {
            close(&current, cause: cause, now: nil)
        } else if let i = heldIndex(ticket) {
            close(&held[i], cause: cause, now: nil)
            if held[i].isReleased { held.remove(at: i) }
        } else {
            fail("finished frame \(ticket.sequence), which it does not have")
        }
    }

    /// Marks a charge finished and, when no emission waits to take its token along, gives the token back.
    @inline(__always)
    private func close(_ charge: inout Charge, cause: DropCause?, now: UInt64?) {
        charge.isFinished = true
        if charge.staged > 0 {
            if let cause { ledgers[Int(charge.ticket.source)].noteDrop(charge.ticket.sequence, place: place, cause: cause) }
            return
        }
        charge.isReleased = true
        if let cause {
            release(charge.ticket, .dropped(place: place, cause: cause))
        } else if isSink {
            let instant = now ?? clock.now()
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

    // MARK: For the stage

    /// Takes charge of the item about to be processed.
    @inline(__always)
    func begin(_ ticket: Ticket, item: Unmanaged<Item>?) {
        current = Charge(ticket: ticket)
        current.isLive = true
        currentItem = item
        currentWasForwarded = false
        takenBelow = ticket.sequence &+ 1
    }

    /// Books what the node said about the current item.
    @inline(__always)
    func complete(_ disposition: Disposition, now: UInt64) {
        currentItem = nil
        switch disposition {
        case .done:
            if !current.isFinished { close(&current, cause: nil, now: now) }
            if current.isReleased { current.isLive = false }
        case .held:
            if current.isFinished {
                if current.isReleased { current.isLive = false }
            } else if currentWasForwarded {
                fail("forwarded an item and held it")
            } else if held.count >= maxHeld {
                fail("held more items than its maxHeld of \(maxHeld)")
            } else {
                held.append(current)
                current.isLive = false
            }
        case .busy:
            if current.isFinished || current.hasEmitted { fail("answered busy after it had used the item") }
        }
    }

    /// Moves what was emitted into the edges; false when a full `block` edge stands in the way.
    @inline(__always)
    func flush(now: UInt64, lazily: Bool) -> Bool {
        if stagedHead == staged.count { return true }
        return flushStaged(now: now, lazily: lazily)
    }

    private func flushStaged(now: UInt64, lazily: Bool) -> Bool {
        while stagedHead < staged.count {
            let port = staged[stagedHead].port
            let item = staged[stagedHead].item
            let ticket = item._withUnsafeGuaranteedRef { $0.ticket }
            if !staged[stagedHead].isOpened {
                openTokens(ticket, edges: ports[port].count)
                staged[stagedHead].isOpened = true
            }
            var remaining = staged[stagedHead].remaining
            var waiting = remaining
            while waiting != 0 {
                let bit = waiting & (0 &- waiting)
                waiting &= ~bit
                let edge = ports[port][bit.trailingZeroBitCount]
                // Every edge needs a reference; the last one takes ours.
                let isLast = remaining == bit
                if edge.policy == .block, !edge.hasRoom { continue }
                if !isLast { _ = item.retain() }
                remaining &= ~bit
                switch edge.push(item, sequence: ticket.sequence, now: now, lazily: lazily) {
                case .stored: break
                case .evicted(let old):
                    release(
                        old._withUnsafeGuaranteedRef { $0.ticket }, .dropped(place: edge.place, cause: .replaced))
                    old.release()
                    edge.countDrop()
                case .refused:
                    item.release()
                    release(ticket, .dropped(place: edge.place, cause: .edgeFull))
                    edge.countDrop()
                }
            }
            if remaining != 0 {
                staged[stagedHead].remaining = remaining
                return false
            }
            stagedHead += 1
        }
        staged.removeAll(keepingCapacity: true)
        stagedHead = 0
        return true
    }

    /// Puts out one token per edge; the charge's own goes along with its last emission once it is finished.
    @inline(__always)
    private func openTokens(_ ticket: Ticket, edges: Int) {
        let ledger = ledgers[Int(ticket.source)]
        if current.isLive, current.ticket.sequence == ticket.sequence {
            current.staged -= 1
            if current.isFinished, current.staged == 0 {
                current.isReleased = true
                current.isLive = false
                if edges > 1 { ledger.add(edges - 1, to: ticket.sequence) }
            } else {
                ledger.add(edges, to: ticket.sequence)
            }
            return
        }
        var i = 0
        while i < held.count, held[i].ticket.sequence != ticket.sequence { i += 1 }
        if i < held.count {
            held[i].staged -= 1
            if held[i].isFinished, held[i].staged == 0 {
                held.remove(at: i)
                if edges > 1 { ledger.add(edges - 1, to: ticket.sequence) }
            } else {
                ledger.add(edges, to: ticket.sequence)
            }
            return
        }
        // Not reached: `stage` refuses items without a charge, and a charge outlives its staged emissions.
        ledger.stray()
    }

    /// Tells joins downstream which frames will not come any more.
    ///
    /// - Parameter limit: what the inputs promise; the held and waiting frames lower it.
    func publishBounds(_ limit: UInt64) {
        var limit = limit
        if held.count > 0 { limit = min(limit, held[0].ticket.sequence) }
        if current.isLive { limit = min(limit, current.ticket.sequence) }
        if stagedHead < staged.count {
            limit = min(limit, staged[stagedHead].item._withUnsafeGuaranteedRef { $0.ticket.sequence })
        }
        edges.forEach { if $0.needsBounds { $0.promise(limit) } }
    }

    func settleWakes() {
        edges.forEach { $0.settleWake() }
    }

    /// Asks the edges in the way to wake us; true when one has room already.
    func waitForRoom() -> Bool {
        guard stagedHead < staged.count else { return true }
        let edges = ports[staged[stagedHead].port]
        var hasRoom = false
        var waiting = staged[stagedHead].remaining
        while waiting != 0 {
            if edges[waiting.trailingZeroBitCount].waitForRoom() { hasRoom = true }
            waiting &= waiting &- 1
        }
        return hasRoom
    }

    /// Whether the source, having been refused, may admit now; asks to be woken otherwise.
    func waitForAdmission() -> Bool {
        guard let sourceIndex, admissionRefused else { return false }
        let ledger = ledgers[sourceIndex]
        // Pairs with `settle`: we set the flag and look at the record, it frees the record and looks at the flag.
        ledger.sourceWaiting.store(true, ordering: .sequentiallyConsistent)
        return ledger.canAdmit
    }

    /// Drops whatever waits to be emitted and every frame the node answers for.
    func abandon(_ cause: DropCause) {
        while stagedHead < staged.count {
            let entry = staged[stagedHead]
            let ticket = entry.item._withUnsafeGuaranteedRef { $0.ticket }
            if entry.isOpened {
                for _ in 0..<entry.remaining.nonzeroBitCount {
                    release(ticket, .dropped(place: place, cause: cause))
                }
            }
            entry.item.release()
            stagedHead += 1
        }
        staged.removeAll(keepingCapacity: true)
        stagedHead = 0
        abandonHeld(cause)
        if current.isLive, !current.isReleased { release(current.ticket, .dropped(place: place, cause: cause)) }
        current.isLive = false
        currentItem = nil
    }

    func abandonHeld(_ cause: DropCause) {
        for charge in held where !charge.isReleased { release(charge.ticket, .dropped(place: place, cause: cause)) }
        held.removeAll(keepingCapacity: true)
    }

    /// Drops an item that never reached the node.
    func discard(_ item: Unmanaged<Item>, cause: DropCause) {
        release(item._withUnsafeGuaranteedRef { $0.ticket }, .dropped(place: place, cause: cause))
        item.release()
    }

    /// Says on every edge that no more will come.
    func close() {
        edges.forEach { $0.close() }
    }
}
