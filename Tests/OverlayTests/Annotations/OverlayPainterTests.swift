// SPDX-License-Identifier: Apache-2.0
import Annotations
import Media
import MediaTestSupport
import Testing

@testable import Overlay

@Suite struct DrawingOverlayTests {
    // ITU-R BT.601-7 and BT.709-6 quantisation of the primaries; JFIF for the full range.
    @Test(
        arguments: [
            (0xFF0000, ColorSpec(matrix: .bt709), [63, 102, 240]),
            (0x00FF00, ColorSpec(matrix: .bt709), [173, 42, 26]),
            (0x0000FF, ColorSpec(matrix: .bt709), [32, 240, 118]),
            (0xFFFFFF, ColorSpec(matrix: .bt709), [235, 128, 128]),
            (0x000000, ColorSpec(matrix: .bt709), [16, 128, 128]),
            (0xFF0000, ColorSpec(matrix: .bt601), [81, 90, 240]),
            (0x00FF00, ColorSpec(matrix: .bt601), [145, 54, 34]),
            (0x0000FF, ColorSpec(matrix: .bt601), [41, 240, 110]),
            (0xFF0000, ColorSpec(matrix: .bt601, range: .full), [76, 85, 255]),
            (0x00FF00, ColorSpec(matrix: .bt601, range: .full), [150, 44, 21]),
            (0xFFFFFF, ColorSpec(matrix: .bt2020, range: .full), [255, 128, 128]),
        ] as [(UInt32, ColorSpec, [Int16])])
    func `colours become the standard's values`(_ hex: UInt32, _ spec: ColorSpec, _ expected: [Int16]) {
        let color = YUVColor(Color(hex: hex), in: spec)
        #expect([color.y, color.u, color.v] == expected && color.alpha == 128)
    }

    @Test(
        arguments: [
            ("#ff8000", Color(hex: 0xFF8000)), ("FF8000", Color(hex: 0xFF8000)), ("#f80", Color(hex: 0xFF8800)),
            ("#ff800040", Color(red: 255, green: 128, blue: 0, alpha: 64)), ("", nil), ("#", nil), ("red", nil),
            ("#ff80", nil), ("+ff800", nil), ("#ff80000000", nil), ("#ＦＦ8000", nil),
        ] as [(String, Color?)])
    func `colours are read from hexadecimal`(_ text: String, _ expected: Color?) {
        #expect(Color(text) == expected)
    }

    private func drawn(
        _ width: Int = 320, _ height: Int = 240, _ painter: OverlayPainter = OverlayPainter(),
        _ results: FrameAnnotations
    ) -> DrawingPlanes {
        let planes = DrawingPlanes(format: .i444, width: width, height: height) { $0 == 0 ? 16 : 128 }
        Canvas().draw(on: planes.surface, .assumed(height: height)) { painter.draw(results, on: $0) }
        return planes
    }

    private static let line = LineSegment(from: Point(x: 20, y: 200), to: Point(x: 300, y: 200), score: 0.9)
    private static let face = Face(
        box: Box(x: 100, y: 60, width: 80, height: 100), score: 0.98,
        landmarks: [Point(x: 120, y: 90), Point(x: 160, y: 90), Point(x: 140, y: 110), Point(x: 125, y: 135)])

    @Test(arguments: [false, true], [[], [line]])
    func `a picture is marked just where something is drawn on it`(ages: Bool, lines: [LineSegment]) {
        let painter = OverlayPainter()
        painter.style.showsAges = ages
        let blank = DrawingPlanes(format: .i444, width: 320, height: 240) { $0 == 0 ? 16 : 128 }
        for results in [FrameAnnotations(), FrameAnnotations().adding(lines, by: "lines")] {
            let planes = drawn(320, 240, painter, results)
            let isMarked = (0..<3).contains { planes.component($0) != blank.component($0) }
            #expect(painter.marks(results) == isMarked)
        }
    }

    @Test func `lines and boxes have the colour of their node`() {
        let painter = OverlayPainter(nodes: ["faces", "lines"])
        #expect(painter.color(of: "faces") == OverlayStyle.colorBlindSafe[0])
        #expect(painter.color(of: "lines") == OverlayStyle.colorBlindSafe[1])
        #expect(painter.color(of: "new") == OverlayStyle.colorBlindSafe[2])
        let lines = FrameAnnotations().adding([Self.line], by: "lines")
        let planes = drawn(320, 240, painter, lines.adding([Self.face], by: "faces"))
        let spec = ColorSpec.assumed(height: 240)
        func hue(_ x: Int, _ y: Int) -> [Int] { [1, 2].map { Int(planes.component($0)[y * 320 + x]) } }
        for (place, color) in [((150, 199), painter.color(of: "lines")), ((140, 60), painter.color(of: "faces"))] {
            let yuv = YUVColor(color, in: spec)
            // The line is 1.5 samples wide: three quarters of its colour.
            let found = hue(place.0, place.1)
            #expect(abs(found[0] - 128 - (Int(yuv.u) - 128) * 3 / 4) <= 3)
            #expect(abs(found[1] - 128 - (Int(yuv.v) - 128) * 3 / 4) <= 3)
        }
        #expect(planes.component(0)[90 * 320 + 120] > 220, "a landmark is white")
    }

