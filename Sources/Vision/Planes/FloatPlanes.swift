// SPDX-License-Identifier: Apache-2.0

/// Planes that somebody else owns, `[channels, height, width]` without gaps: a network's tensor.
public struct TensorPlanes<Base: Strideable> where Base.Stride == Int {
    /// First sample of the first plane.
    public let base: Base
    /// Planes.
    public let channels: Int
    /// Samples in a row.
    public let width: Int
    /// Rows in a plane.
    public let height: Int

    /// Describes memory that outlives this value.
    public init(base: Base, channels: Int, width: Int, height: Int) {
        self.base = base
        self.channels = channels
        self.width = width
        self.height = height
    }

    /// Samples in a plane.
    public var area: Int { width * height }
    /// Samples in all planes.
    public var count: Int { channels * area }
    /// First sample of plane `channel`, which the caller keeps in `0..<channels`.
    public func plane(_ channel: Int) -> Base { base.advanced(by: channel * area) }
}

/// Planes of 32-bit floats, for reading.
public typealias FloatPlanes = TensorPlanes<UnsafePointer<Float>>

/// Planes of 32-bit floats, for writing.
public typealias MutableFloatPlanes = TensorPlanes<UnsafeMutablePointer<Float>>

extension MutableFloatPlanes {
    /// The same planes, for reading.
    public var readOnly: FloatPlanes {
        FloatPlanes(base: base, channels: channels, width: width, height: height)
    }
}

/// Planes of 32-bit floats with an owner, zero at first.
///
/// - Note: Thread-safety: confined; who writes has them alone.
public final class FloatImage {
    /// The planes, valid while the image lives.
    public let planes: MutableFloatPlanes

    /// Allocates the planes.
    public init(channels: Int, width: Int, height: Int) {
        precondition(channels > 0 && width > 0 && height > 0, "an image is not empty")
        planes = MutableFloatPlanes(
            base: .allocate(capacity: channels * width * height), channels: channels, width: width, height: height)
        planes.base.initialize(repeating: 0, count: planes.count)
    }

    deinit { planes.base.deallocate() }

    /// The planes, for reading.
    public var readOnly: FloatPlanes { planes.readOnly }
    /// Samples in a row.
    public var width: Int { planes.width }
    /// Rows in a plane.
    public var height: Int { planes.height }

    /// Sets every sample to `value`.
    public func fill(_ value: Float) { planes.base.update(repeating: value, count: planes.count) }

    /// Takes over the samples of planes of the same shape.
    public func copy(_ other: FloatPlanes) {
        precondition(
            other.channels == planes.channels && other.width == width && other.height == height, "another shape")
        planes.base.update(from: other.base, count: planes.count)
    }
}
