// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Vision

/// A textured background that moves, and a textured square in front that moves otherwise.
struct MovingScene {
    let width: Int
    let height: Int
    /// Edge of the square.
    let object: Int
    /// Motion of the background, in pixels per frame.
    let pan: (x: Float, y: Float)
    /// Motion of the square, in pixels per frame.
    let speed: (x: Float, y: Float)
    private let background: Texture
    private let foreground: Texture
    private let margin: Int

    /// The square looks like the background where `front` does not say otherwise.
    init(
        width: Int, height: Int, object: Int = 0, pan: (x: Float, y: Float) = (0, 0),
        speed: (x: Float, y: Float) = (0, 0), margin: Int = 64, look: Texture.Look = Texture.Look(),
        front: Texture.Look? = nil, seed: UInt64
    ) {
        self.width = width
        self.height = height
        self.object = object
        self.pan = pan
        self.speed = speed
        self.margin = margin
        background = Texture(
            width: width + 2 * margin, height: height + 2 * margin, look: look, seed: seed)
        foreground = Texture(
            width: object + 16, height: object + 16, look: front ?? look, seed: seed + 1)
    }

    /// Draws frame `time` and says where the square is.
    func draw(_ time: Int, into image: FloatImage, mask: inout [Bool]) {
        let left = Float(width) * 0.15 + speed.x * Float(time)
        let top = Float(height) * 0.2 + speed.y * Float(time)
        let shift = (x: Float(margin) - pan.x * Float(time), y: Float(margin) - pan.y * Float(time))
        for y in 0..<height {
            for x in 0..<width {
                let (across, down) = (Float(x) - left, Float(y) - top)
                let isInside = across >= 0 && down >= 0 && across < Float(object) && down < Float(object)
                let index = y * width + x
                mask[index] = isInside
                for channel in 0..<3 {
                    image.planes.plane(channel)[index] =
                        isInside
                        ? foreground.value(across + 4, down + 4, channel)
                        : background.value(Float(x) + shift.x, Float(y) + shift.y, channel)
                }
            }
        }
    }

    /// The green plane of frame `time` as bytes.
    func bytes(_ time: Int) -> [UInt8] {
        let image = FloatImage(channels: 3, width: width, height: height)
        var mask = [Bool](repeating: false, count: width * height)
        draw(time, into: image, mask: &mask)
        return (0..<width * height).map { UInt8((image.planes.plane(1)[$0] * 255).rounded()) }
    }
}

/// Smooth random colours: splines through random numbers on lattices of three sizes.
struct Texture {
    struct Look {
        /// Pixels between the points of the finest lattice; the others are 4 and 16 times as coarse.
        var grain: Float = 7
        /// Amplitude of the finest, and of each coarser one in shares of the one before.
        var contrast: Float = 0.35
        var falloff: Float = 1
    }

    private let width: Int
    private let height: Int
    private var values: [Float]

    init(width: Int, height: Int, look: Look, seed: UInt64) {
        self.width = width
        self.height = height
        values = [Float](repeating: 0.5, count: 3 * width * height)
        var generator = SeededGenerator(seed: seed)
        for (factor, share) in [(1, 1), (4, look.falloff), (16, look.falloff * look.falloff)] as [(Float, Float)] {
            add(look.grain * factor, look.contrast * share, &generator)
        }
        for index in values.indices { values[index] = min(max(values[index], 0), 1) }
    }

    /// The colour between pixels, bilinearly.
    func value(_ x: Float, _ y: Float, _ channel: Int) -> Float {
        let (left, top) = (Int(x), Int(y))
        let (a, b) = (x - Float(left), y - Float(top))
        let start = (channel * height + top) * width + left
        let upper = values[start] + (values[start + 1] - values[start]) * a
        let lower = values[start + width] + (values[start + width + 1] - values[start + width]) * a
        return upper + (lower - upper) * b
    }

    private mutating func add(_ cell: Float, _ contrast: Float, _ generator: inout SeededGenerator) {
        let (columns, rows) = (Int(Float(width) / cell) + 4, Int(Float(height) / cell) + 4)
        var lattice = [Float](repeating: 0, count: 3 * columns * rows)
        for index in 0..<columns * rows {
            let grey = Float.random(in: -1...1, using: &generator)
            for channel in 0..<3 {
                lattice[channel * columns * rows + index] = 0.7 * grey + 0.3 * .random(in: -1...1, using: &generator)
            }
        }
        let across = (0..<width).map { Self.spline(Float($0) / cell) }
        let down = (0..<height).map { Self.spline(Float($0) / cell) }
        for channel in 0..<3 {
            for y in 0..<height {
                for x in 0..<width {
                    var sum: Float = 0
                    for j in 0..<4 {
                        let start = (channel * rows + down[y].first + j) * columns + across[x].first
                        let weight = across[x].weights
                        sum +=
                            down[y].weights[j]
                            * (weight[0] * lattice[start] + weight[1] * lattice[start + 1]
                                + weight[2] * lattice[start + 2] + weight[3] * lattice[start + 3])
                    }
                    values[(channel * height + y) * width + x] += contrast * sum
                }
            }
        }
    }

    /// The cubic B-spline's four weights around a position, and the first point they belong to.
    private static func spline(_ position: Float) -> (first: Int, weights: SIMD4<Float>) {
        let t = position - position.rounded(.down)
        let s = 1 - t
        let weights = SIMD4(
            s * s * s, 3 * t * t * t - 6 * t * t + 4, 3 * s * s * s - 6 * s * s + 4, t * t * t)
        return (Int(position), weights / 6)
    }
}

extension SeededGenerator {
    /// A normally distributed number.
    mutating func normal() -> Float {
        let radius = (-2 * log(Float.random(in: Float.leastNormalMagnitude...1, using: &self))).squareRoot()
        return radius * cos(2 * .pi * Float.random(in: 0..<1, using: &self))
    }
}
