// SPDX-License-Identifier: Apache-2.0
#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The clock of a graph: nanoseconds that never step back.
///
/// - Note: Thread-safety: thread-safe; reading the system clock is realtime-safe.
public struct MonotonicClock: Sendable {
    private let replacement: (@Sendable () -> UInt64)?

    /// The machine's `CLOCK_MONOTONIC`, the clock V4L2 stamps its buffers with.
    public static let system = MonotonicClock(replacement: nil)

    /// A clock for tests.
    ///
    /// `read` may be called from any thread and must not step back.
    public static func custom(_ read: @escaping @Sendable () -> UInt64) -> MonotonicClock {
        MonotonicClock(replacement: read)
    }

    private init(replacement: (@Sendable () -> UInt64)?) {
        self.replacement = replacement
    }

    /// Nanoseconds that make an instant of the machine's clock one since 1970, at present.
    static var wallOffset: Int64 {
        var (wall, monotonic) = (timespec(), timespec())
        clock_gettime(CLOCK_REALTIME, &wall)
        clock_gettime(CLOCK_MONOTONIC, &monotonic)
        return (Int64(wall.tv_sec) - Int64(monotonic.tv_sec)) * 1_000_000_000 + Int64(wall.tv_nsec)
            - Int64(monotonic.tv_nsec)
    }

    /// The present instant in nanoseconds since an arbitrary origin.
    @inline(__always)
    public func now() -> UInt64 {
        if let replacement { return replacement() }
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(truncatingIfNeeded: time.tv_sec) &* 1_000_000_000 &+ UInt64(truncatingIfNeeded: time.tv_nsec)
    }
}
