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

/// How Y'CbCr values map to colours.
public struct ColorSpec: Sendable, Hashable {
    /// Luma coefficients.
    public enum Matrix: UInt8, Sendable { case bt601, bt709, bt2020 }
    /// Excursion of the 8-bit values: 16...235 (chroma 16...240) or 0...255.
    public enum Range: UInt8, Sendable { case limited, full }

    /// Luma coefficients.
    public var matrix: Matrix
    /// Excursion of the values.
    public var range: Range
    /// Colour primaries, the code point of ITU-T H.273 (2 = unspecified); carried through, not applied.
    public var primaries: UInt8
    /// Transfer characteristics, the code point of ITU-T H.273 (2 = unspecified); carried through, not applied.
    public var transfer: UInt8

    /// Makes a colour description.
    public init(matrix: Matrix, range: Range = .limited, primaries: UInt8 = 2, transfer: UInt8 = 2) {
        self.matrix = matrix
        self.range = range
        self.primaries = primaries
        self.transfer = transfer
    }

    /// What an unlabelled picture is taken for: BT.709 from 720 lines up, BT.601 below, limited range.
    public static func assumed(height: Int) -> ColorSpec { ColorSpec(matrix: height >= 720 ? .bt709 : .bt601) }
}
