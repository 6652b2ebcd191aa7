// SPDX-License-Identifier: Apache-2.0

/// What a node emits, drops and finishes frames with.
///
/// Emissions take effect when the node's call returns, in the order they were made. A full `block` edge keeps them
/// waiting, and the node is not called again until they have left.
/// - Note: Thread-safety: use it inside the node's calls only.
public final class Output {
    let graph: GraphControl
    let frames: OpenFrames
    let outbox: Outbox
    let tap = EmissionTap()
    private let ledger: Ledger?
    private let sourceIndex: UInt16

    /// The item being processed, borrowed from the stage, for `forward`.
    @exclusivity(unchecked) private var item: Unmanaged<Item>?
    /// Whether the stage's reference to the item being processed went to the outbox.
    @exclusivity(unchecked) private(set) var wasForwarded = false
    /// Whether admission was refused during the last call.
    var admissionRefused = false
    /// The rule that the node broke; the stage turns it into a failure.
    private(set) var fault: GraphError?

    /// - Parameter ledger: that of the source this is the output of; nil for other nodes.
    init(graph: GraphControl, frames: OpenFrames, outbox: Outbox, ledger: Ledger?) {
        self.graph = graph
        self.frames = frames
        self.outbox = outbox
        self.ledger = ledger
        sourceIndex = UInt16(truncatingIfNeeded: ledger?.source ?? 0)
    }

    // MARK: For nodes

    /// The present instant of the graph's clock, in nanoseconds.
    public var now: UInt64 { graph.clock.now() }

    /// Admits the next frame of this source; nil when too many are in flight (then return `.waiting`).
    ///
    /// The source must emit the frame (once) or drop it.
    /// - Parameter capturedAt: the monotonic instant of capture in nanoseconds; now when absent.
    public func admit(capturedAt: UInt64? = nil) -> Ticket? {
        guard let ledger else { preconditionFailure("only a source admits frames") }
        guard let sequence = ledger.admit() else {
            admissionRefused = true
            return nil
        }
        // Acquire pairs with the release in `Graph.advanceGeneration`: what was posted before it is visible to every
        // node that gets this frame.
        let ticket = Ticket(
            source: sourceIndex, sequence: sequence, capturedAt: capturedAt ?? graph.clock.now(),
            generation: graph.generation.load(ordering: .acquiring))
        frames.admit(ticket)
        return ticket
    }

    /// How many frames of this source are in flight.
    public var inFlight: Int {
        guard let ledger else { preconditionFailure("only a source asks for its frames") }
        return Int(truncatingIfNeeded: ledger.inFlight)
    }

    /// Sends an item to every edge of a port.
    ///
    /// The item's ticket must be that of a frame the node has: the one being processed, a held or an admitted one. On
    /// one port, sequence numbers must rise. An unconnected port releases the item.
    public func emit(_ item: consuming Item, port: Int = 0) {
        let ticket = item.ticket
        send(Unmanaged.passRetained(item), ticket: ticket, port: port)
    }

    /// Emits the item being processed unchanged, moving the stage's own reference: no reference counting.
    ///
    /// Only inside `process`; only once per item; the node answers `.done`.
    public func forward(port: Int = 0) {
        guard let item, !wasForwarded else { return fail("forwards an item outside process, or twice") }
        wasForwarded = true
        send(item, ticket: item._withUnsafeGuaranteedRef { $0.ticket }, port: port)
    }

    /// Drops a frame the node has.
    public func drop(_ ticket: Ticket, cause: DropCause) { end(ticket, cause: cause) }

    /// Ends a held frame: it counts as delivered (no outputs), as passed on (emitted) or as dropped, `filtered`.
    public func finish(_ ticket: Ticket) { end(ticket, cause: nil) }

    /// Takes back that so many frames were delivered at this sink, which could not keep what it had accepted.
    ///
    /// - Parameter source: of the frames, as their tickets say.
    public func retract(_ count: Int, of source: UInt16, cause: DropCause) {
        frames.retract(UInt64(max(0, count)), of: source, cause: cause)
    }

    // MARK: For the stage

    /// Opens the frame about to be processed.
    @inline(__always)
    func begin(_ ticket: Ticket, item: Unmanaged<Item>?) {
        self.item = item
        wasForwarded = false
        frames.begin(ticket)
    }

    /// Does what the node answered about the frame being processed.
    @inline(__always)
    func complete(_ disposition: Disposition, now: UInt64) {
        item = nil
        if let rule = frames.complete(disposition, wasForwarded: wasForwarded, now: now) { fail(rule) }
    }

    /// Whether the source, having been refused, may admit now; asks to be woken otherwise.
    func waitForAdmission() -> Bool {
        guard let ledger, admissionRefused else { return false }
        return ledger.waitForAdmission()
    }

    /// Drops whatever waits to be emitted and every frame the node has.
    func dropAll(_ cause: DropCause) {
        outbox.dropAll(cause)
        frames.dropAll(cause)
        item = nil
    }

    // MARK: Both

    @inline(__always)
    private func send(_ item: Unmanaged<Item>, ticket: Ticket, port: Int) {
        tap.show(item, port: port)
        guard outbox.isConnected(port) else {
            item.release()
            // A source has one emission per frame; this one went nowhere.
            if frames.isSource { end(ticket, cause: .filtered) }
            return
        }
        if let rule = outbox.append(item, ticket: ticket, port: port) { fail(rule) }
    }

    private func end(_ ticket: Ticket, cause: DropCause?) {
        if !frames.end(ticket, cause: cause) { fail("finished frame \(ticket.sequence), which it does not have") }
    }

    private func fail(_ rule: String) {
        if fault == nil { fault = GraphError(code: .nodeMisbehaved, detail: rule) }
    }
}
