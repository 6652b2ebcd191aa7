// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// The frames a node answers for: each must still be emitted, dropped or finished.
///
/// These are the frame being processed, those it holds and, in a source, those it has admitted but not emitted. Each
/// stands for one token of the frame in its source's ledger (see `Ledger`); when the node is done with the frame, the
/// token goes along with the frame's last emission, or is released with the frame's fate.
/// - Note: Thread-safety: used in the stage's runs only, except for the atomics.
final class OpenFrames {
    struct OpenFrame: BitwiseCopyable {
        var ticket: Ticket
        /// Emissions that wait in the outbox without tokens of their own.
        var waitingEmissions = 0
        var hasEmitted = false
        /// The node has emitted it for good, dropped it or finished it.
        var isFinished = false
        /// Its token was released, or went along with an emission.
        var isReleased = false
        var isOpen = false
    }

    /// The place of this stage in the ledgers.
    let place: Int
    let isSource: Bool
    let isSink: Bool
    private let maxHeld: Int
    private let clock: MonotonicClock
    private let ledgers: [Ledger]
    /// How the sources' stages are woken, by source.
    private let sourceWakeups: [Wakeup]

    // What changes with every frame is not checked for exclusive access: a stage's runs never overlap.
    @exclusivity(unchecked) private var current = OpenFrame(ticket: Ticket(source: 0, sequence: 0, capturedAt: 0))
    @exclusivity(unchecked) private var held: FlatList<OpenFrame>
    /// One past the newest sequence number the stage has taken in (or, in a source, admitted).
    @exclusivity(unchecked) private(set) var takenBelow: UInt64 = 0

    /// The source of that frame.
    @exclusivity(unchecked) private(set) var takenSource: UInt16 = 0

    /// What happened here lately.
    let trace = TraceRing()
    /// From capture to delivery; recorded by sinks.
    let endToEnd = LatencyHistogram()
    /// When the last frame that a sink delivered had been captured.
    let lastCapturedAt = Atomic<UInt64>(0)

    init(
        place: Int, isSource: Bool, isSink: Bool, maxHeld: Int, clock: MonotonicClock, ledgers: [Ledger],
        sourceWakeups: [Wakeup]
    ) {
        self.place = place
        self.isSource = isSource
        self.isSink = isSink
        self.maxHeld = maxHeld
        self.clock = clock
        self.ledgers = ledgers
        self.sourceWakeups = sourceWakeups
        held = FlatList(capacity: max(8, maxHeld + 1))
    }

    deinit { held.free() }

    // MARK: Opening

    /// Opens a frame that this source has admitted.
    func admit(_ ticket: Ticket) {
        var frame = OpenFrame(ticket: ticket)
        frame.isOpen = true
        held.append(frame)
        takenBelow = ticket.sequence &+ 1
        takenSource = ticket.source
    }

    /// Opens the frame about to be processed.
    @inline(__always)
    func begin(_ ticket: Ticket) {
        current = OpenFrame(ticket: ticket)
        current.isOpen = true
        takenBelow = ticket.sequence &+ 1
        takenSource = ticket.source
    }

    // MARK: Emissions

    /// Counts an emission that goes to the outbox; false when the node does not have the frame.
    @inline(__always)
    func countEmission(_ ticket: Ticket) -> Bool {
        if isCurrent(ticket) {
            current.waitingEmissions += 1
            current.hasEmitted = true
            return true
        }
        guard let i = heldIndex(ticket) else { return false }
        held[i].waitingEmissions += 1
        held[i].hasEmitted = true
        // A source is done with a frame once it has emitted it.
        if isSource { held[i].isFinished = true }
        return true
    }

    /// Adds one token per edge for an emission that leaves the outbox; the frame's own token goes along with its last
    /// emission once the node is done with the frame.
    @inline(__always)
    func addTokens(_ ticket: Ticket, edges: Int) {
        let ledger = ledgers[Int(ticket.source)]
        if current.isOpen, current.ticket.sequence == ticket.sequence {
            current.waitingEmissions -= 1
            if current.isFinished, current.waitingEmissions == 0 {
                current.isReleased = true
                current.isOpen = false
                if edges > 1 { ledger.add(edges - 1, to: ticket.sequence) }
            } else {
                ledger.add(edges, to: ticket.sequence)
            }
            return
        }
        var i = 0
        while i < held.count, held[i].ticket.sequence != ticket.sequence { i += 1 }
        guard i < held.count else {
            // Not reached: `countEmission` refuses frames that are not open, and a frame outlives its emissions.
            return ledger.countUnexpected()
        }
        held[i].waitingEmissions -= 1
        if held[i].isFinished, held[i].waitingEmissions == 0 {
            held.remove(at: i)
            if edges > 1 { ledger.add(edges - 1, to: ticket.sequence) }
        } else {
            ledger.add(edges, to: ticket.sequence)
        }
    }

    // MARK: Ending

