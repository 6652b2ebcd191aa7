// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import Vision

@Suite struct NoiseProfileTests {
    private static let (width, height) = (320, 192)

    /// Dark on the left with much noise, bright on the right with little; `cell` pixels share a value, down and across.
    private func picture(cell: Int) -> FloatImage {
        let (width, height) = (Self.width, Self.height)
        let image = FloatImage(channels: 3, width: width, height: height)
        var generator = SeededGenerator(seed: 8)
        for channel in 0..<3 {
            for y in stride(from: 0, to: height, by: cell) {
                for x in stride(from: 0, to: width, by: cell) {
                    let isDark = x < width / 2
                    // Four uniform numbers in -1...1 have a deviation of 1.1547.
                    let wave =
                        (0..<4).reduce(Float(0)) { sum, _ in sum + .random(in: -1...1, using: &generator) } / 1.1547
                    let value = isDark ? 0.25 + 0.06 * wave : 0.75 + 0.01 * wave
                    for dy in 0..<min(cell, height - y) {
                        for dx in 0..<min(cell, width - x) {
                            image.planes.plane(channel)[(y + dy) * width + x + dx] = value
                        }
                    }
                }
            }
        }
        return image
    }

    @Test(arguments: [(1, 1), (2, 2)] as [(Int, Float)])
    func `residuals are judged by the noise of their brightness and its grain`(cell: Int, grain: Float) {
        let image = picture(cell: cell)
        let profile = NoiseProfile(width: Self.width, height: Self.height)
        profile.update(image.readOnly, least: 0.001)
        let residuals = FloatImage(channels: 1, width: Self.width, height: Self.height)
        residuals.fill(1)
        profile.normalise(residuals.planes.base, of: image.readOnly, row: 0, uniform: 0.03)
        func mean(_ columns: Range<Int>) -> Float {
            columns.reduce(Float(0)) { $0 + residuals.planes.base[$1] } / Float(columns.count)
        }
        // Grain of two pixels survives the mean of 2x2 whole: white noise would have to be twice as strong.
        #expect(abs(mean(0..<150) / (0.03 / (0.06 * grain)) - 1) < 0.3)
        #expect(abs(mean(170..<320) / (0.03 / (0.01 * grain)) - 1) < 0.3)
    }

    @Test func `nothing known changes nothing`() {
        let image = picture(cell: 1)
        let profile = NoiseProfile(width: Self.width, height: Self.height)
        let residuals = FloatImage(channels: 1, width: Self.width, height: 1)
        residuals.fill(1)
        profile.normalise(residuals.planes.base, of: image.readOnly, row: 0, uniform: 0.03)
        #expect((0..<Self.width).allSatisfy { residuals.planes.base[$0] == 1 })
        profile.update(image.readOnly, least: 0.001)
        profile.reset()
        profile.normalise(residuals.planes.base, of: image.readOnly, row: 0, uniform: 0.03)
        #expect((0..<Self.width).allSatisfy { residuals.planes.base[$0] == 1 })
    }
}
