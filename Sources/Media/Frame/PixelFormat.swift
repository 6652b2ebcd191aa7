// SPDX-License-Identifier: Apache-2.0

/// The planar 8-bit layouts that travel through a pipeline.
///
/// Decoding converts anything else to the nearest of them, once.
public enum PixelFormat: UInt8, Sendable, CaseIterable {
    /// Y, U, V planes, chroma halved both ways (4:2:0).
    case i420
    /// Y, U, V planes, chroma halved across (4:2:2).
    case i422
    /// Y, U, V planes of full size (4:4:4).
    case i444
    /// Y plane and one interleaved UV plane, chroma halved both ways (4:2:0).
    case nv12
    /// Y plane only.
    case gray8

    /// Number of planes.
    public var planeCount: Int {
        switch self {
        case .i420, .i422, .i444: 3
        case .nv12: 2
        case .gray8: 1
        }
    }

    /// Chroma samples are `1 << shift` luma samples apart across.
    public var chromaShiftX: Int { self == .i444 || self == .gray8 ? 0 : 1 }

    /// Chroma samples are `1 << shift` luma samples apart down.
    public var chromaShiftY: Int { self == .i420 || self == .nv12 ? 1 : 0 }

    /// Width in samples of a chroma plane for a picture `width` wide, rounded up (an NV12 sample is a UV pair).
    public func chromaWidth(_ width: Int) -> Int { (width + (1 << chromaShiftX) - 1) >> chromaShiftX }

    /// Height in rows of a chroma plane for a picture `height` high, rounded up.
    public func chromaHeight(_ height: Int) -> Int { (height + (1 << chromaShiftY) - 1) >> chromaShiftY }
}
