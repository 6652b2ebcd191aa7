// SPDX-License-Identifier: Apache-2.0
internal import Basics

/// A JSON value, written as a Swift literal: keys keep their order, so that the same document is always the same bytes.
public indirect enum JSONDocument: Sendable, ExpressibleByStringLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// Nothing.
    case null
    /// True or false.
    case boolean(Bool)
    /// A whole number.
    case integer(Int)
    /// A number; one that is not finite is written as null.
    case number(Double)
    /// A text.
    case string(String)
    /// A list.
    case array([JSONDocument])
    /// Keys and values in order.
    case object([(String, JSONDocument)])

    /// A text.
    public init(stringLiteral value: String) { self = .string(value) }
    /// True or false.
    public init(booleanLiteral value: Bool) { self = .boolean(value) }
    /// A whole number.
    public init(integerLiteral value: Int) { self = .integer(value) }
    /// A number.
    public init(floatLiteral value: Double) { self = .number(value) }
    /// A list.
    public init(arrayLiteral elements: JSONDocument...) { self = .array(elements) }
    /// An object, its keys in the order written.
    public init(dictionaryLiteral elements: (String, JSONDocument)...) { self = .object(elements) }

    /// On one line, without spaces.
    package var compact: String {
        var text = ""
        write(to: &text, indent: nil)
        return text
    }

    /// Over several lines, two spaces per level; short arrays of scalars stay on one line.
    package var pretty: String {
        var text = ""
        write(to: &text, indent: 0)
        return text
    }

    private var isScalar: Bool {
        switch self {
        case .array, .object: false
        default: true
        }
    }

    private func write(to text: inout String, indent: Int?) {
        switch self {
        case .null: text += "null"
        case .boolean(let value): text += value ? "true" : "false"
        case .integer(let value): text += String(value)
        case .number(let value): text += value.isFinite ? plain(value) : "null"
        case .string(let value): text += quoted(value)
        case .array(let elements):
            let inner = elements.allSatisfy(\.isScalar) ? nil : indent
            Self.writeList(elements, "[", "]", to: &text, indent: inner, spaced: indent != nil) {
                element, text, indent in
                element.write(to: &text, indent: indent)
            }
        case .object(let members):
            Self.writeList(members, "{", "}", to: &text, indent: indent, spaced: indent != nil) {
                member, text, indent in
                text += quoted(member.0) + (indent == nil ? ":" : ": ")
                member.1.write(to: &text, indent: indent)
            }
        }
    }

    private static func writeList<Element>(
        _ elements: [Element], _ open: String, _ close: String, to text: inout String, indent: Int?, spaced: Bool,
        each: (Element, inout String, Int?) -> Void
    ) {
        text += open
        for (index, element) in elements.enumerated() {
            if index > 0 { text += spaced && indent == nil ? ", " : "," }
            if let indent { text += "\n" + String(repeating: "  ", count: indent + 1) }
            each(element, &text, indent.map { $0 + 1 })
        }
        if let indent, !elements.isEmpty { text += "\n" + String(repeating: "  ", count: indent) }
        text += close
    }
}

/// A string as a JSON literal, with quotes.
package func quoted(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": out += "\\\""
        case "\\": out += "\\\\"
        case "\n": out += "\\n"
        case "\r": out += "\\r"
        case "\t": out += "\\t"
        case _ where scalar.value < 0x20 || scalar.value == 0x7F:
            let hex = String(scalar.value, radix: 16)
            out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
        default: out.unicodeScalars.append(scalar)
        }
    }
    return out + "\""
}

/// A number without a needless `.0`.
package func plain(_ value: Double) -> String {
    if let whole = Int(exactly: value), whole.magnitude < 1_000_000_000_000_000 { return String(whole) }
    return "\(value)"
}

/// A text cut to what fits in a message, without the secrets of addresses: people put them in any place.
package func shortened(_ original: String, to limit: Int = 48) -> String {
    let text = redacted(original)
    return text.unicodeScalars.count <= limit
        ? text : String(String.UnicodeScalarView(text.unicodeScalars.prefix(limit))) + "..."
}
