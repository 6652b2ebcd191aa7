// SPDX-License-Identifier: Apache-2.0
internal import Media
internal import Networks

/// From Y'CbCr byte values to the three normalised channels, in one affine step per channel and a clamp.
///
/// `tensor = clamp(y * Y + u * U + v * V + offset, low, high)`: the network's mean and scale are folded in, and the clamp
/// is that of the colour to 0...255, seen after them.
struct ColorTransform {
    struct Channel {
        var y: Float
        var u: Float
        var v: Float
        var offset: Float
        var low: Float
        var high: Float
    }

    var first: Channel
    var second: Channel
    var third: Channel

    init(_ color: ColorSpec, isGray: Bool, normalisation: InputNormalisation) {
        let (red, blue) =
            switch color.matrix {
            case .bt601: (0.299, 0.114)
            case .bt709: (0.2126, 0.0722)
            case .bt2020: (0.2627, 0.0593)
            }
        let green = 1 - red - blue
        let (lumaGain, lumaZero, chromaGain) =
            switch color.range {
            case .limited: (255.0 / 219, 16.0, 255.0 / 224)
            case .full: (1.0, 0.0, 1.0)
            }
        let redFromV = 2 * (1 - red) * chromaGain
        let blueFromU = 2 * (1 - blue) * chromaGain
        let greenFromU = -blue / green * blueFromU
        let greenFromV = -red / green * redFromV
        var rows = [(0, redFromV), (greenFromU, greenFromV), (blueFromU, 0)]
        if isGray { rows = [(0, 0), (0, 0), (0, 0)] }
        if normalisation.channelOrder == .bgr { rows.reverse() }

        func channel(_ index: Int) -> Channel {
            let (u, v) = rows[index]
            let mean = Double(normalisation.mean[index])
            let scale = Double(normalisation.scale[index])
            let ends = (-mean * scale, (255 - mean) * scale)
            return Channel(
                y: Float(lumaGain * scale), u: Float(u * scale), v: Float(v * scale),
                offset: Float((-lumaGain * lumaZero - (u + v) * 128 - mean) * scale),
                low: Float(min(ends.0, ends.1)), high: Float(max(ends.0, ends.1)))
        }
        first = channel(0)
        second = channel(1)
        third = channel(2)
    }
}
