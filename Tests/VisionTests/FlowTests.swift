// SPDX-License-Identifier: Apache-2.0
import Media
import TestSupport
import Testing

@testable import Vision

@Suite struct FlowTests {
    /// Flow between two pictures of bytes.
    private func flow(
        _ first: [UInt8], _ second: [UInt8], _ width: Int, _ height: Int, _ options: DenseFlow.Options = .fast,
        magnification: Int = 1, isParallel: Bool = false, guess: FlowField? = nil
    ) -> FlowField {
        let field = FlowField(width: width * magnification, height: height * magnification)
        let search = DenseFlow(
            width: width, height: height, options: options, magnification: magnification, isParallel: isParallel)
        first.withUnsafeBufferPointer { first in
            second.withUnsafeBufferPointer { second in
                guard let a = first.baseAddress, let b = second.baseAddress else { return }
                search.compute(
                    from: Plane(base: a, stride: width, width: width, height: height),
                    to: Plane(base: b, stride: width, width: width, height: height), into: field, guess: guess)
            }
        }
        return field
    }

    /// Mean distance of a field from one motion, away from the border.
    private func error(_ field: FlowField, _ x: Float, _ y: Float, margin: Int = 12) -> Float {
        var sum: Float = 0
        for row in margin..<field.height - margin {
            for column in margin..<field.width - margin {
                let (du, dv) = (field.u[row * field.width + column] - x, field.v[row * field.width + column] - y)
                sum += (du * du + dv * dv).squareRoot()
            }
        }
        return sum / Float((field.height - 2 * margin) * (field.width - 2 * margin))
    }

    @Test(
        arguments: [(0, 0.25), (1, 0.15), (2, 0.05)] as [(Int, Float)], [(2.3, -1.1), (5.5, 2.5)] as [(Float, Float)])
    func `a texture's translation is found to a fraction of a pixel`(
        preset: (index: Int, tolerance: Float), motion: (x: Float, y: Float)
    ) {
        let scene = MovingScene(width: 160, height: 96, pan: motion, seed: 5)
        let options = [DenseFlow.Options.ultrafast, .fast, .medium][preset.index]
        let found = flow(scene.bytes(0), scene.bytes(1), 160, 96, options)
        #expect(error(found, motion.x, motion.y) < preset.tolerance)
    }

    @Test func `a square in front moves on its own`() {
        let scene = MovingScene(width: 160, height: 96, object: 48, pan: (-1, 0.5), speed: (4, 1), seed: 3)
        let found = flow(scene.bytes(0), scene.bytes(1), 160, 96, .medium)
        let centre = (19 + 24) * 160 + 24 + 24
        #expect(abs(found.u[centre] - 4) < 0.15 && abs(found.v[centre] - 1) < 0.15)
        let far = 80 * 160 + 140
        #expect(abs(found.u[far] + 1) < 0.15 && abs(found.v[far] - 0.5) < 0.15)
    }

    @Test func `the number of threads changes nothing`() {
        let scene = MovingScene(width: 160, height: 120, object: 40, pan: (1.5, 0), speed: (-3, 2), seed: 9)
        let (first, second) = (scene.bytes(0), scene.bytes(1))
        let alone = flow(first, second, 160, 120)
        let together = flow(first, second, 160, 120, isParallel: true)
        #expect((0..<2 * 160 * 120).allSatisfy { alone.u[$0] == together.u[$0] })
    }

