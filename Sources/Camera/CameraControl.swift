// SPDX-License-Identifier: Apache-2.0

/// One control of a camera as its driver describes it.
public struct CameraControl: Sendable, Hashable, Encodable {
    /// How its values are meant.
    public enum Kind: String, Sendable, Hashable, Encodable { case integer, boolean, menu, bitmask, button }

    /// The name to set it by: the driver's, in lower case and underscores, `white_balance_automatic`.
    public var name: String
    /// The driver's own words.
    public var label: String
    /// How its values are meant.
    public var kind: Kind
    /// Lowest value.
    public var minimum: Int
    /// Highest value.
    public var maximum: Int
    /// Distance of the values.
    public var step: Int
    /// The driver's default.
    public var defaultValue: Int
    /// Its value now; nil where it cannot be read.
    public var value: Int?
    /// The words of a menu with their numbers; empty for other kinds.
    public var choices: [Int: String]
    /// Whether it cannot be set.
    public var isReadOnly: Bool
    /// The kernel's number.
    var id: UInt32

    private enum CodingKeys: String, CodingKey {
        case name, label, kind, minimum, maximum, step, defaultValue, value, choices, isReadOnly
    }

    /// Lower case letters and digits, everything else one underscore: what users type for `Exposure Time, Absolute`.
    static func plainName(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            if scalar.properties.isAlphabetic || ("0"..."9").contains(scalar), scalar.isASCII {
                result.append(String(scalar).lowercased())
            } else if !result.isEmpty, result.last != "_" {
                result.append("_")
            }
        }
        if result.last == "_" { result.removeLast() }
        return result
    }
}

/// A value that a pipeline gives a control.
public enum CameraControlValue: Sendable, Hashable, CustomStringConvertible {
    /// A number, or the number of a menu's entry.
    case integer(Int)
    /// On or off.
    case boolean(Bool)
    /// A word of a menu.
    case word(String)

    /// The value as written.
    public var description: String {
        switch self {
        case .integer(let value): "\(value)"
        case .boolean(let value): "\(value)"
        case .word(let value): "\"\(value)\""
        }
    }
}

/// Turns names and values into what the driver is told, in the order that works.
///
/// Pure.
struct ControlPlan {
    /// One setting of a control.
    struct Step: Equatable {
        let control: CameraControl
        let value: Int
    }

    /// First those that choose who is in charge (automatic modes), then the rest.
    let steps: [Step]

    /// Everyday names for controls that drivers know by several numbers; the first that exists is meant.
    private static let everyday: [String: [UInt32]] = [
        "exposure": [ID.exposureAbsolute, ID.exposure], "gain": [ID.gain, ID.analogueGain],
        "focus": [ID.focusAbsolute], "white_balance": [ID.whiteBalance], "zoom": [ID.zoomAbsolute],
        "auto_exposure": [ID.exposureAuto], "auto_focus": [ID.focusAuto],
        "auto_white_balance": [ID.whiteBalanceAuto], "auto_gain": [ID.autogain],
    ]

    /// Who must be out of the way for a control to have effect: the automatic mode and its value for manual.
    private static let automatic: [UInt32: (mode: UInt32, manual: Int)] = [
        // V4L2_EXPOSURE_MANUAL is 1; the others are switches.
        ID.exposureAbsolute: (ID.exposureAuto, 1), ID.exposure: (ID.exposureAuto, 1),
        ID.focusAbsolute: (ID.focusAuto, 0), ID.whiteBalance: (ID.whiteBalanceAuto, 0), ID.gain: (ID.autogain, 0),
    ]

