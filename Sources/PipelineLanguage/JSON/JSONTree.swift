// SPDX-License-Identifier: Apache-2.0

/// A number as it was written, with its values.
public struct JSONNumber: Sendable, Hashable {
    /// The digits of the file.
    public let text: String
    /// The nearest double, always finite.
    public let double: Double

    /// The value as an integer, when it is one exactly (`30` and `30.0`, not `30.5`).
    public var integer: Int? {
        Int(text) ?? Int(exactly: double).flatMap { $0.magnitude <= 1 << 53 ? $0 : nil }
    }

    /// Makes a number of its text and value.
    public init(text: String, double: Double) {
        self.text = text
        self.double = double
    }
}

/// What a JSON value holds; objects keep the order of the file.
public indirect enum JSONValue: Sendable {
    case null
    case boolean(Bool)
    case number(JSONNumber)
    case string(String)
    case array([JSONNode])
    case object([JSONMember])
    /// Stands for text that was no value and has been reported already; later checks pass over it.
    case invalid
}

/// One key of an object with its value.
public struct JSONMember: Sendable {
    /// The key with its escapes resolved.
    public var key: String
    /// The bytes of the key with its quotes.
    public var keyRange: Range<Int>
    /// Where the key was written.
    public var keyOrigin: Origin
    /// What stands after the colon.
    public var value: JSONNode

    /// Makes a member; parsing makes most of them.
    public init(key: String, keyRange: Range<Int>, keyOrigin: Origin = .file, value: JSONNode) {
        self.key = key
        self.keyRange = keyRange
        self.keyOrigin = keyOrigin
        self.value = value
    }

    package var keyLocation: SourceLocation { SourceLocation(offset: keyRange.lowerBound, origin: keyOrigin) }
}

/// A JSON value that knows the bytes it came from.
public struct JSONNode: Sendable {
    /// What the text stands for.
    public var value: JSONValue
    /// Byte range in the file; for a value from `--set`, the place in the file it took.
    public var range: Range<Int>
    /// Where the value was written.
    public var origin: Origin
    /// Whether the text came from outside JSON (environment, `--set`), so that `"30"` may stand for 30.
    public var isLoose = false
    /// Environment variables whose values went into the text.
    public var variables: [String] = []

    /// Makes a node; parsing makes most of them.
    public init(_ value: JSONValue, range: Range<Int> = 0..<0, origin: Origin = .file) {
        self.value = value
        self.range = range
        self.origin = origin
    }

    package var location: SourceLocation { SourceLocation(offset: range.lowerBound, origin: origin) }

    /// The value of an object's key; nil for other values and absent keys.
    public subscript(key: String) -> JSONNode? { member(key)?.value }

    /// The members of an object; empty for every other value.
    public var members: [JSONMember] {
        if case .object(let members) = value { members } else { [] }
    }

    /// The elements of an array; empty for every other value.
    public var elements: [JSONNode] {
        if case .array(let elements) = value { elements } else { [] }
    }

    /// The text of a string; nil for every other value.
    public var string: String? {
        if case .string(let text) = value { text } else { nil }
    }

    /// The value of a number; nil for every other value.
    public var number: Double? {
        if case .number(let number) = value { number.double } else { nil }
    }

    /// The value of a boolean; nil for every other value.
    public var boolean: Bool? {
        if case .boolean(let flag) = value { flag } else { nil }
    }

    package func member(_ key: String) -> JSONMember? {
        members.first { $0.key == key }
    }

    package var isInvalid: Bool {
        if case .invalid = value { true } else { false }
    }
}

/// What parsing a text gave: a tree as far as one could be made, and every problem met.
public struct JSONTree: Sendable {
    /// nil when the text is not even roughly JSON.
    public let root: JSONNode?
    /// Whether the tree holds all that the text says; false after damage that could not be bridged.
    public let isComplete: Bool
    package let problems: [Problem]

    /// Nesting beyond this is refused.
    public static let depthLimit = 64
    /// Texts longer than this are refused.
    public static let byteLimit = 1 << 20

    /// Parses strict JSON, going on after simple mistakes so that several are reported at once.
    ///
    /// Never traps, whatever the bytes are.
    public init(bytes: [UInt8]) {
        var parser = JSONParser(bytes: bytes)
        root = parser.parse()
        isComplete = parser.isComplete && root != nil
        problems = parser.problems
    }
}
