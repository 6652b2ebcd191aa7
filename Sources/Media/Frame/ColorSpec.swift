// SPDX-License-Identifier: Apache-2.0

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

// ITU-T H.273, 8.3: the matrix coefficients and the quantisation that every conversion here takes its numbers from.

extension ColorSpec.Matrix {
    /// Weights of red, green and blue in luma; their sum is 1.
    package var luma: (red: Double, green: Double, blue: Double) {
        switch self {
        case .bt601: (0.299, 0.587, 0.114)
        case .bt709: (0.2126, 0.7152, 0.0722)
        case .bt2020: (0.2627, 0.6780, 0.0593)
        }
    }
}

extension ColorSpec.Range {
    /// The byte that stands for luma 0, and how many bytes lie between luma 0 and 1 and between chroma -0.5 and 0.5.
    package var excursion: (lumaZero: Double, luma: Double, chroma: Double) {
        switch self {
        case .limited: (16, 219, 224)
        case .full: (0, 255, 255)
        }
    }
}

extension ColorSpec {
    /// The Y'CbCr bytes of a colour given as 8-bit R'G'B', rounded.
    package func bytes(of rgb: (Int, Int, Int)) -> (y: UInt8, u: UInt8, v: UInt8) {
        let (weights, excursion) = (matrix.luma, range.excursion)
        let (r, g, b) = (Double(rgb.0) / 255, Double(rgb.1) / 255, Double(rgb.2) / 255)
        let luma = weights.red * r + weights.green * g + weights.blue * b
        let (u, v) = ((b - luma) / (2 * (1 - weights.blue)), (r - luma) / (2 * (1 - weights.red)))
        func byte(_ value: Double) -> UInt8 { UInt8(max(0, min(255, value.rounded()))) }
        return (
            byte(excursion.lumaZero + excursion.luma * luma), byte(128 + excursion.chroma * u),
            byte(128 + excursion.chroma * v)
        )
    }
}
