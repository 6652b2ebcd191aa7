// SPDX-License-Identifier: Apache-2.0
import Annotations
import Media
import Testing

@testable import Overlay

@Suite struct DrawingTextTests {
    private static let font = Font(family: "DejaVu Sans", size: 16)

    private func drawn(_ width: Int = 200, _ height: Int = 40, _ draw: (Canvas) -> Void) -> DrawingPlanes {
        let planes = DrawingPlanes(format: .i420, width: width, height: height) { $0 == 0 ? 16 : 128 }
        Canvas().draw(on: planes.surface, ColorSpec(matrix: .bt709), draw)
        return planes
    }

    @Test(arguments: [
        "face", "Straße Ånd", "лицо", "πρόσωπο", "وجه", "פנים", "顔 人脸 얼굴", "😀 ☺ 👩‍👩‍👧",
        "चेहरा", "ใบหน้า", "e\u{301}\u{302}",
        "\u{202E}rtl\u{202C}", "\u{FFFF}\u{10FFFF}", "\0a\nb\tc", "→ ½ ×",
    ])
    func `text of any script is inked, in its colour only, and inside the planes`(_ text: String) {
        let planes = drawn { $0.text(text, at: Point(x: 4, y: 4), font: Self.font, color: .white) }
        #expect(planes.areGuardsIntact)
        let luma = planes.component(0)
        #expect(luma.contains { $0 > 120 })
        // White on black: luma between the two, chroma stays neutral.
        #expect(luma.allSatisfy { $0 >= 16 && $0 <= 235 })
        #expect(planes.component(1).allSatisfy { $0 == 128 } && planes.component(2).allSatisfy { $0 == 128 })
    }

    @Test(arguments: ["", " ", "\u{200B}", "\n"])
    func `blank text draws nothing`(_ text: String) {
        #expect(drawn { $0.text(text, at: Point(x: 4, y: 4), font: Self.font, color: .white) }.component(0).max() == 16)
    }

    @Test func `text is cut at every border alike`() {
        let whole = drawn { $0.text("Mxg", at: Point(x: 64, y: 12), font: Self.font, color: .white) }.component(0)
        for (dx, dy) in [(-71, 0), (0, -19), (113, 0), (0, 15), (-68, -17), (1, 1), (7, 3)] {
            let moved = drawn {
                $0.text("Mxg", at: Point(x: Float(64 + dx), y: Float(12 + dy)), font: Self.font, color: .white)
            }
            #expect(moved.areGuardsIntact)
            let luma = moved.component(0)
            for y in 0..<40 {
                for x in 0..<200 {
                    let (fromX, fromY) = (x - dx, y - dy)
                    let isInside = fromX >= 0 && fromX < 200 && fromY >= 0 && fromY < 40
                    #expect(luma[y * 200 + x] == (isInside ? whole[fromY * 200 + fromX] : 16))
                }
            }
        }
    }

    @Test func `a halo darkens around the glyphs and keeps them`() {
        let plain = drawn {
            $0.fill(Box(x: 0, y: 0, width: 200, height: 40), color: Color(hex: 0x808080))
            $0.text("Il", at: Point(x: 10, y: 8), font: Self.font, color: .white)
        }.component(0)
        let rimmed = drawn {
            $0.fill(Box(x: 0, y: 0, width: 200, height: 40), color: Color(hex: 0x808080))
            $0.text("Il", at: Point(x: 10, y: 8), font: Self.font, color: .white, halo: Halo(color: .black, width: 2))
        }.component(0)
        #expect(zip(plain, rimmed).allSatisfy { $0 >= $1 })
        #expect((rimmed.min() ?? 255) < 20 && (plain.min() ?? 0) > 100)
        #expect(rimmed.max() == plain.max())
    }

    @Test func `numbers are put together from digits of one width`() throws {
        let cache = TextCache()
        let digits = try #require(cache.digitSet(Self.font))
        #expect(digits.width(ofHundredths: 98, decimals: 2) == digits.width(ofHundredths: 11, decimals: 2))
        #expect(digits.width(ofHundredths: 12_345, decimals: 2) > digits.width(ofHundredths: 98, decimals: 2))
        #expect(digits.width(ofHundredths: 700, decimals: 0) == digits.digitAdvance)
        let written = drawn { $0.text("0.98", at: Point(x: 4, y: 4), font: Self.font, color: .white) }.component(0)
        let composed = drawn { $0.number(0.98, at: Point(x: 4, y: 4), font: Self.font, color: .white) }.component(0)
        // Hinted metrics put DejaVu's digits on whole pixels: the same picture either way.
        #expect(written == composed)
    }

    @Test(
        arguments: [
            (0.984, 2, "0.98"), (0.996, 2, "1.00"), (1, 2, "1.00"), (29.97, 1, "30.0"), (7.4, 0, "7"), (-3, 2, "0.00"),
            (.nan, 2, "0.00"), (.infinity, 2, "999.99"), (123.45, 2, "123.45"),
        ] as [(Float, Int, String)])
    func `numbers round to their decimals`(_ value: Float, _ decimals: Int, _ text: String) {
        let written = drawn { $0.text(text, at: Point(x: 4, y: 4), font: Self.font, color: .white) }.component(0)
        let composed = drawn {
            $0.number(value, decimals: decimals, at: Point(x: 4, y: 4), font: Self.font, color: .white)
        }
        #expect(composed.component(0) == written)
    }

    @Test func `a text is rendered once and the longest unused goes first`() {
        let cache = TextCache(capacity: 3)
        for text in ["a", "b", "c", "a", "a", "d"] { #expect(cache.mask(text, font: Self.font) != nil) }
        #expect(cache.count == 3 && cache.renderCount == 4)
        _ = cache.mask("a", font: Self.font)
        #expect(cache.renderCount == 4)
        _ = cache.mask("b", font: Self.font)
        #expect(cache.renderCount == 5)
        _ = cache.mask("a", font: Font(family: "DejaVu Sans", size: 17))
        _ = cache.mask("a", font: Self.font, outline: 1)
        #expect(cache.renderCount == 7)
    }

    @Test func `large texts are bounded in number and in bytes`() {
        let cache = TextCache(capacity: 100, byteLimit: 200_000)
        for number in 0..<30 {
            _ = cache.mask(String(repeating: "W\(number)", count: 40), font: Font(size: 40))
            #expect(cache.byteCount <= 200_000 || cache.count == 1)
        }
        let endless = String(repeating: "WÄ", count: 100_000)
        let mask = cache.mask(endless, font: Font(size: 1e9))
        #expect(mask.map { $0.width <= TextRenderer.widest && $0.height <= TextRenderer.highest } == true)
    }

    @Test(arguments: ["", "no such family", "a,b,,;", "\u{1F600}", String(repeating: "x", count: 5000)])
    func `an unknown family falls back to what there is`(_ family: String) {
        for size in [-1, 0, .nan, .infinity, 3, 12] as [Float] {
            let font = Font(family: family, size: size)
            let planes = drawn { $0.text("Ab", at: Point(x: 4, y: 4), font: font, color: .white) }
            #expect(planes.areGuardsIntact)
        }
    }
}
