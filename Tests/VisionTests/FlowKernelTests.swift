// SPDX-License-Identifier: Apache-2.0
import Media
import TestSupport
import Testing

@testable import Vision

/// The kernels of flow against plain loops.
@Suite struct FlowKernelTests {
    /// A level with random pictures, borders filled.
    private func level(_ width: Int, _ height: Int, arena: FloatArena, seed: UInt64 = 1) -> FlowLevel {
        let level = FlowLevel(width: width, height: height, spacing: 4, arena: arena)
        var generator = SeededGenerator(seed: seed)
        for row in 0..<height {
            for column in 0..<width {
                level.first[row * level.stride + column] = .random(in: 0...255, using: &generator)
                level.second[row * level.stride + column] = .random(in: 0...255, using: &generator)
            }
        }
        level.replicateBorders()
        return level
    }

    private func at(_ plane: UnsafePointer<Float>, _ level: FlowLevel, _ x: Int, _ y: Int) -> Float {
        plane[min(max(y, 0), level.height - 1) * level.stride + min(max(x, 0), level.width - 1)]
    }

    private func bilinear(_ plane: UnsafePointer<Float>, _ level: FlowLevel, _ x: Float, _ y: Float) -> Float {
        let (left, top) = (Int(x.rounded(.down)), Int(y.rounded(.down)))
        let (a, b) = (x - Float(left), y - Float(top))
        let upper = at(plane, level, left, top) * (1 - a) + at(plane, level, left + 1, top) * a
        let lower = at(plane, level, left, top + 1) * (1 - a) + at(plane, level, left + 1, top + 1) * a
        return upper * (1 - b) + lower * b
    }