    @Test func `padding of rows is not read`() {
        let scene = MovingScene(width: 67, height: 41, pan: (1.2, 0.7), seed: 2)
        let (first, second) = (scene.bytes(0), scene.bytes(1))
        let tight = flow(first, second, 67, 41)
        let loose = FlowField(width: 67, height: 41)
        func padded(_ bytes: [UInt8], _ value: UInt8) -> [UInt8] {
            (0..<41).flatMap { bytes[$0 * 67..<($0 + 1) * 67] + [UInt8](repeating: value, count: 13) }
        }
        let (wideFirst, wideSecond) = (padded(first, 255), padded(second, 0))
        wideFirst.withUnsafeBufferPointer { a in
            wideSecond.withUnsafeBufferPointer { b in
                guard let a = a.baseAddress, let b = b.baseAddress else { return }
                DenseFlow(width: 67, height: 41).compute(
                    from: Plane(base: a, stride: 80, width: 67, height: 41),
                    to: Plane(base: b, stride: 80, width: 67, height: 41), into: loose)
            }
        }
        #expect((0..<2 * 67 * 41).allSatisfy { tight.u[$0] == loose.u[$0] })
    }

    @Test(arguments: [(1, 1), (7, 30), (8, 8), (9, 17), (33, 31), (101, 67), (64, 9)])
    func `any size has a flow, and equal pictures none`(width: Int, height: Int) {
        var generator = SeededGenerator(seed: 4)
        let picture = (0..<width * height).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let other = (0..<width * height).map { _ in UInt8.random(in: 0...255, using: &generator) }
        for options in [DenseFlow.Options.ultrafast, .fast, .medium] {
            let still = flow(picture, picture, width, height, options)
            #expect((0..<2 * width * height).allSatisfy { abs(still.u[$0]) < 1e-3 })
            let wild = flow(picture, other, width, height, options)
            #expect((0..<2 * width * height).allSatisfy { wild.u[$0].isFinite })
            let flat = flow(picture.map { _ in 77 }, picture.map { _ in 99 }, width, height, options)
            #expect((0..<2 * width * height).allSatisfy { flat.u[$0] == 0 })
        }
    }

    @Test func `a magnified field is the field enlarged`() {
        let scene = MovingScene(width: 96, height: 64, pan: (1.5, -0.5), seed: 8)
        let (first, second) = (scene.bytes(0), scene.bytes(1))
        let twice = flow(first, second, 96, 64, .fast, magnification: 2)
        #expect(twice.width == 192 && error(twice, 3, -1, margin: 24) < 0.3)
        // A field that is one pixel smaller belongs to pictures whose size was rounded up.
        let odd = FlowField(width: 191, height: 127)
        let search = DenseFlow(width: 96, height: 64, magnification: 2)
        first.withUnsafeBufferPointer { first in
            guard let base = first.baseAddress else { return }
            let plane = Plane(base: base, stride: 96, width: 96, height: 64)
            search.compute(from: plane, to: plane, into: odd)
        }
        #expect((0..<191 * 127).allSatisfy { abs(odd.u[$0]) < 1e-3 })
    }

    @Test func `a guess finds what the search cannot reach`() {
        let scene = MovingScene(width: 160, height: 96, pan: (46, 0), look: Texture.Look(grain: 2), seed: 6)
        let (first, second) = (scene.bytes(0), scene.bytes(1))
        let guess = FlowField(width: 160, height: 96)
        for index in 0..<160 * 96 { guess.u[index] = 45 }
        // What moved in from the left has no origin, so the right part is looked at.
        func misses(_ field: FlowField) -> Float {
            let rows = 16..<80
            return rows.reduce(0) { $0 + abs(field.u[$1 * 160 + 60] - 46) } / Float(rows.count)
        }
        #expect(misses(flow(first, second, 160, 96)) > 5)
        #expect(misses(flow(first, second, 160, 96, guess: guess)) < 1)
    }

    @Test func `means of cells are in the cells' own pixels`() {
        let field = FlowField(width: 10, height: 6)
        for index in 0..<60 {
            field.u[index] = Float(index % 10)
            field.v[index] = 8
        }
        let small = FlowField(width: 3, height: 2)
        field.reduce(by: 4, into: small)
        let row: [Float] = [1.5 / 4, 5.5 / 4, 8.5 / 4]
        #expect((0..<6).map { small.u[$0] } == row + row)
        #expect((0..<6).allSatisfy { small.v[$0] == 2 })
    }
}
