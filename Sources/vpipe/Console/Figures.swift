// SPDX-License-Identifier: Apache-2.0

/// Numbers as people read them.
enum Figures {
    /// A number with `decimals` decimals.
    static func fixed(_ value: Double, _ decimals: Int) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "-" }
        var scale = 1.0
        for _ in 0..<decimals { scale *= 10 }
        let scaled = Int((abs(value) * scale).rounded())
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard decimals > 0 else { return sign + String(scaled) }
        let part = String(scaled % Int(scale))
        return sign + String(scaled / Int(scale)) + "." + String(repeating: "0", count: decimals - part.count) + part
    }

    /// Two digits and a power of ten: `2.1e-6`.
    static func scientific(_ value: Double) -> String {
        guard value.isFinite, value != 0 else { return value == 0 ? "0" : "infinite" }
        var (digits, exponent) = (abs(value), 0)
        while digits < 1 { (digits, exponent) = (digits * 10, exponent - 1) }
        while digits >= 9.95 { (digits, exponent) = (digits / 10, exponent + 1) }
        return (value < 0 ? "-" : "") + fixed(digits, 1) + (exponent == 0 ? "" : "e\(exponent)")
    }

    /// Nanoseconds in milliseconds.
    static func milliseconds(_ nanoseconds: UInt64) -> String {
        let value = Double(nanoseconds) / 1e6
        return fixed(value, value < 10 ? 2 : value < 100 ? 1 : 0)
    }

    /// Seconds as `1:02:03`, `2:03` or `4.5 s`.
    static func span(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds < 1e9 else { return "-" }
        if seconds < 60 { return fixed(seconds, seconds < 10 ? 1 : 0) + " s" }
        let whole = Int(seconds.rounded())
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let (hours, minutes) = (whole / 3600, whole / 60 % 60)
        return hours > 0 ? "\(hours):\(two(minutes)):\(two(whole % 60))" : "\(minutes):\(two(whole % 60))"
    }

    /// Large counts with thin groups: 12,345.
    static func count(_ value: UInt64) -> String {
        var text = ""
        for (index, digit) in String(value).reversed().enumerated() {
            if index > 0, index % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }
}
