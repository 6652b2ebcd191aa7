// SPDX-License-Identifier: Apache-2.0

/// One plane of a picture, read-only.
///
/// Valid while its picture lives.
///
/// Rows are `stride` bytes apart, which is at least `width` samples; bytes past the width are padding.
public struct Plane {
    /// First byte of the first row.
    public let base: UnsafePointer<UInt8>
    /// Bytes from one row to the next.
    public let stride: Int
    /// Samples in a row (an NV12 chroma sample is two bytes).
    public let width: Int
    /// Rows.
    public let height: Int

    /// Describes memory owned by somebody else.
    public init(base: UnsafePointer<UInt8>, stride: Int, width: Int, height: Int) {
        self.base = base
        self.stride = stride
        self.width = width
        self.height = height
    }

    /// First byte of row `y`, which the caller keeps in `0..<height`.
    @inlinable public func row(_ y: Int) -> UnsafePointer<UInt8> { base + y * stride }
}

/// One plane of a picture that has a single owner, for drawing.
///
/// Valid while its picture lives.
public struct MutablePlane {
    /// First byte of the first row.
    public let base: UnsafeMutablePointer<UInt8>
    /// Bytes from one row to the next.
    public let stride: Int
    /// Samples in a row (an NV12 chroma sample is two bytes).
    public let width: Int
    /// Rows.
    public let height: Int

    /// Describes memory owned by somebody else.
    public init(base: UnsafeMutablePointer<UInt8>, stride: Int, width: Int, height: Int) {
        self.base = base
        self.stride = stride
        self.width = width
        self.height = height
    }

    /// First byte of row `y`, which the caller keeps in `0..<height`.
    @inlinable public func row(_ y: Int) -> UnsafeMutablePointer<UInt8> { base + y * stride }
}
