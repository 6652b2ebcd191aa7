// SPDX-License-Identifier: Apache-2.0

/// A coverage mask put down at a whole sample: how text gets onto a picture.
struct MaskShape: CoverageShape {
    private let mask: TextMask
    private let left: Int
    let top: Int

    /// `left` and `top` are where the mask's first sample goes.
    init(_ mask: TextMask, left: Int, top: Int) {
        self.mask = mask
        self.left = left
        self.top = top
    }

    var bottom: Int { top + mask.height }

    @inline(__always)
    func span(_ y: Int) -> Span {
        y >= top && y < bottom ? Span(from: left, to: left + mask.width) : Span(from: .max, to: .min)
    }

    @inline(__always)
    func row(_ y: Int) -> Row {
        // The other row of a pair that shares chroma: a width that no offset is below.
        guard y >= top && y < bottom else { return Row(first: mask.samples, left: left, width: -TextMask.margin) }
        return Row(first: mask.row(y - top), left: left, width: mask.width)
    }

    struct Row: CoverageRow {
        fileprivate let first: UnsafePointer<UInt8>
        fileprivate let left: Int
        fileprivate let width: Int

        @inline(__always)
        func coverage(_ x: Int) -> SIMD8<Int16> {
            let offset = x - left
            // The mask's margins of eight empty samples make every load that overlaps it safe.
            guard offset > -8 && offset < width else { return SIMD8(repeating: 0) }
            return widened(UnsafeRawPointer(first + offset).loadUnaligned(as: SIMD8<UInt8>.self))
        }
    }
}
