// SPDX-License-Identifier: Apache-2.0
internal import Media
internal import Networks

/// From Y'CbCr byte values to normalised colours, in one affine step per colour and a clamp.
///
/// `value = clamp(y * Y + u * U + v * V + offset, low, high)`: the network's mean and scale are folded in, and the
/// clamp is that of the colour to 0...255, seen after them.
struct ColorTransform {
    struct Channel {
        var y: Float
        var u: Float
        var v: Float
        var offset: Float
        var low: Float
        var high: Float

        @inline(__always)
        fileprivate func clamp(_ value: Float) -> Float {
            // In this order of operands each line is one instruction, vector or not.
            let raised = low > value ? low : value
            return high < raised ? high : raised
        }

        @inline(__always)
        fileprivate func clamp(_ value: SIMD4<Float>) -> SIMD4<Float> {
            SIMD4(clamp(value.x), clamp(value.y), clamp(value.z), clamp(value.w))
        }
    }

    private let red: Channel
    private let green: Channel
    private let blue: Channel

    init(_ color: ColorSpec, isGray: Bool, normalisation: InputNormalisation) {
        let (kr, kg, kb) = color.matrix.luma
        let (lumaZero, luma, chroma) = color.range.excursion
        let lumaGain = 255 / luma
        let chromaGain = isGray ? 0 : 255 / chroma
        let redFromV = 2 * (1 - kr) * chromaGain
        let blueFromU = 2 * (1 - kb) * chromaGain

        func channel(_ position: Int, u: Double, v: Double) -> Channel {
            let index = normalisation.channelOrder == .rgb ? position : 2 - position
            let mean = Double(normalisation.mean[index])
            let scale = Double(normalisation.scale[index])
            let ends = (-mean * scale, (255 - mean) * scale)
            return Channel(
                y: Float(lumaGain * scale), u: Float(u * scale), v: Float(v * scale),
                offset: Float((-lumaGain * lumaZero - (u + v) * 128 - mean) * scale),
                low: Float(min(ends.0, ends.1)), high: Float(max(ends.0, ends.1)))
        }
        red = channel(0, u: 0, v: redFromV)
        green = channel(1, u: -kb / kg * blueFromU, v: -kr / kg * redFromV)
        blue = channel(2, u: blueFromU, v: 0)
    }

    @inline(__always)
    func red(_ y: SIMD4<Float>, _ v: SIMD4<Float>) -> SIMD4<Float> {
        red.clamp((y * red.y + red.offset) + v * red.v)
    }

    @inline(__always)
    func green(_ y: SIMD4<Float>, _ u: SIMD4<Float>, _ v: SIMD4<Float>) -> SIMD4<Float> {
        green.clamp((y * green.y + green.offset) + (u * green.u + v * green.v))
    }

    @inline(__always)
    func blue(_ y: SIMD4<Float>, _ u: SIMD4<Float>) -> SIMD4<Float> {
        blue.clamp((y * blue.y + blue.offset) + u * blue.u)
    }
}
