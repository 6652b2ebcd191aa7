// SPDX-License-Identifier: Apache-2.0

/// An input as a model declares it, before sizes that it leaves open are chosen.
public struct ModelInput: Sendable, Hashable, CustomStringConvertible {
    /// The port's name in the ONNX graph.
    public let name: String
    /// Sizes of the axes, nil where any size will do (some exporters write 0); nil as a whole when even the number of
    /// axes is open.
    public let shape: [Int?]?
    /// What the numbers are; nil for types vpipe does not handle.
    public let element: ElementType?

    /// Describes an input.
    public init(name: String, shape: [Int?]?, element: ElementType?) {
        self.name = name
        self.shape = shape
        self.element = element
    }

    /// For messages: `images f32[1,3,?,?]`.
    public var description: String {
        let sizes = shape.map { $0.map { $0.map(String.init) ?? "?" }.joined(separator: ",") } ?? "..."
        return "\(name) \(element?.rawValue ?? "?")[\(sizes)]"
    }
}
