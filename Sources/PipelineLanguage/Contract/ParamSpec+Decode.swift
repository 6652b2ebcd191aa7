// SPDX-License-Identifier: Apache-2.0

/// Why a value is not what its parameter takes.
package struct ParamMistake: Error {
    package var message: String
    package var found: String?
    package var expected: String?
    package var fix: String?
}

extension ParamSpec {
    /// Reads and checks a value; nil for one that was no JSON and has been reported.
    package func decode(_ node: JSONNode) throws(ParamMistake) -> ParamValue? {
        if node.isInvalid { return nil }
        guard let value = convert(node) else { throw mistake(for: node) }
        if let bounds = limits.text(unit: unit), !isWithinLimits(value) {
            throw ParamMistake(
                message: (kind == .size ? "each side must be " : "must be ") + bounds, found: node.foundText,
                expected: bounds, fix: `default`.map { "the default is \($0.document.compact)" })
        }
        return value
    }

    /// Says what is wrong with an already typed value, such as a default; nil when nothing is.
    package func problem(with value: ParamValue) -> String? {
        switch (kind, value) {
        case (.enumeration(let choices), .string(let text)):
            choices.contains { $0.value == text } ? nil : "must be \(expectation)"
        case (.string, .string), (.path, .string), (.url, .string), (.boolean, .boolean), (.strings, .strings),
            (.numbers, .numbers), (.object, .object):
            nil
        case (.integer, .integer), (.bitrate, .integer), (.bytes, .integer), (.number, .number), (.size, .size),
            (.duration, .duration),
            (.rate, .rate):
            isWithinLimits(value) ? nil : "must be \(expectation)"
        default: "must be \(expectation)"
        }
    }

    private func isWithinLimits(_ value: ParamValue) -> Bool {
        switch value {
        case .integer(let value): limits.contains(Double(value))
        case .number(let value): limits.contains(value)
        case .size(let size): limits.contains(Double(size.width)) && limits.contains(Double(size.height))
        case .duration(let value): limits.contains(value.inSeconds)
        case .rate(let value): limits.contains(value.perSecond)
        case .numbers(let values): values.allSatisfy { limits.contains($0) }
        case .string, .boolean, .strings, .object: true
        }
    }

    private func convert(_ node: JSONNode) -> ParamValue? {
        switch kind {
        case .string:
            return node.string.map { .string($0) }
        case .path, .url:
            return node.string.flatMap { $0.isEmpty || $0.unicodeScalars.contains("\0") ? nil : .string($0) }
        case .enumeration(let choices):
            return node.string.flatMap { text in choices.contains { $0.value == text } ? .string(text) : nil }
        case .integer:
            return node.looseNumber?.integer.map { .integer($0) }
        case .number:
            return node.looseNumber.map { .number($0.double) }
        case .boolean:
            return node.looseBoolean.map { .boolean($0) }
        case .size:
            return node.string.flatMap { PixelSize($0) }.map { .size($0) }
        case .duration:
            if let number = node.number { return number == 0 ? .duration(.zero) : nil }
            return node.string.flatMap { parseDuration($0) }.map { .duration($0) }
        case .rate:
            if let number = node.number { return FrameRate(perSecond: number).map { .rate($0) } }
            return node.string.flatMap { FrameRate($0) }.map { .rate($0) }
        case .bitrate:
            if let number = node.looseNumber { return number.integer.map { .integer($0) } }
            return node.string.flatMap { Self.parseBitrate($0) }.map { .integer($0) }
        case .bytes:
            if let number = node.looseNumber { return number.integer.map { .integer($0) } }
            return node.string.flatMap { Self.parseBytes($0) }.map { .integer($0) }
        case .strings:
            if node.isLoose, let text = node.string { return .strings(text.split(separator: ",").map { String($0) }) }
            guard case .array(let elements) = node.value else { return nil }
            let texts = elements.compactMap(\.string)
            return texts.count == elements.count ? .strings(texts) : nil
        case .numbers:
            if let number = node.looseNumber { return .numbers([number.double]) }
            if node.isLoose, let text = node.string {
                let values = text.split(separator: ",").map { Double($0) }
                let numbers = values.compactMap { $0 }.filter(\.isFinite)
                return values.isEmpty || numbers.count < values.count ? nil : .numbers(numbers)
            }
            let numbers = node.elements.compactMap(\.number)
            return numbers.isEmpty || numbers.count < node.elements.count ? nil : .numbers(numbers)
        case .object:
            if case .object = node.value { return .object(node) }
            return nil
        }
    }

    /// Reads `800k`, `4M`, `1.5M`.
    private static func parseBitrate(_ text: String) -> Int? {
        let scale: Double
        switch text.last {
        case "k", "K": scale = 1e3
        case "M": scale = 1e6
        case "G": scale = 1e9
        default: return nil
        }
        guard let first = text.first, first.isNumber, let number = Double(text.dropLast()) else { return nil }
        return Int(exactly: (number * scale).rounded())
    }

