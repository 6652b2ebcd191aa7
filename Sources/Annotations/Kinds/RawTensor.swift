// SPDX-License-Identifier: Apache-2.0

/// An output of a network as it is, for readers who decode it themselves.
public struct RawTensor: Sendable, Hashable {
    /// The output's name in the model.
    public var name: String
    /// Extents, the last axis fastest.
    public var shape: [Int]
    /// The numbers; in network coordinates, whatever they mean.
    public var values: [Float]

    /// Makes a tensor.
    public init(name: String, shape: [Int], values: [Float]) {
        self.name = name
        self.shape = shape
        self.values = values
    }
}

extension RawTensor: Annotation {
    /// Recorded as "tensors".
    public static let kind = AnnotationKind("tensors", isColoredByNode: false, moves: false)

    /// As it is: nobody knows what its numbers mean.
    public func mapped(by map: PictureMap) -> RawTensor { self }

    /// Nothing is to be seen of it.
    public static func draw(_ tensors: [RawTensor], on canvas: any AnnotationCanvas) {}

    /// Writes the fields of its record.
    public func write(to record: inout JSONWriter) {
        record.field("name", name)
        record.key("shape")
        record.beginArray()
        for extent in shape { record.value(extent) }
        record.endArray()
        record.key("values")
        record.beginArray()
        for value in values { record.exactValue(value) }
        record.endArray()
    }
}
