// SPDX-License-Identifier: Apache-2.0
@preconcurrency internal import Dispatch
internal import Synchronization

/// Joining: the primary port 0 says which frames there are, in its order; the others contribute what they have.
///
/// For the primary's frame `s`, another port contributes its item numbered `s`. It has none when its next item is
/// later, when its producer has promised that `s` will not come (bound), or when it has ended. Items numbered below `s`
/// belong to frames the primary never delivered: they end here as `unmatched`, or as `late` when the join had stopped
/// waiting for them. When the primary ends, so does the join.
///
/// It stops waiting when `maxWait` is over and, where a node upstream needs later items to let go of earlier ones, when
/// one of its queues is full and holds up a producer: the missing item may depend on that one.
extension Stage {
    /// One frame, if it is complete.
    func stepJoin(_ join: any JoinNode, _ now: inout UInt64) throws -> Step {
        if !isJoinReady {
            switch gather(now) {
            case .progress: isJoinReady = true
            case .idle: return .idle
            case .ended: return .ended
            }
            // The primary's token stands for the frame from here on.
            // gather answers .progress only with the primary in hand.
            let ticket = hands[0].unsafelyUnwrapped.ticket
            forEachPort(from: 1) {
                if hands[$0]?.ticket.sequence == ticket.sequence { output.release(ticket, .merged) }
            }
        }
        let ticket = hands[0].unsafelyUnwrapped.ticket
        // Items of later frames stay in hand but are not shown.
        forEachPort { shown[$0] = hands[$0]?.ticket.sequence == ticket.sequence ? hands[$0] : nil }
        defer { forEachPort { shown[$0] = nil } }
        output.begin(ticket, item: nil)
        let disposition = try join.join(JoinedItems(slots: UnsafePointer(shown), count: handCount), to: output)
        let after = graph.clock.now()
        output.complete(disposition, now: after)
        try checkFault()
        if disposition == .busy {
            now = after
            return .idle
        }
        forEachPort { if hands[$0]?.ticket.sequence == ticket.sequence { hands[$0] = nil } }
        isJoinReady = false
        joinedBelow = ticket.sequence &+ 1
        count(from: now, to: after)
        now = after
        return .progress
    }

    /// Brings the next frame together: `.progress` when it is complete, `.idle` while something may still come.
    private func gather(_ now: UInt64) -> Step {
        let step = look(pressed: 0, now)
        guard case .idle = step else { return step }
        // A queue found full before nothing was found elsewhere: in the other order the missing item could have
        // come, and the queue have filled, in between.
        var pressed: UInt64 = 0
        forEachPort { if inputs.with($0, { $0.holdsUpProducer }) { pressed |= 1 << UInt64($0) } }
        return pressed == 0 ? .idle : look(pressed: pressed, now)
    }

    /// Takes what has come.
    ///
    /// The ports in `pressed` must not be kept waiting.
    private func look(pressed: UInt64, _ now: UInt64) -> Step {
        if hands[0] == nil {
            let bound = inputs.with(0) { $0.readBound() }
            guard let taken = take(0, now) else {
                // What the primary will never deliver must not fill the other ports meanwhile.
                forEachPort(from: 1) { port in
                    dropUnmatched(port, below: bound, now)
                    guard pressed >> UInt64(port) & 1 == 1, let item = hands[port] else { return }
                    dropUnmatched(port, below: item.ticket.sequence &+ 1, now)
                }
                return bound == Edge.ended ? .ended : .idle
            }
            hands[0] = taken
            primarySince = now
        }
        let sequence = hands[0].unsafelyUnwrapped.ticket.sequence
        var isComplete = true
        forEachPort(from: 1) { port in
            let bound = inputs.with(port) { $0.readBound() }
            dropUnmatched(port, below: sequence, now)
            if hands[port] == nil, bound <= sequence { isComplete = false }
        }
        if isComplete || pressed != 0 { return .progress }
        guard let maxWait else { return .idle }
        let waited = now > primarySince ? now - primarySince : 0
        if waited >= maxWait { return .progress }
        timer?.schedule(deadline: .now() + .nanoseconds(Int(truncatingIfNeeded: maxWait - waited)))
        return .idle
    }

    @inline(__always)
    private func forEachPort(from first: Int = 0, _ body: (Int) -> Void) {
        var port = first
        while port < handCount {
            body(port)
            port += 1
        }
    }

    /// Why an item ends that the join has no use for.
    func causeOfMiss(_ sequence: UInt64) -> DropCause { sequence < joinedBelow ? .late : .unmatched }

    /// Takes a port's items up to the first that is not below `below`, which stays in hand.
    private func dropUnmatched(_ port: Int, below: UInt64, _ now: UInt64) {
        while true {
            if hands[port] == nil { hands[port] = take(port, now) }
            guard let item = hands[port], item.ticket.sequence < below else { return }
            hands[port] = nil
            output.release(item.ticket, .dropped(place: place, cause: causeOfMiss(item.ticket.sequence)))
        }
    }

    private func take(_ port: Int, _ now: UInt64) -> Item? {
        inputs.with(port) { edge in
            guard let taken = edge.pop() else { return nil }
            edge.wait.record(nanoseconds: now > taken.enqueuedAt ? now &- taken.enqueuedAt : 0)
            return taken.item.takeRetainedValue()
        }
    }

    /// Ends the items in hand; those of the frame at work are one frame whose token `Output.abandon` has seen to.
    func dropHands(_ cause: DropCause) {
        let working = isJoinReady && handCount > 0 ? hands[0]?.ticket.sequence : nil
        forEachPort { port in
            guard let item = hands[port] else { return }
            hands[port] = nil
            if item.ticket.sequence == working { return }
            output.release(item.ticket, .dropped(place: place, cause: cause))
        }
        isJoinReady = false
    }
}
