// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import Media

/// A test picture that moves: colour bars, a luma ramp, a box that crosses it and the number of the frame.
///
/// Deterministic: a frame depends on the settings and its number alone. Confined.
public final class TestPattern {
    /// Width in pixels.
    public let width: Int
    /// Height in pixels.
    public let height: Int
    /// Layout.
    public let format: PixelFormat
    /// Frames per second.
    public let frameRate: Rational
    /// Meaning of the values.
    public let color: ColorSpec

    private let pool = PicturePool()
    private let still: Picture

    /// Makes a pattern; `color` nil is what an unlabelled picture of the size is taken for.
    ///
    /// - Throws: `invalidSetting` for sizes outside 1...32768 or a frame rate that is not positive.
    public init(
        width: Int, height: Int, format: PixelFormat = .i420, frameRate: Rational = Rational(25, 1),
        color: ColorSpec? = nil
    ) throws(MediaError) {
        guard (1...(1 << 15)).contains(width), (1...(1 << 15)).contains(height) else {
            throw MediaError(
                .invalidSetting, operation: "testpattern",
                detail: "a size must be 1...32768 pixels (got \(width)x\(height))")
        }
        guard frameRate.value != nil else {
            throw MediaError(.invalidSetting, operation: "testpattern", detail: "the frame rate must be positive")
        }
        self.width = width
        self.height = height
        self.format = format
        self.frameRate = frameRate
        self.color = color ?? .assumed(height: height)
        still = try pool.make(
            width: width, height: height, format: format, color: self.color, pixelAspect: Rational(1, 1))
        drawBars()
    }

    /// Frame `number`, counted from 0, and its time.
    ///
    /// - Throws: `outOfMemory`.
    public func frame(_ number: Int) throws(MediaError) -> DecodedPicture {
        let picture = try pool.writableCopy(of: still)
        let side = max(1, min(width, height) / 8)
        let top = height * 3 / 4 + max(0, (height / 4 - side) / 2)
        let x = width > side ? (number * max(1, width / 128)) % (width - side) : 0
        fill(picture, x: x, y: min(top, height - side), width: side, height: side, rgb: (255, 64, 0))
        drawNumber(number, on: picture)
        let base = Rational(frameRate.den, frameRate.num)
        return DecodedPicture(
            picture: picture, pts: MediaTime(ticks: Int64(number), base: base),
            duration: MediaTime(ticks: 1, base: base))
    }

    /// 75 % bars: white, yellow, cyan, green, magenta, red, blue, black.
    static let bars: [(Int, Int, Int)] = [
        (191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0), (0, 0, 191), (0, 0, 0),
    ]

    private func drawBars() {
        for (index, rgb) in Self.bars.enumerated() {
            let left = index * width / 8
            fill(still, x: left, y: 0, width: (index + 1) * width / 8 - left, height: height, rgb: rgb)
        }
        let ramp = height * 3 / 4
        for x in 0..<width {
            let level = width > 1 ? x * 255 / (width - 1) : 128
            fill(still, x: x, y: ramp, width: 1, height: height - ramp, rgb: (level, level, level))
        }
    }

    private func fill(_ picture: Picture, x: Int, y: Int, width: Int, height: Int, rgb: (Int, Int, Int)) {
        guard width > 0, height > 0 else { return }
        let value = color.bytes(of: rgb)
        let luma = picture.mutablePlane(0)
        for row in y..<y + height { memset(luma.row(row) + x, Int32(value.y), width) }
        guard format.planeCount > 1 else { return }
        let (sx, sy) = (format.chromaShiftX, format.chromaShiftY)
        let (left, right) = (x >> sx, (x + width - 1) >> sx)
        for row in (y >> sy)...((y + height - 1) >> sy) {
            if format == .nv12 {
                let target = picture.mutablePlane(1).row(row)
                for column in left...right {
                    target[2 * column] = value.u
                    target[2 * column + 1] = value.v
                }
            } else {
                memset(picture.mutablePlane(1).row(row) + left, Int32(value.u), right - left + 1)
                memset(picture.mutablePlane(2).row(row) + left, Int32(value.v), right - left + 1)
            }
        }
    }

    /// Digits of 3 by 5 dots, a row in three bits, the top row highest.
    private static let digits: [UInt16] = [
        0b111_101_101_101_111, 0b010_110_010_010_111, 0b111_001_111_100_111, 0b111_001_111_001_111,
        0b101_101_111_001_001, 0b111_100_111_001_111, 0b111_100_111_101_111, 0b111_001_010_010_010,
        0b111_101_111_101_111, 0b111_101_111_001_111,
    ]

    private func drawNumber(_ number: Int, on picture: Picture) {
        var rest = max(0, number)
        var places: [Int] = []
        repeat {
            places.insert(rest % 10, at: 0)
            rest /= 10
        } while rest > 0
        let dot = max(1, min(width, height) / 60)
        let (left, top) = (2 * dot, 2 * dot)
        // Dark ground, so that the number reads on every bar.
        let ground = (w: min(width, (places.count * 4 + 1) * dot), h: min(height, 7 * dot))
        guard left + ground.w <= width, top + ground.h <= height else { return }
        fill(picture, x: left, y: top, width: ground.w, height: ground.h, rgb: (0, 0, 0))
        for (place, digit) in places.enumerated() {
            for bit in 0..<15 where Self.digits[digit] >> UInt16(14 - bit) & 1 == 1 {
                fill(
                    picture, x: left + (place * 4 + 1 + bit % 3) * dot, y: top + (1 + bit / 3) * dot, width: dot,
                    height: dot, rgb: (255, 255, 255))
            }
        }
    }
}