    /// Does what the node answered about the frame being processed; returns the rule that the answer breaks, if any.
    @inline(__always)
    func complete(_ disposition: Disposition, wasForwarded: Bool, now: UInt64) -> String? {
        switch disposition {
        case .done:
            if !current.isFinished { finish(&current, cause: nil, now: now) }
            if current.isReleased { current.isOpen = false }
        case .held:
            if current.isFinished {
                if current.isReleased { current.isOpen = false }
            } else if wasForwarded {
                return "forwarded an item and held it"
            } else if held.count >= maxHeld {
                return "held more items than its maxHeld of \(maxHeld)"
            } else {
                held.append(current)
                current.isOpen = false
            }
        case .busy:
            if current.isFinished || current.hasEmitted { return "answered busy after it had used the item" }
        }
        return nil
    }

    /// Ends a frame, dropped if there is a cause; false when the node does not have it.
    func end(_ ticket: Ticket, cause: DropCause?) -> Bool {
        if isCurrent(ticket) {
            finish(&current, cause: cause, now: nil)
            return true
        }
        guard let i = heldIndex(ticket) else { return false }
        finish(&held[i], cause: cause, now: nil)
        if held[i].isReleased { held.remove(at: i) }
        return true
    }

    /// Marks a frame finished and, when no emission waits to take its token along, releases the token.
    @inline(__always)
    private func finish(_ frame: inout OpenFrame, cause: DropCause?, now: UInt64?) {
        frame.isFinished = true
        if frame.waitingEmissions > 0 {
            if let cause {
                ledgers[Int(frame.ticket.source)].noteDrop(frame.ticket.sequence, place: place, cause: cause)
                note(.dropped, frame.ticket, place: place, cause: cause)
            }
            return
        }
        frame.isReleased = true
        if let cause {
            release(frame.ticket, .dropped(place: place, cause: cause))
        } else if isSink {
            let instant = now ?? clock.now()
            lastCapturedAt.store(frame.ticket.capturedAt, ordering: .relaxed)
            endToEnd.record(nanoseconds: instant > frame.ticket.capturedAt ? instant &- frame.ticket.capturedAt : 0)
            trace.record(
                .delivered, at: instant, source: frame.ticket.source, sequence: frame.ticket.sequence, place: place)
            release(frame.ticket, .delivered)
        } else if frame.hasEmitted {
            release(frame.ticket, .merged)
        } else {
            release(frame.ticket, .dropped(place: place, cause: .filtered))
        }
    }

    /// Takes back that frames of a source were delivered here.
    func retract(_ count: UInt64, of source: UInt16, cause: DropCause) {
        ledgers[Int(source)].retract(count, place: place, cause: cause)
    }

    /// Releases a token and wakes the source if it waits for the frame's record.
    @inline(__always)
    func release(_ ticket: Ticket, _ end: Ledger.End) {
        let source = Int(ticket.source)
        switch end {
        case .merged, .delivered: break
        case .dropped(let place, let cause): note(.dropped, ticket, place: place, cause: cause)
        case .contributed(let place): note(.contributed, ticket, place: place)
        }
        if ledgers[source].release(ticket.sequence, end) { sourceWakeups[source].poke() }
    }

    /// What `finish` does not tell itself.
    private func note(_ kind: TraceEvent.Kind, _ ticket: Ticket, place: Int, cause: DropCause = .filtered) {
        trace.record(
            kind, at: clock.now(), source: ticket.source, sequence: ticket.sequence, place: place, cause: cause)
    }

    /// Drops an item that never reached the node.
    func discard(_ item: Unmanaged<Item>, cause: DropCause) {
        release(item._withUnsafeGuaranteedRef { $0.ticket }, .dropped(place: place, cause: cause))
        item.release()
    }

    /// Drops the frames the node holds.
    func dropHeld(_ cause: DropCause) {
        for i in 0..<held.count where !held[i].isReleased {
            release(held[i].ticket, .dropped(place: place, cause: cause))
        }
        held.removeAll()
    }

    /// Drops every frame the node answers for.
    func dropAll(_ cause: DropCause) {
        dropHeld(cause)
        if current.isOpen, !current.isReleased { release(current.ticket, .dropped(place: place, cause: cause)) }
        current.isOpen = false
    }

    // MARK: Looking

    /// The lowest sequence number among the open frames and `limit`.
    func lowest(_ limit: UInt64) -> UInt64 {
        var limit = limit
        if held.count > 0 { limit = min(limit, held[0].ticket.sequence) }
        if current.isOpen { limit = min(limit, current.ticket.sequence) }
        return limit
    }

    @inline(__always)
    private func isCurrent(_ ticket: Ticket) -> Bool {
        current.isOpen && !current.isFinished && current.ticket.sequence == ticket.sequence
            && current.ticket.source == ticket.source
    }

    private func heldIndex(_ ticket: Ticket) -> Int? {
        var i = 0
        while i < held.count {
            let frame = held[i]
            if !frame.isFinished, frame.ticket.sequence == ticket.sequence, frame.ticket.source == ticket.source {
                return i
            }
            i += 1
        }
        return nil
    }
}
