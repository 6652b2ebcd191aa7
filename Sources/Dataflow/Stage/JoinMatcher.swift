// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// The input side of a join: the primary port 0 says which frames there are, in its order; the others contribute what
/// they have.
///
/// **Same frame.** For the primary's frame `s`, another port contributes its item numbered `s`. It has none when its
/// next item is later, when its producer has promised that `s` will not come (bound), or when it has ended. Items
/// numbered below `s` belong to frames the primary never delivered: they end here as `unmatched`. When the primary
/// ends, so does the join.
///
/// **Newest.** `s` goes on at once with the newest item of each port up to `s`. An item that a newer one overtook
/// before any frame took it along ends as `replaced`; one for which no frame came any more, as `late`. Its branches are
/// emptied also while the join waits for room downstream.
/// - Note: Thread-safety: used in the stage's runs only.
final class JoinMatcher {
    private let inputs: EdgeList
    private let frames: OpenFrames
    private let matching: JoinMatching
    /// The next item of each port, where it was taken from the edge already.
    private let heads: UnsafeMutablePointer<Item?>
    /// The items of the frame being joined; until it is complete, those that `newest` has found for it so far.
    private let matched: UnsafeMutablePointer<Item?>
    /// Whether `matched` is complete: its tokens are merged into the primary's.
    private var isComplete = false
    /// One past the last frame that was joined.
    private var joinedBelow: UInt64 = 0

    init(_ matching: JoinMatching, inputs: EdgeList, frames: OpenFrames) {
        self.matching = matching
        self.inputs = inputs
        self.frames = frames
        heads = .allocate(capacity: inputs.count)
        heads.initialize(repeating: nil, count: inputs.count)
        matched = .allocate(capacity: inputs.count)
        matched.initialize(repeating: nil, count: inputs.count)
    }

    deinit {
        heads.deinitialize(count: inputs.count)
        heads.deallocate()
        matched.deinitialize(count: inputs.count)
        matched.deallocate()
    }

    // MARK: Matching

    /// Brings the next frame together: `.progress` when it is complete, `.idle` while something may still come.
    func match(_ now: UInt64) -> Stage.Step {
        if isComplete { return .progress }
        let step = collect(now)
        if case .progress = step { complete() }
        return step
    }

    /// The items of the frame that `match` has completed.
    var items: JoinedItems { JoinedItems(slots: UnsafePointer(matched), count: inputs.count) }

    /// Goes on to the next frame.
    func advance() {
        joinedBelow = items.ticket.sequence &+ 1
        forEachPort { matched[$0] = nil }
        isComplete = false
    }

    /// Takes what has come.
    private func collect(_ now: UInt64) -> Stage.Step {
        var bound: UInt64 = 0
        if heads[0] == nil {
            bound = inputs.with(0) { $0.readBound() }
            heads[0] = take(0, now)
        }
        let primary = heads[0]?.ticket.sequence
        // Below this nothing will come on port 0. The bound lags behind: it says only what the items do not.
        let reached = primary ?? max(bound, joinedBelow)
        var isComplete = true
        forEachPort(from: 1) { port in
            let portBound = inputs.with(port) { $0.readBound() }
            switch matching {
            case .sameFrame:
                // What the primary will never deliver must not fill the port meanwhile.
                dropUnmatched(port, below: reached, now)
                if heads[port] == nil, portBound <= reached { isComplete = false }
            case .newest:
                takeNewest(port, below: primary.map { $0 &+ 1 } ?? reached, now)
            }
        }
        guard primary != nil else {
            guard bound == Edge.ended else { return .idle }
            forEachPort(from: 1) { dropMatched($0, nil) }
            return .ended
        }
        return isComplete ? .progress : .idle
    }

    /// Completes the frame of the primary's head, whose token stands for all its items from here on.
    private func complete() {
        guard let primary = heads[0] else { return }
        matched[0] = primary
        heads[0] = nil
        isComplete = true
        forEachPort(from: 1) { port in
            switch matching {
            case .sameFrame:
                // The head may be of a later frame.
                guard let item = heads[port], item.ticket.sequence == primary.ticket.sequence else { return }
                matched[port] = item
                heads[port] = nil
                frames.release(item.ticket, .merged)
            case .newest:
                if let item = matched[port] { frames.release(item.ticket, .contributed(place: frames.place)) }
            }
        }
    }

