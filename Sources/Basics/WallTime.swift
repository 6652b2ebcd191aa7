// SPDX-License-Identifier: Apache-2.0
#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// An instant of the calendar, as the system's clock has it: it may step when somebody sets the clock.
public struct WallTime: Sendable, Hashable, Comparable {
    /// Nanoseconds since 1970 in UTC.
    public let nanoseconds: Int64

    /// Makes an instant.
    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// Makes an instant of seconds since 1970.
    public init(seconds: Double) { nanoseconds = Int64(max(-9e18, min(9e18, seconds * 1e9))) }

    /// The present.
    public static var now: WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(nanoseconds: Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec))
    }

    /// When something happened whose instant on the monotonic clock is known, as that and the calendar stand now.
    ///
    /// - Parameters:
    ///   - instant: nanoseconds of `CLOCK_MONOTONIC`, or of the clock that `present` was read from.
    ///   - present: what the same clock says now.
    public static func of(instant: UInt64, present: UInt64, now: WallTime = .now) -> WallTime {
        WallTime(nanoseconds: now.nanoseconds &- Int64(truncatingIfNeeded: present &- instant))
    }

    /// Seconds since 1970.
    public var seconds: Double { Double(nanoseconds) / 1e9 }

    /// Orders by time.
    public static func < (left: WallTime, right: WallTime) -> Bool { left.nanoseconds < right.nanoseconds }

    /// RFC 3339 in UTC with milliseconds: `2026-03-01T08:15:02.040Z`.
    public var rfc3339: String {
        String(unsafeUninitializedCapacity: 32) { buffer in
            write(to: buffer)
            return 24
        }
    }

    /// Writes the 24 bytes of `rfc3339`.
    public func write(to buffer: UnsafeMutableBufferPointer<UInt8>) {
        let (secondsWhole, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        let second = rest < 0 ? secondsWhole - 1 : secondsWhole
        let milliseconds = Int((rest < 0 ? rest + 1_000_000_000 : rest) / 1_000_000)
        var clock = time_t(second)
        var fields = tm()
        gmtime_r(&clock, &fields)
        var at = 0
        func put(_ value: Int, _ digits: Int, _ end: Character) {
            var rest = value
            for place in stride(from: digits - 1, through: 0, by: -1) {
                buffer[at + place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            }
            buffer[at + digits] = end.asciiValue ?? 0
            at += digits + 1
        }
        put(max(0, min(9999, Int(fields.tm_year) + 1900)), 4, "-")
        put(Int(fields.tm_mon) + 1, 2, "-")
        put(Int(fields.tm_mday), 2, "T")
        put(Int(fields.tm_hour), 2, ":")
        put(Int(fields.tm_min), 2, ":")
        put(Int(fields.tm_sec), 2, ".")
        put(milliseconds, 3, "Z")
    }
}

/// Which clock on the wall names and boundaries of files follow.
public enum TimeZoneChoice: String, Sendable, CaseIterable {
    /// That of the machine, `TZ` or /etc/localtime.
    case local
    /// Coordinated universal time.
    case utc

    /// What strftime(3) makes of one conversion at an instant.
    package func text(_ conversion: Character, at time: WallTime) -> String {
        var fields = fields(of: time)
        var buffer = [CChar](repeating: 0, count: 128)
        let count = strftime(&buffer, buffer.count, "%\(conversion)", &fields)
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func fields(of time: WallTime) -> tm {
        let (quotient, rest) = time.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        var clock = time_t(rest < 0 ? quotient - 1 : quotient)
        var fields = tm()
        switch self {
        case .local: localtime_r(&clock, &fields)
        case .utc: gmtime_r(&clock, &fields)
        }
        return fields
    }

    /// Seconds that the clock on the wall is ahead of UTC.
    package func offset(at time: WallTime) -> Int { self == .utc ? 0 : Int(fields(of: time).tm_gmtoff) }
}

/// Notices when the calendar's clock is set: compares it with the monotonic one.
///
/// A value; the caller asks it from time to time.
package struct ClockSteps: Sendable {
    /// A difference that no adjustment of the clock's rate makes between two looks.
    package static let least = 0.5

    private var difference: Int64?

    package init() {}

    /// Takes both clocks; seconds that the calendar was set forward (or, below zero, back) since the last look.
    package mutating func look(monotonic: UInt64, wall: WallTime = .now) -> Double? {
        let new = wall.nanoseconds &- Int64(truncatingIfNeeded: monotonic)
        defer { difference = new }
        guard let difference else { return nil }
        let step = Double(new &- difference) / 1e9
        return abs(step) >= Self.least ? step : nil
    }
}

extension WallTime {
    /// Reads what `rfc3339` writes: UTC, whole seconds or a fraction; nil for anything else.
    public init?(rfc3339 text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes[10] == UInt8(ascii: "T"), bytes.last == UInt8(ascii: "Z") else { return nil }
        func number(_ from: Int, _ count: Int) -> Int? {
            bytes[from..<from + count].reduce(Int?.some(0)) { sum, byte in
                guard let sum, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
                return sum * 10 + Int(byte - UInt8(ascii: "0"))
            }
        }
        guard let year = number(0, 4), let month = number(5, 2), let day = number(8, 2), let hour = number(11, 2),
            let minute = number(14, 2), let second = number(17, 2)
        else { return nil }
        var fields = tm()
        fields.tm_year = Int32(year - 1900)
        fields.tm_mon = Int32(month - 1)
        fields.tm_mday = Int32(day)
        fields.tm_hour = Int32(hour)
        fields.tm_min = Int32(minute)
        fields.tm_sec = Int32(second)
        var fraction: Int64 = 0
        if bytes[19] == UInt8(ascii: ".") {
            let digits = min(9, bytes.count - 21)
            guard digits > 0, let value = number(20, digits) else { return nil }
            fraction = Int64(value)
            for _ in digits..<9 { fraction *= 10 }
        }
        self.init(nanoseconds: Int64(timegm(&fields)) &* 1_000_000_000 &+ fraction)
    }
}
