// SPDX-License-Identifier: Apache-2.0
internal import Annotations

/// A colour in the values of one picture: what the blending loops read.
struct YUVColor: Equatable {
    var y: Int16
    var u: Int16
    var v: Int16
    /// Opacity in 128ths, 0...128.
    var alpha: Int16

    /// Converts by ITU-T H.273 section 8.3: luma coefficients of the matrix, quantised to the range.
    init(_ color: Color, in spec: ColorSpec) {
        let (kr, kb): (Float, Float) =
            switch spec.matrix {
            case .bt601: (0.299, 0.114)
            case .bt709: (0.2126, 0.0722)
            case .bt2020: (0.2627, 0.0593)
            }
        let red = Float(color.red) / 255
        let green = Float(color.green) / 255
        let blue = Float(color.blue) / 255
        let luma = kr * red + (1 - kr - kb) * green + kb * blue
        let cb = (blue - luma) / (2 * (1 - kb))
        let cr = (red - luma) / (2 * (1 - kr))
        let (offset, excursion, chroma): (Float, Float, Float) =
            switch spec.range {
            case .limited: (16, 219, 224)
            case .full: (0, 255, 255)
            }
        func quantise(_ value: Float) -> Int16 { Int16(max(0, min(255, value.rounded()))) }
        y = quantise(offset + excursion * luma)
        u = quantise(128 + chroma * cb)
        v = quantise(128 + chroma * cr)
        alpha = Int16((Int(color.alpha) * 128 + 127) / 255)
    }
}
