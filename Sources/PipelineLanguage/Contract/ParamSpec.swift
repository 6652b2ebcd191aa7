// SPDX-License-Identifier: Apache-2.0

/// What sort of value a parameter takes.
public enum ParamKind: Sendable, Hashable {
    case string
    case path
    case url
    case integer
    case number
    case boolean
    case enumeration([Choice])
    /// `"1280x720"`
    case size
    /// `"250ms"`, `"1.5s"`, `"2m"`, `"1h"`
    case duration
    /// Frames per second: `30`, `29.97`, `"30000/1001"`
    case rate
    /// Bits per second: `800000`, `"800k"`, `"4M"`
    case bitrate
    /// Bytes: `500000000`, `"500M"`, `"20G"`
    case bytes
    case strings
    /// `[123.7, 116.3, 103.5]`, or one number that stands for a list of one.
    case numbers
    /// Any JSON object; the node reads it itself.
    case object

    /// One allowed value of an enumeration.
    public struct Choice: Sendable, Hashable, ExpressibleByStringLiteral {
        /// The word in the file.
        public let value: String
        /// What it means, as a short phrase.
        public let doc: String

        /// Makes an allowed value.
        public init(_ value: String, _ doc: String = "") {
            self.value = value
            self.doc = doc
        }

        /// Makes an allowed value without documentation.
        public init(stringLiteral value: String) { self.init(value) }
    }

    /// The kind's name in documentation.
    public var name: String {
        switch self {
        case .string: "text"
        case .path: "path"
        case .url: "path or URL"
        case .integer: "integer"
        case .number: "number"
        case .boolean: "true or false"
        case .enumeration: "one of"
        case .size: "WIDTHxHEIGHT"
        case .duration: "duration"
        case .rate: "frame rate"
        case .bitrate: "bit rate"
        case .bytes: "bytes"
        case .strings: "list of texts"
        case .numbers: "list of numbers"
        case .object: "object"
        }
    }
}

/// Inclusive bounds of a number; a missing bound is open.
public struct ParamLimits: Sendable, Hashable {
    /// The least value allowed.
    public let lowest: Double?
    /// The greatest value allowed.
    public let highest: Double?

    /// Makes bounds; none by default.
    public init(lowest: Double? = nil, highest: Double? = nil) {
        self.lowest = lowest
        self.highest = highest
    }

    package func contains(_ value: Double) -> Bool {
        value >= lowest ?? -.infinity && value <= highest ?? .infinity
    }

    /// `between 0 and 1`, `at least 1`, `at most 9`; nil without bounds.
    package func text(unit: String?) -> String? {
        let unit = unit.map { " " + $0 } ?? ""
        return switch (lowest, highest) {
        case (let low?, let high?): "between \(plain(low)) and \(plain(high))\(unit)"
        case (let low?, nil): "at least \(plain(low))\(unit)"
        case (nil, let high?): "at most \(plain(high))\(unit)"
        case (nil, nil): nil
        }
    }
}

/// The declaration of one parameter: what the decoder, the schema and the reference pages are made from.
public struct ParamSpec: Sendable {
    /// The key in the pipeline file.
    public var name: String
    /// The sort of value.
    public var kind: ParamKind
    /// What the number counts, for messages and pages.
    public var unit: String?
    /// What the number must lie between; for sizes, each side.
    public var limits: ParamLimits
    /// What holds where the file says nothing.
    public var `default`: ParamValue?
    /// Whether the file must say it.
    public var isRequired: Bool
    /// One line of documentation.
    public var doc: String
    /// Whether the value may change while the pipeline runs.
    public var isChangeable: Bool
    /// What the value stands for to checks, plans and ladders.
    public var role: ParamRole
    /// How the parameter makes its node cheaper; nil where it does not.
    public var saving: ParamSaving?
    /// Whether a change needs another network.
    public var rebuildsNetwork = false
    /// Whether the node lets no more frames a second through than the value says.
    public var limitsRate = false
    /// Names that people try instead; they are suggested from, not accepted.
    public var synonyms: [String]

    /// Makes a declaration; node types use the typed makers of `Param`.
    public init(
        name: String, kind: ParamKind, unit: String? = nil, limits: ParamLimits = ParamLimits(),
        default: ParamValue? = nil, isRequired: Bool = false, doc: String, isChangeable: Bool = false,
        role: ParamRole = .setting, synonyms: [String] = []
    ) {
        self.name = name
        self.kind = kind
        self.unit = unit
        self.limits = limits
        self.default = `default`
        self.isRequired = isRequired
        self.doc = doc
        self.isChangeable = isChangeable
        self.role = role
        self.synonyms = synonyms
    }

    /// What a value must be, as the end of "must be ...".
    public var expectation: String {
        let bounds = limits.text(unit: unit)
        switch kind {
        case .string: return "text in double quotes"
        case .path: return "a path in double quotes"
        case .url: return "a path or URL in double quotes"
        case .integer, .number:
            let noun = kind == .integer ? "an integer" : "a number"
            guard let bounds else { return noun }
            return noun + (bounds.hasPrefix("at ") ? " of " : " ") + bounds
        case .boolean: return "true or false"
        case .enumeration(let choices): return alternatives(choices.map { quoted($0.value) })
        case .size: return "a size such as \"1280x720\""
        case .duration: return "a duration such as \"500ms\", \"2s\" or \"1m\"" + (bounds.map { ", " + $0 } ?? "")
        case .rate: return "frames per second such as 30, 29.97 or \"30000/1001\"" + (bounds.map { ", " + $0 } ?? "")
        case .bitrate: return "bits per second such as 800000, \"800k\" or \"4M\"" + (bounds.map { ", " + $0 } ?? "")
        case .bytes: return "bytes such as 500000000, \"500M\" or \"20G\"" + (bounds.map { ", " + $0 } ?? "")
        case .strings: return "a list of texts such as [\"a\", \"b\"]"
        case .numbers: return "a number or a list of numbers such as [0.5, 1]" + (bounds.map { ", each " + $0 } ?? "")
        case .object: return "an object"
        }
    }
}

/// `a`, `a or b`, `a, b or c`.
package func alternatives(_ items: [String]) -> String {
    guard let last = items.last, items.count > 1 else { return items.first ?? "" }
    return items.dropLast().joined(separator: ", ") + " or " + last
}
