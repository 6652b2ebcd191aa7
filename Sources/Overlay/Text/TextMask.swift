// SPDX-License-Identifier: Apache-2.0

/// A line of text as coverages in 128ths, rendered once and blended many times.
///
///     |<- 8 ->|<------ width ------>|<- 8 or more ->|     one row, `stride` bytes; the margins are empty,
///     | 0 0 0 | coverage, 0...128   | 0 0 0 0 0 0 0 |     so that eight samples may be read at any overlap
final class TextMask {
    /// Extent of the inked samples; zero for blank text.
    let width: Int
    let height: Int
    /// Where the first inked sample lies, from the start of the line and from the top of its logical box.
    let left: Int
    let top: Int
    /// The logical box: what the text takes up in a layout.
    let advance: Int
    let lineHeight: Int
    /// From the top of the logical box to the baseline.
    let baseline: Int

    private let stride: Int
    private let storage: UnsafeMutablePointer<UInt8>

    static let margin = 8

    /// Makes an empty mask of the given geometry.
    init(width: Int, height: Int, left: Int, top: Int, advance: Int, lineHeight: Int, baseline: Int) {
        self.width = width
        self.height = height
        self.left = left
        self.top = top
        self.advance = advance
        self.lineHeight = lineHeight
        self.baseline = baseline
        stride = (width + 2 * Self.margin + 15) & ~15
        storage = .allocate(capacity: stride * max(1, height))
        storage.initialize(repeating: 0, count: stride * max(1, height))
    }

    deinit { storage.deallocate() }

    /// Bytes held.
    var byteCount: Int { stride * max(1, height) }

    /// First sample of the first row.
    var samples: UnsafePointer<UInt8> { UnsafePointer(storage + Self.margin) }

    /// First sample of row `y`, which the caller keeps in `0..<height`.
    func row(_ y: Int) -> UnsafePointer<UInt8> { samples + y * stride }

    /// Sets one sample while the mask is being made.
    func set(_ x: Int, _ y: Int, _ value: UInt8) { storage[y * stride + Self.margin + x] = value }
}
