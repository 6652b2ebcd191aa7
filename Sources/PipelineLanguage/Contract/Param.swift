// SPDX-License-Identifier: Apache-2.0

/// Something a contract can list as a parameter: a `Param` of any value type.
public protocol ParamDeclaration: Sendable {
    var spec: ParamSpec { get }
}

/// A typed key: declares a parameter once, and reads its value from `Settings` afterwards.
///
/// Without a default the parameter is required; `.optional` makes its absence nil instead.
public struct Param<Value: Sendable>: ParamDeclaration {
    /// The declaration without its Swift type.
    public let spec: ParamSpec
    package let read: @Sendable (ParamValue) -> Value?
    /// What reading gives where nothing was written and there is no default; nil for a required parameter.
    package let absent: Value?

    package init(_ spec: ParamSpec, read: @escaping @Sendable (ParamValue) -> Value?) {
        var spec = spec
        spec.isRequired = spec.default == nil
        self.spec = spec
        self.read = read
        absent = nil
    }

    private init(spec: ParamSpec, read: @escaping @Sendable (ParamValue) -> Value?, absent: Value?) {
        self.spec = spec
        self.read = read
        self.absent = absent
    }

    /// The same parameter with another declaration.
    func with(_ change: (inout ParamSpec) -> Void) -> Param {
        var spec = spec
        change(&spec)
        return Param(spec: spec, read: read, absent: absent)
    }

    /// The same parameter, for a node that cannot change it while running.
    public var fixed: Param {
        with {
            $0.isChangeable = false
            $0.saving = nil
        }
    }

    /// The same parameter, not required: nil where nothing is written.
    public var optional: Param<Value?> {
        var spec = spec
        spec.isRequired = false
        spec.default = nil
        let inner = read
        return Param<Value?>(spec: spec, read: { inner($0).map { .some($0) } }, absent: .some(nil))
    }
}

extension Param where Value == String {
    /// A parameter that takes any text.
    public static func string(
        _ name: String, default value: String? = nil, changeable: Bool = false, synonyms: [String] = [], doc: String
    ) -> Param {
        text(name, .string, value, changeable, synonyms, doc)
    }

    /// A parameter that takes a file path; `role` says what the node does with it.
    public static func path(
        _ name: String, default value: String? = nil, role: ParamRole = .input(), synonyms: [String] = [], doc: String
    ) -> Param {
        text(name, .path, value, false, synonyms, doc, role)
    }

    /// A parameter that takes a path or a URL.
    public static func url(
        _ name: String, default value: String? = nil, role: ParamRole = .input(), synonyms: [String] = [], doc: String
    ) -> Param {
        text(name, .url, value, false, synonyms, doc, role)
    }

    /// A parameter that takes one of a list of words.
    public static func choice(
        _ name: String, of choices: [ParamKind.Choice], default value: String? = nil, changeable: Bool = false,
        synonyms: [String] = [], doc: String
    ) -> Param {
        text(name, .enumeration(choices), value, changeable, synonyms, doc)
    }

    private static func text(
        _ name: String, _ kind: ParamKind, _ value: String?, _ changeable: Bool, _ synonyms: [String], _ doc: String,
        _ role: ParamRole = .setting
    ) -> Param {
        let spec = ParamSpec(
            name: name, kind: kind, default: value.map { .string($0) }, doc: doc, isChangeable: changeable,
            role: role, synonyms: synonyms)
        return Param(spec) { if case .string(let text) = $0 { text } else { nil } }
    }
}

extension Param where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// A parameter that takes one of the raw values of a Swift enumeration.
    public static func choice(
        _ name: String, default value: Value? = nil, changeable: Bool = false, synonyms: [String] = [],
        docs: [String: String] = [:], doc: String
    ) -> Param {
        let choices = Value.allCases.map { ParamKind.Choice($0.rawValue, docs[$0.rawValue] ?? "") }
        let spec = ParamSpec(
            name: name, kind: .enumeration(choices), default: value.map { .string($0.rawValue) }, doc: doc,
            isChangeable: changeable, synonyms: synonyms)
        return Param(spec) { if case .string(let text) = $0 { Value(rawValue: text) } else { nil } }
    }
}

extension Param where Value == Int {
    /// A parameter that takes an integer.
    public static func integer(
        _ name: String, default value: Int? = nil, range: ClosedRange<Int>? = nil, atLeast: Int? = nil,
        unit: String? = nil, changeable: Bool = false, synonyms: [String] = [], doc: String
    ) -> Param {
        let limits = ParamLimits(
            lowest: (range?.lowerBound ?? atLeast).map { Double($0) }, highest: range.map { Double($0.upperBound) })
        let spec = ParamSpec(
            name: name, kind: .integer, unit: unit, limits: limits, default: value.map { .integer($0) }, doc: doc,
            isChangeable: changeable, synonyms: synonyms)
        return Param(spec) { if case .integer(let value) = $0 { value } else { nil } }
    }

    /// A parameter that takes bits per second.
    public static func bitrate(
        _ name: String, default value: Int? = nil, range: ClosedRange<Int> = 1000...1_000_000_000,
        changeable: Bool = false, synonyms: [String] = [], doc: String
    ) -> Param {
        let limits = ParamLimits(lowest: Double(range.lowerBound), highest: Double(range.upperBound))
        let spec = ParamSpec(
            name: name, kind: .bitrate, unit: "bit/s", limits: limits, default: value.map { .integer($0) }, doc: doc,
            isChangeable: changeable, synonyms: synonyms)
        return Param(spec) { if case .integer(let value) = $0 { value } else { nil } }
    }
}

