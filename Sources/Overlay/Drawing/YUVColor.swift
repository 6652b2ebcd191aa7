// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Media

/// A colour in the values of one picture: what the blending loops read.
struct YUVColor: Equatable {
    var y: Int16
    var u: Int16
    var v: Int16
    /// Opacity in 128ths, 0...128.
    var alpha: Int16

    /// Converts by ITU-T H.273 section 8.3: luma coefficients of the matrix, quantised to the range.
    init(_ color: Color, in spec: ColorSpec) {
        let bytes = spec.bytes(of: (Int(color.red), Int(color.green), Int(color.blue)))
        (y, u, v) = (Int16(bytes.y), Int16(bytes.u), Int16(bytes.v))
        alpha = Int16((Int(color.alpha) * 128 + 127) / 255)
    }
}
