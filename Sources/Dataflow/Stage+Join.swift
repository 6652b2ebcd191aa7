// SPDX-License-Identifier: Apache-2.0
@preconcurrency internal import Dispatch
internal import Synchronization

/// Joining: the primary port 0 says which frames there are, in its order; the others contribute what they have.
///
/// For the primary's frame `s`, another port contributes its item numbered `s`. It has none when its next item is later,
/// when its producer has promised that `s` will not come (bound), or when it has ended. Items numbered below `s` belong
/// to frames the primary never delivered: they end here as `unmatched`, or as `late` when the join had stopped waiting
/// for them (`maxWait`).
extension Stage {
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
            for port in 1..<max(1, handCount) where hands[port]?.ticket.sequence == ticket.sequence {
                output.release(ticket, .merged)
            }
        }
        let ticket = hands[0].unsafelyUnwrapped.ticket
        // Items of later frames stay in hand but are not shown.
        for port in 0..<handCount {
            shown[port] = hands[port]?.ticket.sequence == ticket.sequence ? hands[port] : nil
        }
        defer { for port in 0..<handCount { shown[port] = nil } }
        output.begin(ticket, item: nil)
        let disposition = try join.join(JoinedItems(slots: UnsafePointer(shown), count: handCount), to: output)
        let after = graph.clock.now()
        output.complete(disposition, now: after)
        try checkFault()
        if disposition == .busy {
            now = after
            return .idle
        }
        for port in 0..<handCount where hands[port]?.ticket.sequence == ticket.sequence { hands[port] = nil }
        isJoinReady = false
        joinedBelow = ticket.sequence &+ 1
        count(from: now, to: after)
        now = after
        return .progress
    }

    /// Brings the next frame together: `.progress` when it is complete, `.idle` while something may still come.
    private func gather(_ now: UInt64) -> Step {
        let primary = inputs[0]
        if hands[0] == nil {
            let bound = primary.readBound()
            if let taken = take(0, now) {
                hands[0] = taken
                primarySince = now
            } else {
                // What the primary will never deliver must not fill the other ports meanwhile.
                let below = primary.ring.isEmpty ? bound : 0
                for port in 1..<max(1, handCount) { dropUnmatched(port, below: below, now) }
                let isOver = bound == Edge.ended && primary.ring.isEmpty
                guard isOver else { return .idle }
                return inputs.allSatisfy(\.isExhausted) ? .ended : .idle
            }
        }
        let sequence = hands[0].unsafelyUnwrapped.ticket.sequence
        var isComplete = true
        for port in 1..<max(1, handCount) {
            let bound = inputs[port].readBound()
            dropUnmatched(port, below: sequence, now)
            if hands[port] == nil, bound <= sequence { isComplete = false }
        }
        if isComplete { return .progress }
        guard let maxWait else { return .idle }
        let waited = now > primarySince ? now - primarySince : 0
        if waited >= maxWait { return .progress }
        timer?.schedule(deadline: .now() + .nanoseconds(Int(truncatingIfNeeded: maxWait - waited)))
        return .idle
    }

    /// Takes a port's items up to the first that is not below `below`, which stays in hand.
    private func dropUnmatched(_ port: Int, below: UInt64, _ now: UInt64) {
        while true {
            if hands[port] == nil { hands[port] = take(port, now) }
            guard let item = hands[port], item.ticket.sequence < below else { return }
            hands[port] = nil
            let cause = item.ticket.sequence < joinedBelow ? DropCause.late : .unmatched
            output.release(item.ticket, .dropped(place: place, cause: cause))
        }
    }

    private func take(_ port: Int, _ now: UInt64) -> Item? {
        guard let taken = inputs[port].pop() else { return nil }
        inputs[port].wait.record(nanoseconds: now > taken.enqueuedAt ? now &- taken.enqueuedAt : 0)
        return taken.item.takeRetainedValue()
    }

    /// Ends the items in hand; those of the frame at work are one frame whose token `Output.abandon` has seen to.
    func dropHands(_ cause: DropCause) {
        let working = isJoinReady && handCount > 0 ? hands[0]?.ticket.sequence : nil
        for port in 0..<handCount {
            guard let item = hands[port] else { continue }
            hands[port] = nil
            if item.ticket.sequence == working { continue }
            output.release(item.ticket, .dropped(place: place, cause: cause))
        }
        isJoinReady = false
    }
}
