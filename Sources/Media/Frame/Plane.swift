// SPDX-License-Identifier: Apache-2.0

/// One plane of a picture, valid while the picture lives.
///
/// Rows are `stride` bytes apart, which is at least `width` samples; bytes past the width are padding.
public struct PlaneRows<Base: Strideable> where Base.Stride == Int {
    /// First byte of the first row.
    public let base: Base
    /// Bytes from one row to the next.
    public let stride: Int
    /// Samples in a row (an NV12 chroma sample is two bytes).
    public let width: Int
    /// Rows.
    public let height: Int

    /// Describes memory owned by somebody else.
    @inlinable public init(base: Base, stride: Int, width: Int, height: Int) {
        self.base = base
        self.stride = stride
        self.width = width
        self.height = height
    }

    /// First byte of row `y`, which the caller keeps in `0..<height`.
    @inlinable public func row(_ y: Int) -> Base { base.advanced(by: y * stride) }
}

/// One plane of a picture, read-only.
public typealias Plane = PlaneRows<UnsafePointer<UInt8>>

/// One plane of a picture that has a single owner, for drawing.
public typealias MutablePlane = PlaneRows<UnsafeMutablePointer<UInt8>>
