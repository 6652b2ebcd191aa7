// SPDX-License-Identifier: Apache-2.0
import Foundation
import Media
import MediaTestSupport
import Networks
import TestSupport
import Testing

@testable import Vision

@Suite struct ExposureTests {
    private static func light(_ value: Double) -> Double {
        value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
    }

    private static func display(_ light: Double) -> Double {
        light <= 0.0031308 ? light * 12.92 : 1.055 * pow(light, 1 / 2.4) - 0.055
    }

    @Test(arguments: [1, 1.5, 4, 32, 128] as [Float])
    func `the curve multiplies light`(gain: Float) {
        let curve = ToneCurve()
        curve.set(gain: gain)
        for step in 0...1000 {
            let value = Float(step) / 1000
            let wanted = Self.display(min(1, Self.light(Double(value)) * Double(gain)))
            // Half a level of a byte.
            #expect(abs(Double(curve(value)) - wanted) < 0.002, "at \(value)")
        }
        #expect(curve(-1) == 0 && curve(.nan) == 0)
        #expect(abs(curve(2) - curve(1)) < 1e-6)
    }

    /// What the meter says of planes of one grey.
    private func gain(
        _ meter: ExposureMeter, _ value: Float, at seconds: Double, _ curve: ToneCurve
    ) -> (gain: Float, isJump: Bool) {
        let image = grey(value)
        return withExtendedLifetime(image) { meter.gain(image.readOnly, at: seconds, curve: curve) }
    }

    /// Planes of one grey.
    private func grey(_ value: Float, width: Int = 40, height: Int = 30) -> FloatImage {
        let image = FloatImage(channels: 3, width: width, height: height)
        image.fill(value)
        return image
    }

    @Test(arguments: [(0.5, 100), (0.1, 100), (0.02, 100), (0.02, 8), (0.95, 100), (0, 100)] as [(Float, Float)])
    func `the gain brings the brightest parts to four fifths of the light`(value: Float, limit: Float) {
        let meter = ExposureMeter(width: 40, height: 30, limit: limit)
        let (gain, isJump) = self.gain(meter, value, at: 0, ToneCurve())
        let wanted = min(max(0.8 / max(Self.light(Double(value)), 1e-4), 1), Double(limit))
        #expect(abs(Double(gain) / wanted - 1) < 0.02)
        #expect(!isJump)
    }

    @Test func `two lamps of a hundredth of the picture do not darken the rest`() {
        let image = grey(0.1, width: 200, height: 160)
        for y in 0..<16 {
            for x in 0..<16 { for c in 0..<3 { image.planes.plane(c)[y * 200 + x] = 1 } }
        }
        let meter = ExposureMeter(width: 200, height: 160, limit: 100)
        let (gain, _) = withExtendedLifetime(image) {
            meter.gain(image.readOnly, at: 0, curve: ToneCurve())
        }
        #expect(abs(Double(gain) * Self.light(0.1) - 0.8) < 0.02)
    }

    @Test func `the gain moves smoothly to a new light, by time and not by frames`() {
        for rate in [10.0, 50] {
            let meter = ExposureMeter(width: 40, height: 30, limit: 100)
            let curve = ToneCurve()
            let (first, _) = self.gain(meter, 0.2, at: 0, curve)
            var last = first
            var after: Float = 0
            for frame in 1...Int(4 * rate) {
                let now = Double(frame) / rate
                let (gain, isJump) = self.gain(meter, 0.3, at: now, curve)
                #expect(!isJump)
                #expect(gain <= last && gain > last * 0.8)
                last = gain
                if abs(now - ExposureMeter.timeConstant) < 1e-6 { after = gain }
            }
            let target = Float(0.8 / Self.light(0.3))
            #expect(abs(last / target - 1) < 0.02)
            // 63 % of the way, in stops, after the time constant.
            let way = log2(after / first) / log2(target / first)
            #expect(abs(way - 0.632) < 0.03)
        }
    }

    @Test func `a lamp switched on is followed at once`() {
        let meter = ExposureMeter(width: 40, height: 30, limit: 100)
        let curve = ToneCurve()
        _ = self.gain(meter, 0.1, at: 0, curve)
        let (gain, isJump) = self.gain(meter, 0.6, at: 0.04, curve)
        #expect(isJump)
        #expect(abs(Double(gain) * Self.light(0.6) - 0.8) < 0.02)
    }

    @Test(arguments: [ColorSpec.Range.limited, .full])
    func `the gate opens below its threshold and closes well above`(range: ColorSpec.Range) {
        var gate = DarknessGate(threshold: 50)
        var states: [Bool] = []
        for luma in [60, 51, 48, 55, 62, 66, 60, 49] as [Double] {
            let byte = range == .full ? luma : 16 + luma * 219 / 255
            let picture = flat(.i420, y: UInt8(byte.rounded()), color: ColorSpec(matrix: .bt601, range: range))
            states.append(gate.admits(picture))
        }
        // Closes above 50 * 1.2 + 4 = 64 only.
        #expect(states == [false, false, true, true, true, false, false, true])
    }
}

