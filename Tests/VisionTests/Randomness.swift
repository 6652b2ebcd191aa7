// SPDX-License-Identifier: Apache-2.0
import Media
import MediaTestSupport
import TestSupport

/// A picture of random bytes.
///
/// The padding of its rows is random too: whoever reads it gets something else than zero.
func randomPicture(
    _ format: PixelFormat, width: Int, height: Int, color: ColorSpec = ColorSpec(matrix: .bt709), seed: UInt64 = 1
) -> Picture {
    var generator = SeededGenerator(seed: seed)
    let picture = somePicture(width: width, height: height, format: format, color: color)
    for index in 0..<format.planeCount {
        let plane = picture.mutablePlane(index)
        for offset in 0..<plane.stride * plane.height {
            plane.base[offset] = UInt8.random(in: 0...255, using: &generator)
        }
    }
    return picture
}
