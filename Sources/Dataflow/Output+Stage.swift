// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// What the stage does with its output around the node's calls.
extension Output {
    /// Takes charge of the item about to be processed.
    @inline(__always)
    func begin(_ ticket: Ticket, item: Unmanaged<Item>?) {
        state.pointee.current = Charge(ticket: ticket)
        state.pointee.current.isLive = true
        state.pointee.currentItem = item
        state.pointee.currentWasForwarded = false
        state.pointee.takenBelow = ticket.sequence &+ 1
    }

    /// Books what the node said about the current item.
    @inline(__always)
    func complete(_ disposition: Disposition, now: UInt64) {
        state.pointee.currentItem = nil
        switch disposition {
        case .done:
            if !state.pointee.current.isFinished { close(&state.pointee.current, cause: nil, now: now) }
            if state.pointee.current.isReleased { state.pointee.current.isLive = false }
        case .held:
            if state.pointee.current.isFinished {
                if state.pointee.current.isReleased { state.pointee.current.isLive = false }
            } else if state.pointee.currentWasForwarded {
                fail("forwarded an item and held it")
            } else if state.pointee.held.count >= maxHeld {
                fail("held more items than its maxHeld of \(maxHeld)")
            } else {
                state.pointee.held.append(state.pointee.current)
                state.pointee.current.isLive = false
            }
        case .busy:
            if state.pointee.current.isFinished || state.pointee.current.hasEmitted {
                fail("answered busy after it had used the item")
            }
        }
    }

    /// Moves what was emitted into the edges; false when a full `block` edge stands in the way.
    @inline(__always)
    func flush(now: UInt64, lazily: Bool) -> Bool {
        if state.pointee.stagedHead == state.pointee.staged.count { return true }
        return flushStaged(now: now, lazily: lazily)
    }

    private func flushStaged(now: UInt64, lazily: Bool) -> Bool {
        while state.pointee.stagedHead < state.pointee.staged.count {
            let port = state.pointee.staged[state.pointee.stagedHead].port
            let item = state.pointee.staged[state.pointee.stagedHead].item
            let ticket = item._withUnsafeGuaranteedRef { $0.ticket }
            if !state.pointee.staged[state.pointee.stagedHead].isOpened {
                openTokens(ticket, edges: edgeCount(port))
                state.pointee.staged[state.pointee.stagedHead].isOpened = true
            }
            var remaining = state.pointee.staged[state.pointee.stagedHead].remaining
            var waiting = remaining
            while waiting != 0 {
                let bit = waiting & (0 &- waiting)
                waiting &= ~bit
                state.pointee.ports[port]._withUnsafeGuaranteedRef { list in
                    list.with(bit.trailingZeroBitCount) { edge in
                        guard edge.policy != .block || edge.hasRoom else { return }
                        // Every edge needs a reference; the last one takes ours.
                        if remaining != bit { _ = item.retain() }
                        remaining &= ~bit
                        push(item, ticket, to: edge, now: now, lazily: lazily)
                    }
                }
            }
            if remaining != 0 {
                state.pointee.staged[state.pointee.stagedHead].remaining = remaining
                return false
            }
            state.pointee.stagedHead += 1
        }
        state.pointee.staged.removeAll()
        state.pointee.stagedHead = 0
        return true
    }

    @inline(__always)
    private func push(_ item: Unmanaged<Item>, _ ticket: Ticket, to edge: Edge, now: UInt64, lazily: Bool) {
        switch edge.push(item, sequence: ticket.sequence, now: now, lazily: lazily) {
        case .stored: break
        case .evicted(let old):
            release(old._withUnsafeGuaranteedRef { $0.ticket }, .dropped(place: edge.place, cause: .replaced))
            old.release()
            edge.countDrop()
        case .refused:
            item.release()
            release(ticket, .dropped(place: edge.place, cause: .edgeFull))
            edge.countDrop()
        }
    }

    /// Puts out one token per edge; the charge's own goes along with its last emission once it is finished.
    @inline(__always)
    private func openTokens(_ ticket: Ticket, edges: Int) {
        let ledger = ledgers[Int(ticket.source)]
        if state.pointee.current.isLive, state.pointee.current.ticket.sequence == ticket.sequence {
            state.pointee.current.staged -= 1
            if state.pointee.current.isFinished, state.pointee.current.staged == 0 {
                state.pointee.current.isReleased = true
                state.pointee.current.isLive = false
                if edges > 1 { ledger.add(edges - 1, to: ticket.sequence) }
            } else {
                ledger.add(edges, to: ticket.sequence)
            }
            return
        }
        var i = 0
        while i < state.pointee.held.count, state.pointee.held[i].ticket.sequence != ticket.sequence { i += 1 }
        if i < state.pointee.held.count {
            state.pointee.held[i].staged -= 1
            if state.pointee.held[i].isFinished, state.pointee.held[i].staged == 0 {
                state.pointee.held.remove(at: i)
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
        if state.pointee.held.count > 0 { limit = min(limit, state.pointee.held[0].ticket.sequence) }
        if state.pointee.current.isLive { limit = min(limit, state.pointee.current.ticket.sequence) }
        if state.pointee.stagedHead < state.pointee.staged.count {
            limit = min(
                limit,
                state.pointee.staged[state.pointee.stagedHead].item._withUnsafeGuaranteedRef { $0.ticket.sequence })
        }
        edges.forEach { if $0.needsBounds { $0.promise(limit) } }
    }

    func settleWakes() {
        edges.forEach { $0.settleWake() }
    }

    /// Asks the edges in the way to wake us; true when one has room already.
    func waitForRoom() -> Bool {
        guard state.pointee.stagedHead < state.pointee.staged.count else { return true }
        let entry = state.pointee.staged[state.pointee.stagedHead]
        var hasRoom = false
        var waiting = entry.remaining
        state.pointee.ports[entry.port]._withUnsafeGuaranteedRef { list in
            while waiting != 0 {
                if list.with(waiting.trailingZeroBitCount, { $0.waitForRoom() }) { hasRoom = true }
                waiting &= waiting &- 1
            }
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
        while state.pointee.stagedHead < state.pointee.staged.count {
            let entry = state.pointee.staged[state.pointee.stagedHead]
            let ticket = entry.item._withUnsafeGuaranteedRef { $0.ticket }
            if entry.isOpened {
                for _ in 0..<entry.remaining.nonzeroBitCount {
                    release(ticket, .dropped(place: place, cause: cause))
                }
            }
            entry.item.release()
            state.pointee.stagedHead += 1
        }
        state.pointee.staged.removeAll()
        state.pointee.stagedHead = 0
        abandonHeld(cause)
        let current = state.pointee.current
        if current.isLive, !current.isReleased { release(current.ticket, .dropped(place: place, cause: cause)) }
        state.pointee.current.isLive = false
        state.pointee.currentItem = nil
    }

    func abandonHeld(_ cause: DropCause) {
        for i in 0..<state.pointee.held.count where !state.pointee.held[i].isReleased {
            release(state.pointee.held[i].ticket, .dropped(place: place, cause: cause))
        }
        state.pointee.held.removeAll()
    }

    /// Drops an item that never reached the node.
    func discard(_ item: Unmanaged<Item>, cause: DropCause) {
        release(item._withUnsafeGuaranteedRef { $0.ticket }, .dropped(place: place, cause: cause))
        item.release()
    }

    /// Whether `close` was said; may be read from any thread.
    var isClosed: Bool { !edges.contains { !$0.isClosed } }

    /// Says on every edge that no more will come.
    func close() {
        edges.forEach { $0.close() }
    }
}