    /// Takes a port's items up to the first that is not below `below`, which stays its head.
    private func dropUnmatched(_ port: Int, below: UInt64, _ now: UInt64) {
        while true {
            if heads[port] == nil { heads[port] = take(port, now) }
            guard let item = heads[port], item.ticket.sequence < below else { return }
            heads[port] = nil
            frames.release(item.ticket, .dropped(place: frames.place, cause: causeOfMiss(item.ticket.sequence)))
        }
    }

    /// Takes a port's items up to the first that is not below `below`, and keeps the newest of them for the next frame.
    private func takeNewest(_ port: Int, below: UInt64, _ now: UInt64) {
        while true {
            if heads[port] == nil { heads[port] = take(port, now) }
            guard let item = heads[port], item.ticket.sequence < below else { return }
            heads[port] = nil
            dropMatched(port, .replaced)
            matched[port] = item
        }
    }

    private func take(_ port: Int, _ now: UInt64) -> Item? {
        inputs.with(port) { edge in
            guard let taken = edge.pop() else { return nil }
            edge.wait.record(nanoseconds: now > taken.enqueuedAt ? now &- taken.enqueuedAt : 0)
            return taken.item.takeRetainedValue()
        }
    }

    // MARK: While the stage waits for room

    /// Takes what the ports other than the primary bring while the stage waits for room downstream.
    ///
    /// A join for the newest never holds up its branches: the room it waits for may depend on them, where one of them
    /// also leads to a join further down.
    ///
    /// - Parameter hasEnded: no more frames will be joined.
    func relieveBranches(_ now: UInt64, hasEnded: Bool) {
        guard matching == .newest, !isComplete else { return }
        // Below this lies nothing that the primary has still to bring.
        let reached = hasEnded ? .max : heads[0].map { $0.ticket.sequence &+ 1 } ?? joinedBelow
        forEachPort(from: 1) { port in
            _ = inputs.with(port) { $0.readBound() }
            takeNewest(port, below: reached, now)
            if hasEnded { dropMatched(port, nil) }
        }
    }

    /// Whether a port that `relieveBranches` empties has something new; part of the parking protocol.
    var branchesHaveNews: Bool { matching == .newest && hasNews(from: 1) }

    // MARK: While the stage waits for items

    /// Whether a port that `match` needs to look at has something new; part of the parking protocol.
    var hasNews: Bool { hasNews(from: 0) }

    private func hasNews(from first: Int) -> Bool {
        guard !isComplete else { return false }
        var port = first
        while port < inputs.count {
            if heads[port] == nil, inputs.with(port, { $0.hasNews }) { return true }
            port += 1
        }
        return false
    }

    /// The frame that will be joined next, where it is known.
    var nextSequence: UInt64? { (matched[0] ?? heads[0])?.ticket.sequence }

    // MARK: Ending

    /// Why an item ends that the join has no use for.
    func causeOfMiss(_ sequence: UInt64) -> DropCause { sequence < joinedBelow ? .late : .unmatched }

    /// Drops an item found for a frame that never came; without a cause, as one that came too late.
    private func dropMatched(_ port: Int, _ cause: DropCause?) {
        guard let item = matched[port] else { return }
        matched[port] = nil
        frames.release(item.ticket, .dropped(place: frames.place, cause: cause ?? causeOfMiss(item.ticket.sequence)))
    }

    /// Drops all items taken from the edges.
    ///
    /// Those of a complete frame have one token, which `OpenFrames.dropAll` has seen to.
    func dropAll(_ cause: DropCause) {
        forEachPort { port in
            if isComplete { matched[port] = nil } else { dropMatched(port, cause) }
            guard let item = heads[port] else { return }
            heads[port] = nil
            frames.release(item.ticket, .dropped(place: frames.place, cause: cause))
        }
        isComplete = false
    }

    @inline(__always)
    private func forEachPort(from first: Int = 0, _ body: (Int) -> Void) {
        var port = first
        while port < inputs.count {
            body(port)
            port += 1
        }
    }
}
