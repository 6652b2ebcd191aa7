// SPDX-License-Identifier: Apache-2.0
package import Media

/// A picture with undefined pixels, for tests, which have memory.
package func somePicture(
    width: Int, height: Int, format: PixelFormat, color: ColorSpec, pixelAspect: Rational = Rational(0, 1)
) -> Picture {
    do {
        return try PicturePool().make(
            width: width, height: height, format: format, color: color, pixelAspect: pixelAspect)
    } catch {
        preconditionFailure("\(error)")
    }
}
