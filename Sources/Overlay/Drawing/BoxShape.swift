// SPDX-License-Identifier: Apache-2.0

/// An axis-aligned rectangle with rounded or square corners: filled, or the frame between it and one inside it.
///
/// Straight edges cover exactly the overlap with each sample; corners go by the distance from the arc.
struct BoxShape: CoverageShape {
    private let outer: RoundedBox
    private let inner: RoundedBox
    /// The part of the plane this shape is asked about: a frame is drawn as four strips that leave out its inside.
    let top: Int
    let bottom: Int
    private let left: Int
    private let right: Int

    init(outer: RoundedBox, inner: RoundedBox = .empty, left: Int, top: Int, right: Int, bottom: Int) {
        self.outer = outer
        self.inner = inner
        self.left = left
        self.top = top
        self.right = right
        self.bottom = bottom
    }

    @inline(__always)
    func span(_ y: Int) -> Span { y >= top && y < bottom ? Span(from: left, to: right) : Span(from: .max, to: .min) }

    @inline(__always)
    func row(_ y: Int) -> Row { Row(outer: outer.row(y), inner: inner.row(y)) }

    struct Row: CoverageRow {
        fileprivate let outer: RoundedBox.Row
        fileprivate let inner: RoundedBox.Row

        @inline(__always)
        func coverage(_ x: Int) -> SIMD8<Int16> {
            var cover = outer.coverage(x)
            if inner.height > 0 { cover = positive(cover - inner.coverage(x)) }
            return quantised(cover)
        }
    }
}

/// A rectangle with corners of one radius, in samples.
struct RoundedBox {
    let left: Float
    let top: Float
    let right: Float
    let bottom: Float
    let radius: Float

    static let empty = RoundedBox(left: 0, top: 0, right: 0, bottom: 0, radius: 0)

    @inline(__always)
    func row(_ y: Int) -> Row {
        let y = Float(y)
        let height = max(0, min(y + 1, bottom) - max(y, top))
        let centre = y + 0.5
        let past = max(0, max(top + radius - centre, centre - (bottom - radius)))
        return Row(box: self, height: min(1, height), past: radius > 0 ? past : 0)
    }

    struct Row {
        fileprivate let box: RoundedBox
        /// How much of the row lies between top and bottom, 0...1.
        let height: Float
        /// How far the row is past the centre of a corner's arc; zero between the corners.
        fileprivate let past: Float

        @inline(__always)
        func coverage(_ x: Int) -> SIMD8<Float> {
            let from = laneNumbers + Float(x)
            let straight = positive(1 - positive(box.left - from) - positive(from + (1 - box.right))) * height
            guard past > 0 else { return straight }
            return corner(from + 0.5, straight)
        }

        @inline(never)
        private func corner(_ centre: SIMD8<Float>, _ straight: SIMD8<Float>) -> SIMD8<Float> {
            let beyond = positive(box.left + box.radius - centre) + positive(centre - (box.right - box.radius))
            let distance = (beyond * beyond + past * past).squareRoot()
            return straight.replacing(with: clamped(box.radius + 0.5 - distance, to: 1), where: beyond .> 0)
        }
    }
}
