// SPDX-License-Identifier: Apache-2.0

/// What a node has emitted and its edges have not taken yet.
///
/// Emissions leave in the order they were made. One that a full `block` edge does not take waits here, and the node is
/// not called again until it has left.
/// - Note: Thread-safety: used in the stage's runs only, except for `isClosed`.
final class Outbox {
    private struct Emission: BitwiseCopyable {
        var item: Unmanaged<Item>
        var port: Int
        /// The edges of the port that still have to take it, one bit each.
        var remaining: UInt64
        /// Each of those edges has its token in the ledger.
        var hasTokens = false
    }

    /// All edges, port by port.
    let edges: EdgeList
    /// Whether a join lies downstream of an edge.
    let needsBounds: Bool
    private let frames: OpenFrames
    private let owners: [EdgeList]
    /// The edges of each port.
    private let ports: UnsafeMutablePointer<Unmanaged<EdgeList>>
    /// The lowest sequence number that may be emitted next on each port.
    private let nextOnPort: UnsafeMutablePointer<UInt64>
    private let portCount: Int

    // Not checked for exclusive access: a stage's runs never overlap.
    @exclusivity(unchecked) private var emissions = FlatList<Emission>(capacity: 32)
    /// How many of `emissions` have left.
    @exclusivity(unchecked) private var sent = 0
    /// How many emissions were ever made.
    @exclusivity(unchecked) private(set) var total: UInt64 = 0

    init(ports lists: [[Edge]], frames: OpenFrames) {
        self.frames = frames
        owners = lists.map(EdgeList.init)
        edges = EdgeList(lists.flatMap { $0 })
        needsBounds = edges.contains { $0.needsBounds }
        portCount = lists.count
        ports = .allocate(capacity: max(1, portCount))
        nextOnPort = .allocate(capacity: max(1, portCount))
        nextOnPort.initialize(repeating: 0, count: max(1, portCount))
        for (i, list) in owners.enumerated() { (ports + i).initialize(to: .passUnretained(list)) }
    }

    deinit {
        for i in sent..<emissions.count { emissions[i].item.release() }
        emissions.free()
        ports.deallocate()
        nextOnPort.deallocate()
    }

    // MARK: Taking in

    /// Whether an edge leaves from a port.
    @inline(__always)
    func isConnected(_ port: Int) -> Bool { port >= 0 && port < portCount && edgeCount(port) > 0 }

    /// Takes an owned reference to go to every edge of a connected port; returns the rule that this breaks, if any.
    @inline(__always)
    func append(_ item: Unmanaged<Item>, ticket: Ticket, port: Int) -> String? {
        guard ticket.sequence >= nextOnPort[port] else {
            item.release()
            return "emitted frame \(ticket.sequence) after frame \(nextOnPort[port] &- 1)"
        }
        guard frames.countEmission(ticket) else {
            item.release()
            return "emitted frame \(ticket.sequence), which it does not have"
        }
        nextOnPort[port] = ticket.sequence &+ 1
        total &+= 1
        let count = UInt64(truncatingIfNeeded: edgeCount(port))
        emissions.append(Emission(item: item, port: port, remaining: count == 64 ? ~0 : (1 << count) &- 1))
        return nil
    }

    @inline(__always)
    private func edgeCount(_ port: Int) -> Int { ports[port]._withUnsafeGuaranteedRef { $0.count } }

    // MARK: Sending

    /// Moves the emissions into the edges; false when a full `block` edge stands in the way.
    ///
    /// - Parameter lazily: leaves the waking of consumers to `sendDeferredWakes`.
    @inline(__always)
    func flush(now: UInt64, lazily: Bool) -> Bool {
        if sent == emissions.count { return true }
        return flushWaiting(now: now, lazily: lazily)
    }

    private func flushWaiting(now: UInt64, lazily: Bool) -> Bool {
        while sent < emissions.count {
            let port = emissions[sent].port
            let item = emissions[sent].item
            let ticket = item._withUnsafeGuaranteedRef { $0.ticket }
            if !emissions[sent].hasTokens {
                frames.addTokens(ticket, edges: edgeCount(port))
                emissions[sent].hasTokens = true
            }
            var remaining = emissions[sent].remaining
            var waiting = remaining
            while waiting != 0 {
                let bit = waiting & (0 &- waiting)
                waiting &= ~bit
                ports[port]._withUnsafeGuaranteedRef { list in
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
                emissions[sent].remaining = remaining
                return false
            }
            sent += 1
        }
        emissions.removeAll()
        sent = 0
        return true
    }

    @inline(__always)
    private func push(_ item: Unmanaged<Item>, _ ticket: Ticket, to edge: Edge, now: UInt64, lazily: Bool) {
        switch edge.push(item, sequence: ticket.sequence, now: now, lazily: lazily) {
        case .stored: break
        case .evicted(let old):
            frames.release(old._withUnsafeGuaranteedRef { $0.ticket }, .dropped(place: edge.place, cause: .replaced))
            old.release()
            edge.countDrop()
        case .refused:
            item.release()
            frames.release(ticket, .dropped(place: edge.place, cause: .edgeFull))
            edge.countDrop()
        }
    }

    /// Wakes the consumers that lazy sends left asleep.
    func sendDeferredWakes() { edges.forEach { $0.sendDeferredWake() } }

    /// Asks the edges in the way to wake the stage; true when one has room already.
    func waitForRoom() -> Bool {
        guard sent < emissions.count else { return true }
        let emission = emissions[sent]
        var hasRoom = false
        var waiting = emission.remaining
        ports[emission.port]._withUnsafeGuaranteedRef { list in
            while waiting != 0 {
                if list.with(waiting.trailingZeroBitCount, { $0.waitForRoom() }) { hasRoom = true }
                waiting &= waiting &- 1
            }
        }
        return hasRoom
    }

    /// Tells joins downstream which frames will not come any more.
    ///
    /// - Parameter limit: what the inputs promise; open frames and waiting emissions lower it.
    func publishBounds(_ limit: UInt64) {
        var limit = frames.lowest(limit)
        if sent < emissions.count {
            limit = min(limit, emissions[sent].item._withUnsafeGuaranteedRef { $0.ticket.sequence })
        }
        edges.forEach { if $0.needsBounds { $0.promise(limit) } }
    }

    // MARK: The end

    /// Drops the waiting emissions.
    func dropAll(_ cause: DropCause) {
        while sent < emissions.count {
            let emission = emissions[sent]
            let ticket = emission.item._withUnsafeGuaranteedRef { $0.ticket }
            if emission.hasTokens {
                for _ in 0..<emission.remaining.nonzeroBitCount {
                    frames.release(ticket, .dropped(place: frames.place, cause: cause))
                }
            }
            emission.item.release()
            sent += 1
        }
        emissions.removeAll()
        sent = 0
    }

    /// Ends every edge.
    func close() { edges.forEach { $0.close() } }

    /// Whether `close` was called; may be read from any thread.
    var isClosed: Bool { !edges.contains { !$0.isClosed } }
}