@Suite struct PictureComposerTests {
    /// Colours that are smooth enough for any chroma grid.
    private func smooth(_ format: PixelFormat, _ width: Int, _ height: Int, _ color: ColorSpec) -> Picture {
        let picture = somePicture(width: width, height: height, format: format, color: color)
        for index in 0..<format.planeCount {
            let plane = picture.mutablePlane(index)
            let samples = format == .nv12 && index == 1 ? 2 : 1
            for y in 0..<plane.height {
                for x in 0..<plane.width * samples {
                    let wave = sin(Double(x) / Double(plane.width * samples) * 5 + Double(index))
                    plane.row(y)[x] = UInt8(
                        index == 0 ? 110 + 40 * wave * cos(Double(y) / Double(plane.height) * 4) : 128 + 12 * wave)
                }
            }
        }
        return picture
    }

    @Test(arguments: PixelFormat.allCases, [ColorSpec(matrix: .bt709), ColorSpec(matrix: .bt601, range: .full)])
    func `a picture goes to planes and comes back`(format: PixelFormat, color: ColorSpec) throws {
        for (width, height) in [(64, 48), (37, 21), (96, 54)] {
            let picture = smooth(format, width, height, color)
            for size in [InputSize(width: width, height: height), InputSize(width: 32, height: 32)] {
                let preprocessor = Preprocessor(size: size, normalisation: DWTANet.normalisation, filter: .area)
                let planes = FloatImage(channels: 3, width: size.width, height: size.height)
                preprocessor.fill(
                    UnsafeMutableBufferPointer(start: planes.planes.base, count: planes.planes.count), from: picture)
                let composer = PictureComposer(
                    width: size.width, height: size.height, like: picture, atSourceSize: true)
                let before = FloatImage(channels: 1, width: size.width, height: size.height)
                composer.luma(of: planes.readOnly, into: before.planes.base)
                let back = try composer.compose(
                    planes.readOnly, source: picture, before: before.planes.base, curve: ToneCurve())
                #expect(back.width == width && back.height == height && back.format == format && back.color == color)
                let isExact = size.width == width && size.height == height
                #expect(difference(picture, back) <= (isExact ? 2 : 8), "\(width)x\(height) by \(size)")
            }
        }
    }

    @Test func `an edge that the planes cannot show comes back sharp, noise does not`() throws {
        let color = ColorSpec(matrix: .bt709)
        let picture = somePicture(width: 128, height: 96, format: .i420, color: color)
        var generator = SeededGenerator(seed: 4)
        for y in 0..<96 {
            for x in 0..<128 {
                let clean = x < 62 ? 40 : 180
                picture.mutablePlane(0).row(y)[x] = UInt8(clean + Int.random(in: -2...2, using: &generator))
            }
        }
        for plane in [picture.mutablePlane(1), picture.mutablePlane(2)] {
            for y in 0..<plane.height { plane.row(y).update(repeating: 128, count: plane.width) }
        }
        let size = InputSize(width: 32, height: 24)
        let preprocessor = Preprocessor(size: size, normalisation: DWTANet.normalisation, filter: .area)
        let planes = FloatImage(channels: 3, width: 32, height: 24)
        preprocessor.fill(
            UnsafeMutableBufferPointer(start: planes.planes.base, count: planes.planes.count), from: picture)
        let composer = PictureComposer(width: 32, height: 24, like: picture, atSourceSize: true)
        let before = FloatImage(channels: 1, width: 32, height: 24)
        composer.luma(of: planes.readOnly, into: before.planes.base)
        let back = try composer.compose(
            planes.readOnly, source: picture, before: before.planes.base, curve: ToneCurve())
        var noise = 0.0
        for y in 0..<96 {
            let row = back.plane(0).row(y)
            #expect(abs(Int(row[61]) - 40) <= 8 && abs(Int(row[62]) - 180) <= 8, "row \(y)")
            for x in 4..<40 { noise += pow(Double(row[x]) - 40, 2) }
        }
        // Uniform noise of five values has a variance of 2.
        #expect(noise / (96 * 36) < 0.5)
    }

    private func difference(_ a: Picture, _ b: Picture) -> Int {
        var worst = 0
        for index in 0..<a.format.planeCount {
            let (one, other) = (a.plane(index), b.plane(index))
            let samples = a.format == .nv12 && index == 1 ? 2 : 1
            for y in 0..<one.height {
                for x in 0..<one.width * samples {
                    worst = max(worst, abs(Int(one.row(y)[x]) - Int(other.row(y)[x])))
                }
            }
        }
        return worst
    }
}

/// A picture of one grey.
func flat(_ format: PixelFormat, y: UInt8, width: Int = 64, height: Int = 48, color: ColorSpec) -> Picture {
    let picture = somePicture(width: width, height: height, format: format, color: color)
    for index in 0..<format.planeCount {
        let plane = picture.mutablePlane(index)
        for row in 0..<plane.height { plane.row(row).update(repeating: index == 0 ? y : 128, count: plane.stride) }
    }
    return picture
}
