// SPDX-License-Identifier: Apache-2.0
internal import Annotations
public import Media

/// Draws time codes: the plate in the middle, below it the time for people.
///
/// Confined.
public final class TimeCodePicture {
    private let pool = PicturePool()
    private let canvas = Canvas(textCapacity: 16)
    private let width: Int
    private let height: Int

    /// Makes pictures of one size.
    public init(width: Int = 640, height: Int = 480) {
        self.width = width
        self.height = height
    }

    /// The picture of a code.
    public func picture(of code: TimeCode) throws(MediaError) -> Picture {
        let picture = try pool.make(
            width: width, height: height, format: .i420, color: .assumed(height: height), pixelAspect: Rational(1, 1))
        picture.fillBlack()
        let (across, down) = (TimeCode.columns + 2 * TimeCode.margin, TimeCode.rows + 2 * TimeCode.margin)
        // Whole pixels; two rows of cells are left for the text.
        let cell = max(1, min(width / (across + 1), height / (down + 3)))
        let left = (width - across * cell) / 2
        let top = (height - (down + 2) * cell) / 2
        canvas.draw(on: picture) { canvas in
            func fill(_ column: Int, _ row: Int, _ columns: Int, _ rows: Int, _ color: Color) {
                canvas.fill(
                    Box(
                        x: Float(left + column * cell), y: Float(top + row * cell), width: Float(columns * cell),
                        height: Float(rows * cell)), color: color)
            }
            fill(0, 0, across, down, .white)
            for row in 0..<down {
                for column in 0..<across where code.isBlack(column: column, row: row) {
                    fill(column, row, 1, 1, .black)
                }
            }
            let milliseconds = code.ticks / 10
            let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000)
            let fraction = String(rest + 1000).dropFirst()
            canvas.text(
                "\(seconds).\(fraction) s", at: Point(x: Float(left), y: Float(top + down * cell + cell / 2)),
                font: Font(size: Float(max(8, cell * 5 / 4)), isBold: true), color: .white)
        }
        return picture
    }
}