    @Test(arguments: [(80, 72), (71, 67)], [1, 2, 4, 8])
    func `reducing bytes takes the mean of each cell`(size: (width: Int, height: Int), factor: Int) {
        var generator = SeededGenerator(seed: 1)
        let (width, height) = size
        let bytes = (0..<width * height).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let columns = (width + factor - 1) / factor
        let level = FlowLevel(
            width: columns, height: (height + factor - 1) / factor, spacing: 4, arena: FloatArena())
        var sums = [UInt16](repeating: 0, count: width + 2 * factor)
        bytes.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return }
            FlowPyramid.reduce(
                Plane(base: base, stride: width, width: width, height: height), by: factor, into: level.first,
                of: level, sums: &sums)
        }
        for y in 0..<level.height {
            for x in 0..<columns {
                #expect(abs(level.first[y * level.stride + x] - cell(bytes, size, x, y, factor)) < 1e-3)
            }
        }
    }

    private func cell(_ bytes: [UInt8], _ size: (width: Int, height: Int), _ x: Int, _ y: Int, _ factor: Int) -> Float {
        var sum: Float = 0
        for j in 0..<factor {
            for i in 0..<factor {
                sum += Float(
                    bytes[min(y * factor + j, size.height - 1) * size.width + min(x * factor + i, size.width - 1)])
            }
        }
        return sum / Float(factor * factor)
    }

    @Test(arguments: [(40, 24), (41, 27), (17, 16)])
    func `halving and derivatives are the plain ones`(width: Int, height: Int) {
        let arena = FloatArena()
        let finer = level(width, height, arena: arena)
        let coarser = FlowLevel(width: (width + 1) / 2, height: (height + 1) / 2, spacing: 4, arena: arena)
        FlowPyramid.halve(finer.first, of: finer, into: coarser.first, of: coarser)
        FlowPyramid.differentiate(finer)
        for y in 0..<coarser.height {
            for x in 0..<coarser.width {
                var sum: Float = 0
                for j in 0...1 { for i in 0...1 { sum += at(finer.first, finer, 2 * x + i, 2 * y + j) } }
                #expect(abs(coarser.first[y * coarser.stride + x] - sum / 4) < 1e-3)
            }
        }
        for y in 0..<height {
            for x in 0..<width {
                func difference(_ dx: Int, _ dy: Int) -> Float {
                    var sum: Float = 0
                    for offset in -1...1 {
                        let (middleX, middleY) = (x + dy * offset, y + dx * offset)
                        let after = at(finer.first, finer, middleX + dx, middleY + dy)
                        let before = at(finer.first, finer, middleX - dx, middleY - dy)
                        sum += (offset == 0 ? 2 : 1) * (after - before)
                    }
                    return sum / 8
                }
                #expect(abs(finer.gradientX[y * finer.stride + x] - difference(1, 0)) < 1e-3)
                #expect(abs(finer.gradientY[y * finer.stride + x] - difference(0, 1)) < 1e-3)
            }
        }
    }

    @Test(arguments: [(0, 0), (0.25, 0.75), (0.99, 0.01)])
    func `patches are compared as plain loops do`(x: Float, y: Float) {
        let level = level(24, 20, arena: FloatArena())
        FlowPyramid.differentiate(level)
        let found = PatchSearch.compare(
            level.first, level.gradientX, level.gradientY, level.second + (3 * level.stride + 2),
            stride: level.stride, x, y)
        var sums = SIMD4<Float>()
        for row in 0..<8 {
            for column in 0..<8 {
                let offset = row * level.stride + column
                let difference =
                    bilinear(level.second, level, Float(column) + 2 + x, Float(row) + 3 + y) - level.first[offset]
                sums += SIMD4(
                    difference, difference * level.gradientX[offset], difference * level.gradientY[offset],
                    difference * difference)
            }
        }
        for lane in 0..<4 { #expect(abs(found[lane] - sums[lane]) < 1e-3 * max(1, abs(sums[lane]))) }
    }

    @Test func `a pixel's motion is the weighted mean of its patches'`() {
        let level = level(27, 21, arena: FloatArena())
        var generator = SeededGenerator(seed: 3)
        let grid = level.patches
        for index in 0..<grid.count {
            grid.u[index] = .random(in: -3...3, using: &generator)
            grid.v[index] = .random(in: -3...3, using: &generator)
        }
        PatchBlend(level).run(level)
        for y in 0..<level.height {
            for x in 0..<level.width {
                var (u, v, total): (Float, Float, Float) = (0, 0, 0)
                for row in 0..<grid.rows where (0..<8).contains(y - grid.top(row)) {
                    for column in 0..<grid.columns where (0..<8).contains(x - grid.left(column)) {
                        let index = row * grid.columns + column
                        let moved = bilinear(level.second, level, Float(x) + grid.u[index], Float(y) + grid.v[index])
                        let weight = 1 / max(1, abs(moved - level.first[y * level.stride + x]))
                        u += weight * grid.u[index]
                        v += weight * grid.v[index]
                        total += weight
                    }
                }
                #expect(abs(level.u[y * level.stride + x] - u / total) < 1e-3)
                #expect(abs(level.v[y * level.stride + x] - v / total) < 1e-3)
            }
        }
    }

    @Test(arguments: [1, 2, 4, 8], [0, 1])
    func `enlarging is bilinear between centres`(scale: Int, less: Int) {
        let arena = FloatArena()
        let level = level(13, 9, arena: arena)
        let small = min(less, scale - 1)
        let field = FlowField(width: 13 * scale - small, height: 9 * scale - small)
        for row in 0..<9 {
            for column in 0..<13 {
                level.u[row * level.stride + column] = level.first[row * level.stride + column]
                level.v[row * level.stride + column] = level.second[row * level.stride + column]
            }
        }
        FlowExpansion(from: level, scale: scale, arena: arena).run(level, into: field)
        for y in 0..<field.height {
            for x in 0..<field.width {
                let (fx, fy) = ((Float(x) + 0.5) / Float(scale) - 0.5, (Float(y) + 0.5) / Float(scale) - 0.5)
                let index = y * field.width + x
                #expect(abs(field.u[index] - bilinear(level.first, level, fx, fy) * Float(scale)) < 0.01)
                #expect(abs(field.v[index] - bilinear(level.second, level, fx, fy) * Float(scale)) < 0.01)
            }
        }
    }

    @Test func `refinement mends a field that was disturbed`() {
        let scene = MovingScene(width: 61, height: 48, pan: (1.25, -0.5), seed: 12)
        let level = FlowLevel(width: 61, height: 48, spacing: 4, arena: FloatArena())
        let (first, second) = (scene.bytes(0), scene.bytes(1))
        var generator = SeededGenerator(seed: 5)
        for y in 0..<48 {
            for x in 0..<61 {
                level.first[y * level.stride + x] = Float(first[y * 61 + x])
                level.second[y * level.stride + x] = Float(second[y * 61 + x])
                level.u[y * level.stride + x] = 1.25 + .random(in: -0.4...0.4, using: &generator)
                level.v[y * level.stride + x] = -0.5 + .random(in: -0.4...0.4, using: &generator)
            }
        }
        level.replicateBorders()
        func error() -> Float {
            (4..<44).reduce(0) { sum, y in
                (4..<57).reduce(sum) { $0 + abs(level.u[y * level.stride + $1] - 1.25) }
            } / (40 * 53)
        }
        let before = error()
        let refinement = FlowRefinement(level)
        refinement.run(fixedPoints: 5)
        #expect(before > 0.15 && error() < 0.05)
        // What is left in its planes from one run does not show in the next.
        let after = (0..<61).map { level.u[20 * level.stride + $0] }
        let fresh = FlowRefinement(level)
        let (u, v) = ((0..<48 * level.stride).map { level.u[$0] }, (0..<48 * level.stride).map { level.v[$0] })
        refinement.run(fixedPoints: 2)
        let used = (0..<61).map { level.u[20 * level.stride + $0] }
        for index in u.indices { (level.u[index], level.v[index]) = (u[index], v[index]) }
        fresh.run(fixedPoints: 2)
        #expect(used == (0..<61).map { level.u[20 * level.stride + $0] } && after != used)
    }
}
