// SPDX-License-Identifier: Apache-2.0
internal import CV4L2
internal import Dataflow
internal import Glibc

/// The system calls that cameras are worked with, replaceable so that tests can make any of them fail.
///
/// Statuses are errno numbers, 0 for success. Calls interrupted by a signal are repeated.
struct VideoSystem: Sendable {
    /// What ended a wait; empty when the time was up.
    struct Readiness: OptionSet, Sendable {
        let rawValue: UInt8
        /// A buffer can be taken, or room is there for one.
        static let ready = Readiness(rawValue: 1)
        /// The driver has an event.
        static let event = Readiness(rawValue: 2)
        /// The device reports an error or is gone.
        static let broken = Readiness(rawValue: 4)
        /// Somebody wants the waiting to end.
        static let woken = Readiness(rawValue: 8)
    }

    /// Opens a device for reading and writing without blocking; a descriptor, or minus an errno.
    var open: @Sendable (_ path: String) -> Int32
    /// Closes a descriptor that `open` gave.
    var close: @Sendable (_ descriptor: Int32) -> Void
    /// One request to the driver.
    var control: @Sendable (_ descriptor: Int32, _ request: UInt, _ argument: UnsafeMutableRawPointer) -> Int32
    /// Has libv4l2 convert for a descriptor from here on; true when it does.
    var emulate: @Sendable (_ descriptor: Int32) -> Bool
    /// Maps a driver's buffer, a readable page behind it unless it is libv4l2's own; nil when refused.
    var map:
        @Sendable (_ descriptor: Int32, _ length: Int, _ offset: Int64, _ isEmulated: Bool) -> UnsafeMutableRawPointer?
    /// Takes back what `map` gave.
    var unmap: @Sendable (_ address: UnsafeMutableRawPointer, _ length: Int, _ isEmulated: Bool) -> Void
    /// Writes a whole picture; 0 or an errno.
    var write: @Sendable (_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int32
    /// Waits for `descriptor` (-1: none) or for `wake`, `nanoseconds` at most.
    var wait: @Sendable (_ descriptor: Int32, _ wake: Int32, _ nanoseconds: UInt64) -> Readiness
    /// Monotonic nanoseconds, the clock that drivers stamp buffers with.
    var now: @Sendable () -> UInt64

    /// The machine's own.
    static let live = VideoSystem(
        open: { path in
            while true {
                let descriptor = Glibc.open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)
                if descriptor >= 0 { return descriptor }
                if errno != EINTR { return -errno }
            }
        },
        close: { _ = v4l2_close($0) },
        control: { descriptor, request, argument in
            while vpipe_v4l2_ioctl(descriptor, request, argument) < 0 {
                if errno != EINTR { return errno }
            }
            return 0
        },
        emulate: { vpipe_v4l2_emulate($0) >= 0 },
        map: mapBuffer, unmap: unmapBuffer,
        write: { descriptor, bytes, count in
            while true {
                let written = Glibc.write(descriptor, bytes, count)
                if written == count { return 0 }
                if written >= 0 { return EIO }
                if errno != EINTR { return errno }
            }
        },
        wait: waitForDevice, now: { MonotonicClock.system.now() })

    /// Kernels that convert pictures may read one vector past the last row, and a buffer may end with its page.
    private static let guardBytes = Int(getpagesize())

    private static func mapBuffer(
        _ descriptor: Int32, _ length: Int, _ offset: Int64, _ isEmulated: Bool
    ) -> UnsafeMutableRawPointer? {
        if isEmulated {
            let address = v4l2_mmap(nil, length, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, offset)
            return address == MAP_FAILED ? nil : address
        }
        guard let room = mmap(nil, length + guardBytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            room != MAP_FAILED
        else { return nil }
        let address = mmap(room, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptor, off_t(offset))
        if address == room { return room }
        munmap(room, length + guardBytes)
        return nil
    }

    private static func unmapBuffer(_ address: UnsafeMutableRawPointer, _ length: Int, _ isEmulated: Bool) {
        if isEmulated { _ = v4l2_munmap(address, length) } else { munmap(address, length + guardBytes) }
    }

    private static func waitForDevice(_ descriptor: Int32, _ wake: Int32, _ nanoseconds: UInt64) -> Readiness {
        var polled = (
            pollfd(fd: descriptor, events: Int16(POLLIN | POLLPRI), revents: 0),
            pollfd(fd: wake, events: Int16(POLLIN), revents: 0)
        )
        let milliseconds = Int32(clamping: (nanoseconds &+ 999_999) / 1_000_000)
        let status = withUnsafeMutablePointer(to: &polled) { pair in
            pair.withMemoryRebound(to: pollfd.self, capacity: 2) { poll($0, 2, milliseconds) }
        }
        guard status > 0 else { return [] }
        var result: Readiness = []
        if polled.0.revents & Int16(POLLIN) != 0 { result.insert(.ready) }
        if polled.0.revents & Int16(POLLPRI) != 0 { result.insert(.event) }
        if polled.0.revents & Int16(POLLERR | POLLHUP | POLLNVAL) != 0 { result.insert(.broken) }
        if polled.1.revents != 0 { result.insert(.woken) }
        return result
    }
}

/// Ends waits from another thread: an eventfd that stays raised.
///
/// Thread-safe.
final class WakeEvent: Sendable {
    /// What `VideoSystem.wait` watches; -1 where the process has no descriptors left, so that waits run out by time.
    let descriptor: Int32 = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Ends the wait under way and all to come.
    func raise() { _ = eventfd_write(descriptor, 1) }
}
