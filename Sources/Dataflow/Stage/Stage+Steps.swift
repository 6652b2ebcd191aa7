// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// What one step of a run does: a call of the node, or dropping what comes.
extension Stage {
    enum Step { case progress, idle, ended }

    @inline(__always)
    func step(_ now: inout UInt64) throws -> Step {
        if isPlain { return try stepNode(&now) }
        switch role {
        case .node: return try stepNode(&now)
        case .source(let source): return try stepSource(source, &now)
        case .join(let join):
            guard let matcher else { return .ended }
            return try stepJoin(join, matcher, &now)
        }
    }

    private func stepSource(_ source: any SourceNode, _ now: inout UInt64) throws -> Step {
        if graph.isStopping { return .ended }
        let before = outbox.total
        output.admissionRefused = false
        let production = try source.produce(to: output)
        try checkFault()
        let after = graph.clock.now()
        if outbox.total != before {
            // Before it is counted: whoever waits for the frame is woken that much sooner.
            _ = outbox.flush(now: after, lazily: false)
            count(from: now, to: after)
        }
        now = after
        switch production {
        case .more: return .progress
        case .waiting: return .idle
        case .ended: return .ended
        }
    }

    @inline(__always)
    private func stepNode(_ now: inout UInt64) throws -> Step {
        let item: Unmanaged<Item>
        if let waiting = stalled {
            guard retryStalled else { return .idle }
            retryStalled = false
            stalled = nil
            item = successor(of: waiting, now) ?? waiting
        } else {
            guard let taken = takeNext(now) else { return inputs.contains { !$0.isExhausted } ? .idle : .ended }
            item = taken
        }
        output.begin(item._withUnsafeGuaranteedRef { $0.ticket }, item: item)
        let disposition: Disposition
        do {
            disposition = try item._withUnsafeGuaranteedRef { try node.process($0, to: output) }
        } catch {
            if !output.wasForwarded { item.release() }
            throw error
        }
        let after = graph.clock.now()
        output.complete(disposition, now: after)
        if disposition == .busy, output.fault == nil {
            stalled = item
            now = after
            return .idle
        }
        if !output.wasForwarded { item.release() }
        try checkFault()
        let spent = count(from: now, to: after)
        if spent < Self.quick { quickCalls &+= 1 } else { quickCalls = 0 }
        now = after
        return .progress
    }

    /// Joins one frame, if it is complete.
    private func stepJoin(_ join: any JoinNode, _ matcher: JoinMatcher, _ now: inout UInt64) throws -> Step {
        let step = matcher.match(now)
        guard case .progress = step else { return step }
        let items = matcher.items
        output.begin(items.ticket, item: nil)
        let disposition = try join.join(items, to: output)
        let after = graph.clock.now()
        output.complete(disposition, now: after)
        try checkFault()
        if disposition == .busy {
            now = after
            return .idle
        }
        matcher.advance()
        count(from: now, to: after)
        now = after
        return .progress
    }

    /// What came behind a `latest` edge while the node was too busy for `waiting`, which is dropped then.
    ///
    /// Only the newest counts there: one frame waits before the node, not a second one that it has refused.
    private func successor(of waiting: Unmanaged<Item>, _ now: UInt64) -> Unmanaged<Item>? {
        guard inputs.count == 1, inputs.with(0, { $0.policy == .latest }), let newer = takeNext(now) else { return nil }
        inputs.with(0) { edge in
            let ticket = waiting._withUnsafeGuaranteedRef { $0.ticket }
            frames.release(ticket, .dropped(place: edge.place, cause: .replaced))
            edge.countDrop()
        }
        waiting.release()
        return newer
    }

    /// The next item of the inputs in turn, its wait recorded.
    @inline(__always)
    private func takeNext(_ now: UInt64) -> Unmanaged<Item>? {
        var left = inputs.count
        while left > 0 {
            left -= 1
            let index = nextInput
            nextInput = index + 1 == inputs.count ? 0 : index + 1
            let taken = inputs.with(index) { edge -> Unmanaged<Item>? in
                // The bound first, see Edge.readBound: the parking check compares with what is seen here.
                _ = edge.readBound()
                guard let taken = edge.pop(lazily: isLazy) else { return nil }
                lastWait = now > taken.enqueuedAt ? now &- taken.enqueuedAt : 0
                edge.wait.record(nanoseconds: lastWait)
                return taken.item
            }
            if let taken { return taken }
        }
        return nil
    }

    /// Counts one item's processing; returns its nanoseconds.
    @inline(__always) @discardableResult
    func count(from start: UInt64, to end: UInt64) -> UInt64 {
        let spent = end > start ? end &- start : 0
        processTime.record(nanoseconds: spent)
        let number = items.load(ordering: .relaxed)
        if number == 0 { firstAt.store(end, ordering: .relaxed) }
        lastAt.store(end, ordering: .relaxed)
        items.store(number &+ 1, ordering: .relaxed)
        frames.trace.record(
            .processed, at: start, source: frames.takenSource, sequence: frames.takenBelow &- 1, place: place,
            wait: lastWait, duration: spent)
        return spent
    }

    @inline(__always)
    func checkFault() throws {
        if let fault = output.fault { throw fault }
    }

    // MARK: Failure and abort

    func fail(_ error: any Error) {
        if !hasFailed.load(ordering: .relaxed) {
            failure = RunReport.Failure(node: name, message: String(describing: error), at: graph.clock.now())
            // Release pairs with the acquire in `Graph.report`: who sees the flag may read the failure.
            hasFailed.store(true, ordering: .releasing)
        }
        discardFromNow(.nodeFailed)
        if onError == .stop { graph.stop() }
    }

    func discardFromNow(_ cause: DropCause) {
        discardCause = cause
        output.dropAll(cause)
        if let stalled {
            // `dropAll` has ended its frame, which was still the current one.
            stalled.release()
            self.stalled = nil
        }
        matcher?.dropAll(cause)
        stopNode()
        outbox.close()
        phase = .discarding
        countAsStopped()
    }

    /// Drops all that is queued; true when nothing more can come.
    func discardInputs() -> Bool {
        inputs.forEach { edge in
            _ = edge.readBound()
            while let taken = edge.pop() {
                var cause = discardCause
                if cause == .unmatched, let matcher {
                    cause = matcher.causeOfMiss(taken.item._withUnsafeGuaranteedRef { $0.ticket.sequence })
                }
                frames.discard(taken.item, cause: cause)
            }
        }
        return !inputs.contains { !$0.isExhausted }
    }
}
