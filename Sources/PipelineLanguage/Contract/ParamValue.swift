// SPDX-License-Identifier: Apache-2.0

/// Width and height in pixels, written `"1280x720"`.
public struct PixelSize: Sendable, Hashable, CustomStringConvertible {
    /// Columns.
    public let width: Int
    /// Rows.
    public let height: Int

    /// Makes a size; nothing is checked.
    public init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }

    /// Reads `WIDTHxHEIGHT` (or with `X` or `×`), both 1 to 65,535; nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(omittingEmptySubsequences: false) { $0 == "x" || $0 == "X" || $0 == "×" }
        guard parts.count == 2, let width = plainInteger(parts[0]), let height = plainInteger(parts[1]),
            (1...65_535).contains(width), (1...65_535).contains(height)
        else { return nil }
        self.init(width: width, height: height)
    }

    /// The form that files use.
    public var description: String { "\(width)x\(height)" }
}

/// Frames per second as an exact fraction, written `30`, `29.97` or `"30000/1001"`.
public struct FrameRate: Sendable, Hashable, CustomStringConvertible {
    /// Frames in that many seconds.
    public let frames: Int32
    /// The time for that many frames.
    public let seconds: Int32

    /// Makes a rate; nothing is checked or reduced.
    public init(frames: Int32, seconds: Int32 = 1) {
        self.frames = frames
        self.seconds = seconds
    }

    /// The nearest decimal rate.
    public var perSecond: Double { Double(frames) / Double(seconds) }

    /// Takes a decimal rate; the broadcast rates (23.976, 29.97, 59.94, 119.88) become their exact fractions.
    public init?(perSecond: Double) {
        guard perSecond > 0, perSecond <= 1000 else { return nil }
        for base in [24, 30, 60, 120] where abs(perSecond - Double(base) * 1000 / 1001) < 0.005 {
            self.init(frames: Int32(base * 1000), seconds: 1001)
            return
        }
        let thousandths = (perSecond * 1000).rounded()
        guard thousandths >= 1 else { return nil }
        self.init(reducing: Int(thousandths), 1000)
    }

    /// Reads a decimal rate or a fraction above 0 and up to 1000; nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        if parts.count == 2, let frames = plainInteger(parts[0]), let seconds = plainInteger(parts[1]), seconds > 0,
            frames > 0, max(frames, seconds) <= 1_000_000_000
        {
            self.init(reducing: frames, seconds)
            guard perSecond <= 1000 else { return nil }
        } else if text.utf8.allSatisfy({ JSONParser.isDigit($0) || $0 == UInt8(ascii: ".") }), let number = Double(text)
        {
            self.init(perSecond: number)
        } else {
            return nil
        }
    }

    private init(reducing frames: Int, _ seconds: Int) {
        var (a, b) = (frames, seconds)
        while b != 0 { (a, b) = (b, a % b) }
        self.init(frames: Int32(clamping: frames / a), seconds: Int32(clamping: seconds / a))
    }

    /// The form that files use.
    public var description: String { seconds == 1 ? "\(frames)" : "\(frames)/\(seconds)" }
}

/// A validated value of a parameter.
public enum ParamValue: Sendable {
    case string(String)
    case integer(Int)
    case number(Double)
    case boolean(Bool)
    case size(PixelSize)
    case duration(Duration)
    case rate(FrameRate)
    case strings([String])
    case numbers([Double])
    case object(JSONNode)

    /// The value as a pipeline file would write it, without quotes around text.
    public var text: String {
        switch self {
        case .string(let value): value
        case .integer(let value): String(value)
        case .number(let value): plain(value)
        case .boolean(let value): value ? "true" : "false"
        case .size(let value): value.description
        case .duration(let value): durationText(value)
        case .rate(let value): value.description
        case .strings(let value): "[" + value.map(quoted).joined(separator: ", ") + "]"
        case .numbers(let value): "[" + value.map(plain).joined(separator: ", ") + "]"
        case .object(let value): JSONDocument(value).compact
        }
    }

    package var document: JSONDocument {
        switch self {
        case .string(let value): .string(value)
        case .integer(let value): .integer(value)
        case .number(let value): .number(value)
        case .boolean(let value): .boolean(value)
        case .size(let value): .string(value.description)
        case .duration(let value): .string(durationText(value))
        case .rate(let value): value.seconds == 1 ? .integer(Int(value.frames)) : .string(value.description)
        case .strings(let value): .array(value.map { .string($0) })
        case .numbers(let value): .array(value.map { .number($0) })
        case .object(let value): JSONDocument(value)
        }
    }
}

extension JSONDocument {
    /// The document a parsed value stands for.
    package init(_ node: JSONNode) {
        switch node.value {
        case .null, .invalid: self = .null
        case .boolean(let value): self = .boolean(value)
        case .number(let value): self = value.integer.map { .integer($0) } ?? .number(value.double)
        case .string(let value): self = .string(value)
        case .array(let elements): self = .array(elements.map { JSONDocument($0) })
        case .object(let members): self = .object(members.map { ($0.key, JSONDocument($0.value)) })
        }
    }
}

/// Digits only, so that "+5", "0x5" and " 5" are no integers.
package func plainInteger(_ text: some StringProtocol) -> Int? {
    guard !text.isEmpty, text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
    return Int(text)
}

/// Reads `250ms`, `1.5s`, `2m`, `1h` (`us` too), or a bare 0; nil for anything else, and beyond a year.
package func parseDuration(_ text: String) -> Duration? {
    let unitStart = text.firstIndex { !("0"..."9").contains($0) && $0 != "." } ?? text.endIndex
    guard let number = Double(text[..<unitStart]), text.first != ".", number >= 0 else { return nil }
    let scale: Double
    switch text[unitStart...].drop(while: { $0 == " " }) {
    case "us": scale = 1e-6
    case "ms": scale = 1e-3
    case "s": scale = 1
    case "m", "min": scale = 60
    case "h": scale = 3600
    case "d": scale = 86_400
    case "" where number == 0: scale = 1
    default: return nil
    }
    guard number * scale <= 3660 * 86_400 else { return nil }
    return .microseconds(Int64((number * scale * 1e6).rounded()))
}

/// The seconds of a duration with its unit, `500ms` or `2m`; nil for anything else.
public func duration(_ text: String) -> Double? { parseDuration(text).map(\.inSeconds) }

/// A duration in the largest unit that divides it.
package func durationText(_ duration: Duration) -> String {
    let parts = duration.components
    let microseconds = parts.seconds * 1_000_000 + parts.attoseconds / 1_000_000_000_000
    let units: [(String, Int64)] = [
        ("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1000),
    ]
    for (unit, size) in units
    where microseconds % size == 0 && microseconds != 0 {
        return "\(microseconds / size)\(unit)"
    }
    return microseconds == 0 ? "0" : "\(microseconds)us"
}

extension Duration {
    /// The duration in seconds.
    package var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}
