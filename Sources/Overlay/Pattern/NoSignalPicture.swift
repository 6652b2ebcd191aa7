// SPDX-License-Identifier: Apache-2.0
internal import Annotations
public import Media

/// The picture that stands in for a live source which is away: dark, with the reason and the time on it.
///
/// Confined.
public final class NoSignalPicture {
    private let pool = PicturePool()
    private let canvas = Canvas(textCapacity: 8)
    private var last: (key: Key, picture: Picture)?

    private struct Key: Equatable {
        var width: Int
        var height: Int
        var format: PixelFormat
        var reason: String
        var seconds: Int
    }

    /// Makes pictures on demand.
    public init() {}

    /// A picture of a size that says `reason`, away for `seconds`; drawn anew only when one of them changes.
    public func picture(
        width: Int, height: Int, format: PixelFormat = .i420, color: ColorSpec? = nil, reason: String, seconds: Int
    ) throws(MediaError) -> Picture {
        let key = Key(width: width, height: height, format: format, reason: reason, seconds: seconds)
        if let last, last.key == key { return last.picture }
        let picture = try pool.make(
            width: width, height: height, format: format, color: color ?? .assumed(height: height),
            pixelAspect: Rational(1, 1))
        picture.fillBlack()
        let size = Float(max(10, min(height / 12, width / 16)))
        let lines = [
            ("no signal", Font(size: size * 1.4, isBold: true)), ("\(reason), \(seconds) s", Font(size: size)),
        ]
        canvas.draw(on: picture) { canvas in
            var top = Float(height) / 2 - size * 1.6
            for (text, font) in lines {
                let extent = canvas.size(of: text, font: font)
                canvas.text(
                    text, at: Point(x: (Float(width) - Float(extent.width)) / 2, y: top), font: font,
                    color: Color(red: 235, green: 235, blue: 235))
                top += font.size * 1.4
            }
        }
        last = (key, picture)
        return picture
    }
}
