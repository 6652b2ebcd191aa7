// SPDX-License-Identifier: Apache-2.0

/// The way from the top of a file to a value, printed as `nodes.overlay.inputs[1]`.
public struct JSONPath: Sendable, Hashable, CustomStringConvertible {
    private var steps: [String] = []

    /// The whole file.
    public init() {}

    /// The path of nested keys.
    public init(_ keys: String...) {
        for key in keys { push(key: key) }
    }

    /// The printed form; empty for the whole file.
    public var text: String {
        var text = ""
        // Only a file made to be odd nests so deep; its path would fill the screen.
        let shown = steps.count > 16 ? steps.prefix(8) + ["[...]"] + steps.suffix(4) : steps[...]
        for step in shown {
            if !text.isEmpty, !step.hasPrefix("[") { text += "." }
            text += step
        }
        return text
    }

    /// The printed form.
    public var description: String { text }

    /// The path of a key below this one.
    public func appending(_ key: String) -> JSONPath {
        var path = self
        path.push(key: key)
        return path
    }

    /// The path of an element below this one.
    public func appending(_ index: Int) -> JSONPath {
        var path = self
        path.push(index: index)
        return path
    }

    /// The last step that is a key.
    package var lastKey: String { steps.last { !$0.hasPrefix("[") } ?? "" }

    package mutating func push(key: String) {
        let plain =
            !key.isEmpty && key.utf8.count <= 64
            && key.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0 != "[" && $0 != "." && $0 != "\"" }
        steps.append(plain ? key : "[" + quoted(shortened(key)) + "]")
    }

    package mutating func push(index: Int) { steps.append("[\(index)]") }

    package mutating func pop() { _ = steps.popLast() }
}
