// SPDX-License-Identifier: Apache-2.0

/// The validated parameters of one node, read with the keys that declared them.
public struct Settings: Sendable {
    private var values: [String: ParamValue]
    private let written: Set<String>

    package init(values: [String: ParamValue], written: Set<String>) {
        self.values = values
        self.written = written
    }

    /// The defaults of a set of parameters, changed by some values; for tests and embedding.
    public init(_ parameters: [any ParamDeclaration], _ values: [String: ParamValue] = [:]) {
        var all = values
        for parameter in parameters where all[parameter.spec.name] == nil {
            all[parameter.spec.name] = parameter.spec.default
        }
        self.init(values: all, written: Set(values.keys))
    }

    /// The value of a parameter: what was written, or else its default.
    public subscript<Value>(_ param: Param<Value>) -> Value {
        if let value = values[param.spec.name] ?? param.spec.default, let read = param.read(value) { return read }
        guard let absent = param.absent else {
            preconditionFailure("parameter \"\(param.spec.name)\" is not part of the validated contract")
        }
        return absent
    }

    /// Whether the pipeline file (or a flag) gave the parameter, rather than its default.
    public func isGiven<Value>(_ param: Param<Value>) -> Bool { written.contains(param.spec.name) }

    /// The value by name, for printing; nil when absent.
    public func value(named name: String) -> ParamValue? { values[name] }

    /// The same settings with one value changed while running.
    public func replacing(_ name: String, with value: ParamValue) -> Settings {
        replacing(name, with: .some(value))
    }

    /// The same settings with one value changed, or taken out.
    package func replacing(_ name: String, with value: ParamValue?) -> Settings {
        var changed = self
        changed.values[name] = value
        return changed
    }
}