    /// Reads `500M`, `1.5G`, `20 GB`.
    private static func parseBytes(_ text: String) -> Int? {
        let digits = text.prefix { $0.isNumber || $0 == "." }
        let scale: Double
        switch text.dropFirst(digits.count).drop(while: { $0 == " " }) {
        case "k", "K", "kB", "KB": scale = 1e3
        case "M", "MB": scale = 1e6
        case "G", "GB": scale = 1e9
        case "T", "TB": scale = 1e12
        default: return nil
        }
        guard digits.first?.isNumber == true, let number = Double(digits) else { return nil }
        return Int(exactly: (number * scale).rounded())
    }

    private func mistake(for node: JSONNode) -> ParamMistake {
        var mistake = ParamMistake(message: "must be \(expectation)", found: node.foundText, expected: expectation)
        if case .null = node.value {
            mistake.fix = isRequired ? nil : "leave the key out to use its default"
            return mistake
        }
        switch kind {
        case .enumeration(let choices):
            if let text = node.string {
                mistake.fix = closest(to: text, among: choices.map(\.value)).map { "did you mean \"\($0)\"?" }
            }
        case .integer, .number, .boolean, .bitrate, .bytes:
            if let text = node.string, !node.isLoose {
                let isNumber = Double(text).map { $0.isFinite } ?? false
                let isPlain = kind == .boolean ? text == "true" || text == "false" : isNumber
                if isPlain {
                    mistake.fix =
                        node.variables.isEmpty
                        ? "write it without quotes: \(text)"
                        : "let ${...} stand for the whole value; only then it becomes what the parameter takes"
                }
            }
        case .string, .path, .url:
            if case .number(let number) = node.value { mistake.fix = "write \"\(number.text)\"" }
            if kind != .string, node.string == "" { mistake.message = "must not be empty" }
        case .size:
            mistake.fix = Self.sizeFix(for: node)
        case .duration:
            if case .number(let number) = node.value, number.double > 0 {
                mistake.fix = "write the unit: \"\(number.text)ms\" or \"\(number.text)s\""
            } else if let text = node.string, let number = Double(text), number > 0 {
                mistake.fix = "write the unit: \"\(text)ms\" or \"\(text)s\""
            }
        case .strings:
            if let text = node.string { mistake.fix = "write [\(quoted(shortened(text)))]" }
        case .rate, .numbers, .object:
            break
        }
        return mistake
    }

    private static func sizeFix(for node: JSONNode) -> String? {
        if let text = node.string {
            let parts = text.split { !("0"..."9").contains($0) }
            let size = parts.count == 2 ? PixelSize("\(parts[0])x\(parts[1])") : nil
            return size.map { "write \"\($0)\"" }
        }
        let sides = node.elements.compactMap(\.number)
        if sides.count == 2, node.elements.count == 2 { return "write \"\(plain(sides[0]))x\(plain(sides[1]))\"" }
        if let side = node.number { return "write \"\(plain(side))x\(plain(side))\"" }
        return nil
    }
}

extension JSONNode {
    /// The number, also when a text from the environment or a flag stands for one.
    package var looseNumber: JSONNumber? {
        if case .number(let number) = value { return number }
        guard isLoose, let text = string, let first = text.utf8.first, first != UInt8(ascii: "+"),
            text.utf8.allSatisfy({ JSONParser.isDigit($0) || "+-.eE".utf8.contains($0) }),
            let double = Double(text), double.isFinite
        else { return nil }
        return JSONNumber(text: text, double: double)
    }

    /// The boolean, also when a text from the environment or a flag stands for one.
    package var looseBoolean: Bool? {
        if let flag = boolean { return flag }
        guard isLoose, let text = string else { return nil }
        return switch text.lowercased() {
        case "true", "yes", "on", "1": true
        case "false", "no", "off", "0": false
        default: nil
        }
    }

    /// The value as a message shows it: short, passwords hidden, and where it came from.
    package var foundText: String {
        var text: String
        switch value {
        case .null: text = "null"
        case .boolean(let flag): text = flag ? "true" : "false"
        case .number(let number): text = shortened(number.text)
        case .string(let string): text = isLoose ? shortened(string) : quoted(shortened(string))
        case .array(let elements): text = elements.isEmpty ? "an empty array" : "an array of \(elements.count)"
        case .object: text = "an object"
        case .invalid: text = "no value"
        }
        if isLoose, string == "" { text = "nothing" }
        if isLoose, text.unicodeScalars.contains(where: { $0.value < 0x20 }) { text = quoted(text) }
        if !variables.isEmpty { text += " from " + variables.map { "${\($0)}" }.joined(separator: " and ") }
        return text
    }
}
