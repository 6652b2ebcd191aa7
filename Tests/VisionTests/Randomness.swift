// SPDX-License-Identifier: Apache-2.0
import Media

/// A small generator with a seed, so that every run sees the same numbers (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// A picture of random bytes.
///
/// The padding of its rows is random too: whoever reads it gets something else than zero.
func randomPicture(
    _ format: PixelFormat, width: Int, height: Int, color: ColorSpec = ColorSpec(matrix: .bt709), seed: UInt64 = 1
) -> Picture {
    var generator = SeededGenerator(seed: seed)
    let picture = PicturePool().make(width: width, height: height, format: format, color: color)
    for index in 0..<format.planeCount {
        let plane = picture.mutablePlane(index)
        for offset in 0..<plane.stride * plane.height {
            plane.base[offset] = UInt8.random(in: 0...255, using: &generator)
        }
    }
    return picture
}
