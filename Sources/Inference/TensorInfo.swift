// SPDX-License-Identifier: Apache-2.0

/// What one element of a tensor is.
public enum ElementType: String, Sendable, Hashable {
    case f32, f16, bf16, u8, i8, i32, i64

    /// Bytes of one element.
    public var byteCount: Int {
        switch self {
        case .f32, .i32: 4
        case .f16, .bf16: 2
        case .u8, .i8: 1
        case .i64: 8
        }
    }
}

/// An input or output of a compiled model: its name, static shape and element type.
public struct TensorInfo: Sendable, Hashable, CustomStringConvertible {
    /// The port's name in the ONNX graph.
    public let name: String
    /// Sizes of the axes, outermost first; of an open one the most that is taken.
    public let shape: [Int]
    /// What the numbers are.
    public let element: ElementType
    /// The axis whose size every inference decides anew, as where a model suppresses boxes itself; nil where all are fixed.
    public let openAxis: Int?

    /// Describes a tensor; nothing is checked.
    public init(name: String, shape: [Int], element: ElementType, openAxis: Int? = nil) {
        self.name = name
        self.shape = shape
        self.element = element
        self.openAxis = openAxis
    }

    /// Elements in the tensor; shapes were checked for overflow when the model was compiled.
    public var count: Int { shape.reduce(1, *) }
    /// Bytes of the whole tensor.
    public var byteCount: Int { count * element.byteCount }

    /// For reports: `image f32[1,3,480,640]`, `boxes f32[?,6]`.
    public var description: String {
        let sizes = shape.enumerated().map { $0 == openAxis ? "?" : String($1) }
        return "\(name) \(element.rawValue)[\(sizes.joined(separator: ","))]"
    }
}

/// How many rows the last inference gave, of an output that leaves them open.
package final class OpenRows {
    /// Set by the request, read by its user.
    package var count = 0

    package init() {}
}

/// Memory of one tensor of one request.
///
/// The engine owns it; it lives as long as the request.
///
/// - Note: Ownership: borrowed from the ``InferRequest``; keep the request alive while the pointer is used.
package struct TensorBuffer: @unchecked Sendable {
    // Unchecked: a pointer has no owner thread; whoever holds the request (see RequestPool) may touch it.
    /// Name, shape and element type.
    package let info: TensorInfo
    /// The first byte; aligned for any element.
    package let base: UnsafeMutableRawPointer

    /// How much of it the last inference filled; nil where that is always all.
    package let openRows: OpenRows?

    /// Describes memory that the engine owns.
    package init(info: TensorInfo, base: UnsafeMutableRawPointer, openRows: OpenRows? = nil) {
        self.info = info
        self.base = base
        self.openRows = openRows
    }

    /// The shape of what the last inference gave.
    package var shape: [Int] {
        guard let axis = info.openAxis, let openRows else { return info.shape }
        return info.shape.enumerated().map { $0 == axis ? openRows.count : $1 }
    }

    /// The elements as 32-bit floats.
    /// - Precondition: `info.element == .f32`.
    package var floats: UnsafeMutableBufferPointer<Float> {
        precondition(info.element == .f32, "tensor is not f32")
        return UnsafeMutableBufferPointer(start: base.assumingMemoryBound(to: Float.self), count: info.count)
    }

    /// All of the tensor's bytes.
    package var bytes: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: base, count: info.byteCount)
    }
}
