// SPDX-License-Identifier: Apache-2.0

extension ParamSpec {
    /// The JSON Schema of one parameter.
    package var schema: JSONDocument {
        var members: [(String, JSONDocument)] = [("description", .string(longDoc))]
        let interpolation = JSONDocument.object([("$ref", "#/$defs/interpolation")])
        switch kind {
        case .string, .path, .url:
            members.append(("type", "string"))
            if kind != .string { members.append(("minLength", 1)) }
        case .integer, .number:
            members.append(("anyOf", [bounded(kind == .integer ? "integer" : "number"), interpolation]))
        case .boolean:
            members.append(("anyOf", [.object([("type", "boolean")]), interpolation]))
        case .enumeration(let choices):
            let cases = choices.map { choice in
                JSONDocument.object(
                    [("const", .string(choice.value))]
                        + (choice.doc.isEmpty ? [] : [("description", .string(choice.doc))]))
            }
            members.append(("anyOf", .array(cases + [interpolation])))
        case .size:
            members.append(("anyOf", [pattern("^[0-9]{1,5}[xX×][0-9]{1,5}$"), interpolation]))
        case .duration:
            let text = pattern("^[0-9]+(\\.[0-9]*)? *(us|ms|s|m|min|h|d)$|^0$")
            members.append(("anyOf", [text, .object([("const", 0)]), interpolation]))
        case .rate:
            let number = JSONDocument.object([("type", "number"), ("exclusiveMinimum", 0), ("maximum", 1000)])
            members.append(("anyOf", [number, pattern("^[0-9]+(\\.[0-9]+|/[0-9]+)?$"), interpolation]))
        case .bitrate:
            members.append(("anyOf", [bounded("integer"), pattern("^[0-9]+(\\.[0-9]+)?[kKMG]$"), interpolation]))
        case .bytes:
            let text = pattern("^[0-9]+(\\.[0-9]+)? *([kKMGT]|[kKMGT]B)$")
            members.append(("anyOf", [bounded("integer"), text, interpolation]))
        case .strings:
            members.append(
                ("anyOf", [.object([("type", "array"), ("items", .object([("type", "string")]))]), interpolation]))
        case .numbers:
            let list = JSONDocument.object([("type", "array"), ("items", bounded("number")), ("minItems", 1)])
            members.append(("anyOf", [bounded("number"), list, interpolation]))
        case .object:
            members.append(("type", "object"))
        }
        if let value = self.default { members.append(("default", value.document)) }
        return .object(members)
    }

    /// The documentation with unit and changeability, as one line.
    package var longDoc: String {
        var text = doc
        if let unit, kind == .integer || kind == .number { text += " [\(unit)]" }
        if isChangeable { text += " (changeable while running)" }
        return text
    }

    private func bounded(_ type: String) -> JSONDocument {
        var members: [(String, JSONDocument)] = [("type", .string(type))]
        func bound(_ value: Double) -> JSONDocument { Int(exactly: value).map { .integer($0) } ?? .number(value) }
        if let lowest = limits.lowest { members.append(("minimum", bound(lowest))) }
        if let highest = limits.highest { members.append(("maximum", bound(highest))) }
        return .object(members)
    }

    private func pattern(_ text: String) -> JSONDocument {
        .object([("type", "string"), ("pattern", .string(text))])
    }
}
