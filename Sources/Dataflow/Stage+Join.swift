// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// Joining: the primary port 0 says which frames there are, in its order; the others contribute what they have.
///
/// **Same frame.** For the primary's frame `s`, another port contributes its item numbered `s`. It has none when its
/// next item is later, when its producer has promised that `s` will not come (bound), or when it has ended. Items
/// numbered below `s` belong to frames the primary never delivered: they end here as `unmatched`. When the primary ends,
/// so does the join.
///
/// **Newest.** `s` goes on at once with the newest item of each port up to `s`. An item that a newer one overtook before
/// any frame took it along ends as `replaced`; one for which no frame came any more, as `late`. Its branches are emptied
/// also while the join waits for room downstream.
extension Stage {
    /// One frame, if it is complete.
    func stepJoin(_ join: any JoinNode, _ now: inout UInt64) throws -> Step {
        if !isJoinReady {
            switch gather(now) {
            case .progress: show()
            case .idle: return .idle
            case .ended: return .ended
            }
        }
        // `show` is called with the primary in hand.
        let ticket = shown[0].unsafelyUnwrapped.ticket
        output.begin(ticket, item: nil)
        let disposition = try join.join(JoinedItems(slots: UnsafePointer(shown), count: handCount), to: output)
        let after = graph.clock.now()
        output.complete(disposition, now: after)
        try checkFault()
        if disposition == .busy {
            now = after
            return .idle
        }
        forEachPort { shown[$0] = nil }
        isJoinReady = false
        joinedBelow = ticket.sequence &+ 1
        count(from: now, to: after)
        now = after
        return .progress
    }

    /// Puts together what `join` is shown; the primary's token stands for the frame from here on.
    private func show() {
        guard let primary = hands[0] else { return }
        shown[0] = primary
        hands[0] = nil
        isJoinReady = true
        forEachPort(from: 1) { port in
            switch matching {
            case .sameFrame:
                // Items of later frames stay in hand.
                guard let item = hands[port], item.ticket.sequence == primary.ticket.sequence else { return }
                shown[port] = item
                hands[port] = nil
                output.release(item.ticket, .merged)
            case .newest:
                if let item = shown[port] { output.release(item.ticket, .contributed(place: place)) }
            }
        }
    }

    /// Brings the next frame together: `.progress` when it is complete, `.idle` while something may still come.
    private func gather(_ now: UInt64) -> Step {
        var bound: UInt64 = 0
        if hands[0] == nil {
            bound = inputs.with(0) { $0.readBound() }
            hands[0] = take(0, now)
        }
        let primary = hands[0]?.ticket.sequence
        // Below this nothing will come on port 0. The bound lags behind: it says only what the items do not.
        let reached = primary ?? max(bound, joinedBelow)
        var isComplete = true
        forEachPort(from: 1) { port in
            let portBound = inputs.with(port) { $0.readBound() }
            switch matching {
            case .sameFrame:
                // What the primary will never deliver must not fill the port meanwhile.
                dropUnmatched(port, below: reached, now)
                if hands[port] == nil, portBound <= reached { isComplete = false }
            case .newest:
                takeNewest(port, below: primary.map { $0 &+ 1 } ?? reached, now)
            }
        }
        guard primary != nil else {
            guard bound == Edge.ended else { return .idle }
            forEachPort(from: 1) { endShown($0, nil) }
            return .ended
        }
        return isComplete ? .progress : .idle
    }

    /// Takes what the other ports bring while the stage waits for room downstream.
    ///
    /// A join for the newest never holds up its branches: the room it waits for may depend on them, where one of them
    /// also leads to a join further down.
    func relieveBranches(_ now: UInt64) {
        guard handCount > 0, matching == .newest, !isJoinReady, phase <= .closing else { return }
        // Below this lies nothing that the primary has still to bring.
        let reached = phase > .running ? .max : hands[0].map { $0.ticket.sequence &+ 1 } ?? joinedBelow
        forEachPort(from: 1) { port in
            _ = inputs.with(port) { $0.readBound() }
            takeNewest(port, below: reached, now)
            if phase > .running { endShown(port, nil) }
        }
    }

    /// Whether a port that `relieveBranches` looks at has something new.
    var branchesHaveNews: Bool {
        guard handCount > 0, matching == .newest, !isJoinReady, phase <= .closing else { return false }
        var hasNews = false
        forEachPort(from: 1) { port in
            if hands[port] == nil, inputs.with(port, { $0.hasNews }) { hasNews = true }
        }
        return hasNews
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

    /// Takes a port's items up to the first that is not below `below`, and keeps the newest of them to be shown.
    private func takeNewest(_ port: Int, below: UInt64, _ now: UInt64) {
        while true {
            if hands[port] == nil { hands[port] = take(port, now) }
            guard let item = hands[port], item.ticket.sequence < below else { return }
            hands[port] = nil
            endShown(port, .replaced)
            shown[port] = item
        }
    }

    /// Ends an item that was to be shown and never will be; without a cause, as one that came too late.
    private func endShown(_ port: Int, _ cause: DropCause?) {
        guard let item = shown[port] else { return }
        shown[port] = nil
        output.release(
            item.ticket, .dropped(place: place, cause: cause ?? causeOfMiss(item.ticket.sequence)))
    }

    private func take(_ port: Int, _ now: UInt64) -> Item? {
        inputs.with(port) { edge in
            guard let taken = edge.pop() else { return nil }
            edge.wait.record(nanoseconds: now > taken.enqueuedAt ? now &- taken.enqueuedAt : 0)
            return taken.item.takeRetainedValue()
        }
    }

    /// Ends the items in hand.
    ///
    /// Those at work are one frame, whose token `Output.abandon` has seen to.
    func dropHands(_ cause: DropCause) {
        forEachPort { port in
            if isJoinReady { shown[port] = nil } else { endShown(port, cause) }
            guard let item = hands[port] else { return }
            hands[port] = nil
            output.release(item.ticket, .dropped(place: place, cause: cause))
        }
        isJoinReady = false
    }
}