    /// Plans `wishes` for a camera with these controls.
    ///
    /// - Throws: `unsuited`, naming what there is.
    init(_ wishes: [String: CameraControlValue], for controls: [CameraControl]) throws(CameraError) {
        var modes: [Step] = []
        var others: [Step] = []
        for (name, wish) in wishes.sorted(by: { $0.key < $1.key }) {
            let control = try Self.find(name, in: controls)
            let step = Step(control: control, value: try Self.value(wish, of: control))
            if Self.automatic.values.contains(where: { $0.mode == control.id }) {
                modes.append(step)
            } else {
                others.append(step)
            }
        }
        for step in others {
            guard let (mode, manual) = Self.automatic[step.control.id],
                !modes.contains(where: { $0.control.id == mode }),
                let control = controls.first(where: { $0.id == mode && !$0.isReadOnly }),
                (control.minimum...max(control.minimum, control.maximum)).contains(manual)
            else { continue }
            modes.append(Step(control: control, value: manual))
        }
        steps = modes + others
    }

    private static func find(_ name: String, in controls: [CameraControl]) throws(CameraError) -> CameraControl {
        let plain = CameraControl.plainName(separated(name))
        let squeezed = plain.filter { $0 != "_" }
        let found =
            controls.first { $0.name == plain }
            ?? controls.first { $0.name.filter { $0 != "_" } == squeezed }
            ?? everyday.first { $0.key.filter { $0 != "_" } == squeezed }?.value.lazy
            .compactMap { id in controls.first { $0.id == id } }.first
        guard let found else {
            let names = controls.filter { !$0.isReadOnly }.map(\.name).joined(separator: ", ")
            throw CameraError(.unsuited, "has no control \"\(name)\"; it has \(names.isEmpty ? "none" : names)")
        }
        if found.isReadOnly { throw CameraError(.unsuited, "the control \"\(found.name)\" cannot be set") }
        return found
    }

    /// `autoExposure` is `auto_exposure`.
    private static func separated(_ name: String) -> String {
        name.reduce(into: "") { result, letter in
            if letter.isUppercase, result.last?.isLowercase == true { result.append("_") }
            result.append(letter)
        }
    }

    private static func value(
        _ wish: CameraControlValue, of control: CameraControl
    ) throws(CameraError) -> Int {
        switch wish {
        case .boolean(let isOn) where control.kind == .boolean: return isOn ? 1 : 0
        case .integer(let number)
        where control.kind == .menu ? control.choices[number] != nil : isInRange(number, control): return number
        case .word(let word) where control.kind == .menu:
            let plain = CameraControl.plainName(word)
            let hits = control.choices.filter { CameraControl.plainName($0.value) == plain }
            let nearly = control.choices.filter { CameraControl.plainName($0.value).hasPrefix(plain) }
            if let hit = hits.first ?? (nearly.count == 1 ? nearly.first : nil) { return hit.key }
        default: break
        }
        throw CameraError(.unsuited, "the control \"\(control.name)\" takes \(expected(control)), not \(wish)")
    }

    private static func isInRange(_ number: Int, _ control: CameraControl) -> Bool {
        control.kind == .button || (number >= control.minimum && number <= control.maximum)
    }

    private static func expected(_ control: CameraControl) -> String {
        switch control.kind {
        case .boolean: "true or false"
        case .menu:
            control.choices.sorted { $0.key < $1.key }.map { "\"\($0.value)\" (\($0.key))" }.joined(separator: ", ")
        default: "\(control.minimum) to \(control.maximum)"
        }
    }
}

/// Control numbers of the kernel's header that are known by everyday names.
private enum ID {
    static let user: UInt32 = 0x0098_0900
    static let camera: UInt32 = 0x009a_0900
    static let exposure = user + 17
    static let autogain = user + 18
    static let gain = user + 19
    static let whiteBalanceAuto = user + 12
    static let whiteBalance = user + 26
    static let exposureAuto = camera + 1
    static let exposureAbsolute = camera + 2
    static let focusAbsolute = camera + 10
    static let focusAuto = camera + 12
    static let zoomAbsolute = camera + 13
    static let analogueGain: UInt32 = 0x009e_0903
}
