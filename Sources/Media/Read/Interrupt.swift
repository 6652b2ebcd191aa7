// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import Dataflow
internal import Synchronization

/// A switch that unblocks FFmpeg: thrown by a stop, by a deadline that passes, or by a packet that has no end.
///
/// Thread-safe. It must outlive the contexts that refer to it, whose owners retain it.
public final class Interrupt: Sendable {
    private let requested = Atomic<Bool>(false)
    /// Monotonic nanoseconds; 0 is none.
    private let deadline = Atomic<UInt64>(0)
    /// Whether the limit ended a call.
    ///
    /// FFmpeg may hand out what it has before it says so, under a new limit.
    private let hasEndedCall = Atomic<Bool>(false)
    /// What the packet at hand is read from, and how much it has taken so far; used by the owner's thread.
    private let watched = Atomic<UInt>(0)
    private let position = Atomic<Int64>(0)
    private let taken = Atomic<Int64>(0)
    private let largest = Atomic<Int64>(.max)
    private let isOverfull = Atomic<Bool>(false)

    /// Makes a switch that is off.
    public init() {}

    /// Makes every operation that watches this switch return with `interrupted`, now and later.
    public func cancel() { requested.store(true, ordering: .releasing) }

    /// Whether `cancel` was called.
    public var isCancelled: Bool { requested.load(ordering: .acquiring) }

    /// Limits what follows to `seconds` from now; nil lifts the limit.
    ///
    /// Called by the owner of the operation.
    func allow(_ seconds: Double?) {
        guard let seconds, seconds > 0, seconds < 1e9 else { return deadline.store(0, ordering: .relaxed) }
        deadline.store(Self.now + UInt64(seconds * 1e9), ordering: .relaxed)
    }

    /// Forgets that a limit ended calls: a new connection begins.
    func rearm() {
        hasEndedCall.store(false, ordering: .relaxed)
        isOverfull.store(false, ordering: .relaxed)
    }

    /// Counts what is read from `io` from now on, which must not be freed before another, or nil, is watched.
    func watch(_ io: UnsafeMutablePointer<AVIOContext>?, largest bytes: Int64) {
        watched.store(UInt(bitPattern: io), ordering: .relaxed)
        position.store(io?.pointee.pos ?? 0, ordering: .relaxed)
        largest.store(bytes, ordering: .relaxed)
        taken.store(0, ordering: .relaxed)
    }

    /// Whether `io` is what is watched.
    func watches(_ io: UnsafeMutablePointer<AVIOContext>?) -> Bool {
        watched.load(ordering: .relaxed) == UInt(bitPattern: io)
    }

    /// A new packet begins.
    func beginPacket() { taken.store(0, ordering: .relaxed) }

    /// Whether a packet was larger than may be; said until `rearm`.
    var hasOverflown: Bool { isOverfull.load(ordering: .relaxed) }

    /// Counts the way from the last position, unless it was a jump.
    private func measure() -> Bool {
        guard let io = UnsafeMutablePointer<AVIOContext>(bitPattern: watched.load(ordering: .relaxed)) else {
            return true
        }
        let now = io.pointee.pos
        let step = now &- position.exchange(now, ordering: .relaxed)
        guard (1..<(1 << 24)).contains(step) else { return true }
        let sum = taken.wrappingAdd(step, ordering: .relaxed).newValue
        if sum <= largest.load(ordering: .relaxed) { return true }
        isOverfull.store(true, ordering: .relaxed)
        return false
    }

    /// Whether the limit has passed.
    var isExpired: Bool {
        let deadline = deadline.load(ordering: .relaxed)
        return deadline != 0 && Self.now >= deadline
    }

    /// The callback FFmpeg polls while it waits.
    ///
    /// The context must not outlive `self`.
    var callback: AVIOInterruptCB {
        AVIOInterruptCB(
            callback: { opaque in
                guard let opaque else { return 0 }
                let interrupt = Unmanaged<Interrupt>.fromOpaque(opaque).takeUnretainedValue()
                if interrupt.isCancelled || !interrupt.measure() { return 1 }
                guard interrupt.isExpired else { return 0 }
                interrupt.hasEndedCall.store(true, ordering: .relaxed)
                return 1
            }, opaque: Unmanaged.passUnretained(self).toOpaque())
    }

    /// What a failure means, given the state of the switch.
    func explain(_ error: MediaError) -> MediaError {
        if isCancelled { return MediaError(.interrupted, operation: error.operation, detail: "interrupted") }
        if hasOverflown {
            return MediaError(
                .notMedia, operation: error.operation,
                detail: "announces a picture of more than \(largest.load(ordering: .relaxed) >> 20) MB")
        }
        if isExpired || hasEndedCall.load(ordering: .relaxed) {
            return MediaError(.timedOut, operation: error.operation, detail: "no data within the time allowed")
        }
        return error
    }

    private static var now: UInt64 { MonotonicClock.system.now() }
}