    @Test func `objects have the colour of their class and its name`() {
        let painter = OverlayPainter()
        let box = Box(x: 100, y: 60, width: 80, height: 100)
        func object(_ label: Int, _ name: String) -> DrawingPlanes {
            drawn(
                320, 240, painter,
                FrameAnnotations().adding([Detection(box: box, score: 0.5, label: label, name: name)], by: "o"))
        }
        let spec = ColorSpec.assumed(height: 240)
        for label in [0, 1, 6, 7, -1, .max] {
            let planes = object(label, "cat")
            let yuv = YUVColor(OverlayStyle.colorBlindSafe[Int(label.magnitude % 7)], in: spec)
            let found = [1, 2].map { Int(planes.component($0)[60 * 320 + 140]) - 128 }
            #expect(abs(found[0] - (Int(yuv.u) - 128) * 3 / 4) <= 3 && abs(found[1] - (Int(yuv.v) - 128) * 3 / 4) <= 3)
        }
        let named = object(0, "elephant").bytes
        #expect(named != object(0, "cat").bytes)
        painter.style.showsLabels = false
        #expect(object(0, "elephant").bytes == object(0, "cat").bytes && object(0, "cat").bytes != named)
    }

    @Test func `every part can be switched off`() {
        let results = FrameAnnotations().adding([Self.line], by: "l").adding([Self.face], by: "f")
        let full = drawn(results).bytes
        let parts: [WritableKeyPath<OverlayStyle, Bool>] = [\.showsPoints, \.showsLabels, \.showsScores]
        for part in parts {
            let painter = OverlayPainter()
            painter.style[keyPath: part] = false
            #expect(drawn(320, 240, painter, results).bytes != full)
        }
        let painter = OverlayPainter()
        painter.style.hiddenKinds = ["lines"]
        let faces = drawn(320, 240, painter, results).bytes
        #expect(faces != full && faces == drawn(FrameAnnotations().adding([Self.face], by: "f")).bytes)
        painter.style.hiddenKinds = ["lines", "faces"]
        #expect(Set(drawn(320, 240, painter, results).component(0)) == [16])
        #expect(Set(drawn(FrameAnnotations()).component(0)) == [16])
    }

    private func drawn(_ results: FrameAnnotations) -> DrawingPlanes { drawn(320, 240, OverlayPainter(), results) }

    @Test(arguments: [
        Box(x: -30, y: -20, width: 80, height: 100), Box(x: 300, y: 2, width: 80, height: 100),
        Box(x: 100, y: 0, width: 60, height: 60), Box(x: 0, y: 180, width: 400, height: 200),
    ])
    func `labels stay inside the picture`(_ box: Box) {
        let painter = OverlayPainter()
        painter.style.palette = [Color(hex: 0xF0E442)]
        painter.style.showsPoints = false
        let with = drawn(320, 240, painter, FrameAnnotations().adding([Face(box: box, score: 0.5)], by: "f"))
        painter.style.showsLabels = false
        let without = drawn(320, 240, painter, FrameAnnotations().adding([Face(box: box, score: 0.5)], by: "f"))
        let changed = zip(with.component(0), without.component(0)).filter { $0 != $1 }.count
        // The whole plate, some 60 by 15 pixels, shows.
        #expect(changed > 500)
        #expect(with.areGuardsIntact)
    }

    @Test func `a frame of known texts renders none`() {
        let scene = DrawingScene(seed: 3)
        let other = DrawingScene(seed: 4)
        let picture = somePicture(width: 640, height: 360, format: .i420, color: .assumed(height: 360))
        let canvas = Canvas()
        let painter = OverlayPainter()
        canvas.draw(on: picture) { painter.draw(scene.all, on: $0) }
        let rendered = canvas.texts.renderCount
        // Other faces with other scores: the numbers come from digits that are there.
        canvas.draw(on: picture) { painter.draw(other.all, on: $0) }
        #expect(rendered == 1 && canvas.texts.renderCount == rendered)
    }
}