extension Param where Value == Int {
    /// A parameter that takes bytes of a file or a disk.
    public static func bytes(
        _ name: String, default value: Int? = nil, range: ClosedRange<Int> = 1...1_000_000_000_000_000,
        changeable: Bool = false, synonyms: [String] = [], doc: String
    ) -> Param {
        let limits = ParamLimits(lowest: Double(range.lowerBound), highest: Double(range.upperBound))
        let spec = ParamSpec(
            name: name, kind: .bytes, unit: "bytes", limits: limits, default: value.map { .integer($0) }, doc: doc,
            isChangeable: changeable, synonyms: synonyms)
        return Param(spec) { if case .integer(let value) = $0 { value } else { nil } }
    }
}

extension Param where Value == Double {
    /// A parameter that takes a number.
    public static func number(
        _ name: String, default value: Double? = nil, range: ClosedRange<Double>? = nil, atLeast: Double? = nil,
        unit: String? = nil, changeable: Bool = false, synonyms: [String] = [], doc: String
    ) -> Param {
        let limits = ParamLimits(lowest: range?.lowerBound ?? atLeast, highest: range?.upperBound)
        let spec = ParamSpec(
            name: name, kind: .number, unit: unit, limits: limits, default: value.map { .number($0) }, doc: doc,
            isChangeable: changeable, synonyms: synonyms)
        return Param(spec) { if case .number(let value) = $0 { value } else { nil } }
    }
}

extension Param where Value == Bool {
    /// A parameter that takes true or false.
    public static func boolean(
        _ name: String, default value: Bool? = nil, changeable: Bool = false, synonyms: [String] = [], doc: String
    ) -> Param {
        let spec = ParamSpec(
            name: name, kind: .boolean, default: value.map { .boolean($0) }, doc: doc, isChangeable: changeable,
            synonyms: synonyms)
        return Param(spec) { if case .boolean(let value) = $0 { value } else { nil } }
    }
}

extension Param where Value == PixelSize {
    /// A parameter that takes `"WIDTHxHEIGHT"`; the range bounds each side.
    public static func size(
        _ name: String, default value: PixelSize? = nil, range: ClosedRange<Int> = 1...16_384,
        changeable: Bool = false, synonyms: [String] = [], doc: String
    ) -> Param {
        let limits = ParamLimits(lowest: Double(range.lowerBound), highest: Double(range.upperBound))
        let spec = ParamSpec(
            name: name, kind: .size, unit: "pixels", limits: limits, default: value.map { .size($0) }, doc: doc,
            isChangeable: changeable, synonyms: synonyms)
        return Param(spec) { if case .size(let value) = $0 { value } else { nil } }
    }
}

extension Param where Value == Duration {
    /// A parameter that takes a duration with its unit; the range is in seconds.
    public static func duration(
        _ name: String, default value: Duration? = nil, seconds range: ClosedRange<Double>? = nil,
        changeable: Bool = false, synonyms: [String] = [], doc: String
    ) -> Param {
        let limits = ParamLimits(lowest: range?.lowerBound, highest: range?.upperBound)
        let spec = ParamSpec(
            name: name, kind: .duration, unit: "s", limits: limits, default: value.map { .duration($0) }, doc: doc,
            isChangeable: changeable, synonyms: synonyms)
        return Param(spec) { if case .duration(let value) = $0 { value } else { nil } }
    }
}

extension Param where Value == FrameRate {
    /// A parameter that takes frames per second, above 0 and up to 1000.
    public static func rate(
        _ name: String, default value: FrameRate? = nil, changeable: Bool = false, synonyms: [String] = [], doc: String
    ) -> Param {
        let spec = ParamSpec(
            name: name, kind: .rate, unit: "fps", default: value.map { .rate($0) }, doc: doc, isChangeable: changeable,
            synonyms: synonyms)
        return Param(spec) { if case .rate(let value) = $0 { value } else { nil } }
    }
}

extension Param where Value == [String] {
    /// A parameter that takes a list of texts.
    public static func strings(
        _ name: String, default value: [String]? = nil, changeable: Bool = false, synonyms: [String] = [], doc: String
    ) -> Param {
        let spec = ParamSpec(
            name: name, kind: .strings, default: value.map { .strings($0) }, doc: doc, isChangeable: changeable,
            synonyms: synonyms)
        return Param(spec) { if case .strings(let value) = $0 { value } else { nil } }
    }
}

extension Param where Value == [Double] {
    /// A parameter that takes a number or a list of them, each within the range.
    public static func numbers(
        _ name: String, default value: [Double]? = nil, range: ClosedRange<Double>? = nil, changeable: Bool = false,
        synonyms: [String] = [], doc: String
    ) -> Param {
        let spec = ParamSpec(
            name: name, kind: .numbers, limits: ParamLimits(lowest: range?.lowerBound, highest: range?.upperBound),
            default: value.map { .numbers($0) }, doc: doc, isChangeable: changeable, synonyms: synonyms)
        return Param(spec) { if case .numbers(let value) = $0 { value } else { nil } }
    }
}

extension Param where Value == JSONNode {
    /// A parameter that takes any JSON object, which the node reads itself; most are `.optional`.
    public static func object(
        _ name: String, changeable: Bool = false, synonyms: [String] = [], doc: String
    ) -> Param {
        let spec = ParamSpec(name: name, kind: .object, doc: doc, isChangeable: changeable, synonyms: synonyms)
        return Param(spec) { if case .object(let value) = $0 { value } else { nil } }
    }
}
