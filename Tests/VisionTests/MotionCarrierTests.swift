// SPDX-License-Identifier: Apache-2.0
import Annotations
import Media
import MediaTestSupport
import Testing

@testable import Vision

@Suite struct MotionCarrierTests {
    private func picture(_ scene: MovingScene, _ time: Int) -> Picture {
        let picture = somePicture(
            width: scene.width, height: scene.height, format: .gray8, color: ColorSpec(matrix: .bt709))
        let bytes = scene.bytes(time)
        let plane = picture.mutablePlane(0)
        for row in 0..<scene.height {
            for column in 0..<scene.width { plane.row(row)[column] = bytes[row * scene.width + column] }
        }
        return picture
    }

    @Test func `a box follows what it is around, and a line the ground`() throws {
        let scene = MovingScene(
            width: 320, height: 180, object: 64, pan: (-2, 1), speed: (5, 2), margin: 24, seed: 11)
        let box = Box(x: 48, y: 36, width: 64, height: 64)
        var results: [any AnnotationList] = [
            [Face(box: box, score: 0.9, landmarks: [Point(x: 80, y: 60)])],
            [LineSegment(from: Point(x: 200, y: 30), to: Point(x: 300, y: 150), score: 0.8)],
        ]
        let carrier = MotionCarrier()
        carrier.append(picture(scene, 0), number: 0)
        for time in 1...4 {
            carrier.append(picture(scene, time), number: UInt64(time))
            results = results.map { carrier.carry($0, from: UInt64(time - 1)) }
        }
        guard let faces = results[0].items(Face.self), let lines = results[1].items(LineSegment.self) else {
            Issue.record("a result changed its kind")
            return
        }
        let face = try #require(faces.first)
        #expect(abs(face.box.x - 68) < 1.5 && abs(face.box.y - 44) < 1.5 && face.box.width == 64)
        #expect(abs(face.landmarks[0].x - 100) < 1.5 && face.score == 0.9)
        let line = try #require(lines.first)
        #expect(abs(line.from.x - 192) < 1.5 && abs(line.from.y - 34) < 1.5)
        #expect(abs(line.to.x - 292) < 1.5 && abs(line.to.y - 154) < 1.5)
    }

    @Test func `a result of any remembered picture is moved to the newest`() throws {
        let scene = MovingScene(width: 640, height: 360, pan: (-6, 4), margin: 64, seed: 5)
        let carrier = MotionCarrier(memory: 8)
        for time in 0...9 { carrier.append(picture(scene, time), number: UInt64(10 + 2 * time)) }
        let found = LineSegment(from: Point(x: 300, y: 100), to: Point(x: 400, y: 160), score: 1)
        // Number, and how many pictures it moved: picture 0 and 1 are forgotten, and the next one stands for them.
        for (number, steps) in [(28, 0), (26, 1), (24, 2), (20, 4), (14, 7), (10, 7)] as [(UInt64, Float)] {
            guard let lines = carrier.carry([found], from: number).items(LineSegment.self) else {
                Issue.record("a result changed its kind")
                return
            }
            let line = try #require(lines.first)
            #expect(abs(line.from.x - (300 - 6 * steps)) < 2 && abs(line.from.y - (100 + 4 * steps)) < 2, "\(number)")
            #expect(abs(line.to.x - (400 - 6 * steps)) < 2 && abs(line.to.y - (160 + 4 * steps)) < 2, "\(number)")
        }
    }

    @Test func `nothing moves at the first picture, at another size and after a reset`() {
        let scene = MovingScene(width: 96, height: 64, pan: (4, 0), margin: 16, seed: 2)
        let larger = MovingScene(width: 128, height: 64, pan: (4, 0), margin: 16, seed: 2)
        let carrier = MotionCarrier()
        let far = Face(box: Box(x: -500, y: 1e9, width: 10, height: 1e7), score: 1)
        func carried(_ picture: Picture, _ number: UInt64) -> Face? {
            carrier.append(picture, number: number)
            return carrier.carry([far], from: max(1, number) - 1).items(Face.self)?.first
        }
        #expect(carried(picture(scene, 0), 0) == far)
        #expect(carried(picture(scene, 1), 1) != far)
        #expect(carried(picture(larger, 2), 2) == far)
        #expect(carried(picture(larger, 3), 3) != far)
        carrier.reset()
        #expect(carried(picture(larger, 4), 4) == far)
    }
}
