// SPDX-License-Identifier: Apache-2.0

/// The masks of the texts drawn lately: at most `capacity` of them and `byteLimit` bytes, the longest unused go first.
///
/// Confined. A hit allocates nothing.
final class TextCache {
    private struct Key: Hashable {
        let text: String
        let font: Font
        let outline: Float
    }

    private final class Entry {
        let mask: TextMask
        var lastUse: UInt64

        init(mask: TextMask, lastUse: UInt64) {
            self.mask = mask
            self.lastUse = lastUse
        }
    }

    private let capacity: Int
    private let byteLimit: Int
    private var entries: [Key: Entry] = [:]
    private var digits: [DigitSet] = []
    private var clock: UInt64 = 0
    private(set) var byteCount = 0
    /// Texts rendered so far, each of which cost a shaping and an allocation.
    private(set) var renderCount = 0
    private lazy var renderer = TextRenderer()

    init(capacity: Int = 256, byteLimit: Int = 8 << 20) {
        self.capacity = max(1, capacity)
        self.byteLimit = byteLimit
        entries.reserveCapacity(self.capacity + 1)
    }

    /// Texts held now.
    var count: Int { entries.count }

    /// The mask of a text, rendered at the first request; nil where the system cannot render text at all.
    func mask(_ text: String, font: Font, outline: Float = 0) -> TextMask? {
        clock += 1
        let key = Key(text: text, font: font, outline: outline.isNaN ? 0 : outline)
        if let entry = entries[key] {
            entry.lastUse = clock
            return entry.mask
        }
        renderCount += 1
        guard let mask = renderer?.render(text, font: font, outline: key.outline) else { return nil }
        entries[key] = Entry(mask: mask, lastUse: clock)
        byteCount += mask.byteCount
        while entries.count > capacity || (byteCount > byteLimit && entries.count > 1) { evict() }
        return mask
    }

    private func evict() {
        guard let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) else { return }
        byteCount -= oldest.value.mask.byteCount
        entries[oldest.key] = nil
    }

    /// The ten digits and the point in one font: numbers are put together from them.
    func digitSet(_ font: Font, outline: Float = 0) -> DigitSet? {
        let outline = outline.isNaN ? 0 : outline
        if let known = digits.first(where: { $0.font == font && $0.outline == outline }) { return known }
        guard let renderer, let set = DigitSet(font: font, outline: outline, renderer: renderer) else { return nil }
        if digits.count >= 8 { digits.removeFirst() }
        digits.append(set)
        return set
    }
}

/// The masks of "0" to "9" and "." in one font, spaced evenly so that a changing number does not shiver.
final class DigitSet {
    let font: Font
    let outline: Float
    /// Width of any digit.
    let digitAdvance: Int
    let lineHeight: Int
    let baseline: Int
    /// Digits, then the point.
    private let masks: [TextMask]

    init?(font: Font, outline: Float, renderer: TextRenderer) {
        var masks: [TextMask] = []
        for text in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "."] {
            guard let mask = renderer.render(text, font: font, outline: outline) else { return nil }
            masks.append(mask)
        }
        self.font = font
        self.outline = outline
        self.masks = masks
        digitAdvance = masks.prefix(10).reduce(0) { max($0, $1.advance) }
        lineHeight = masks[0].lineHeight
        baseline = masks[0].baseline
    }

    /// Width of a number of three digits with two decimals or less; see `forEach`.
    func width(ofHundredths value: Int, decimals: Int) -> Int {
        var end = 0
        forEach(ofHundredths: value, decimals: decimals) { end = $1 + $0.advance }
        return end
    }

    /// Calls `body` with the mask and the place of every character of `value / 100`, limited to 0...999.99.
    @inline(__always)
    func forEach(ofHundredths value: Int, decimals: Int, _ body: (TextMask, Int) -> Void) {
        let value = max(0, min(99_999, value))
        var x = 0
        func put(_ digit: Int) {
            let mask = masks[digit]
            body(mask, x + (digitAdvance - mask.advance) / 2)
            x += digitAdvance
        }
        if value >= 10_000 { put(value / 10_000) }
        if value >= 1000 { put(value / 1000 % 10) }
        put(value / 100 % 10)
        guard decimals > 0 else { return }
        body(masks[10], x)
        x += masks[10].advance
        put(value / 10 % 10)
        if decimals > 1 { put(value % 10) }
    }
}
