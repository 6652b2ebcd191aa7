// SPDX-License-Identifier: Apache-2.0
internal import Annotations

/// A filled disc, for landmarks and end markers.
struct DiscShape: CoverageShape {
    let top: Int
    let bottom: Int
    private let left: Int
    private let right: Int
    private let centre: SIMD2<Float>
    private let radius: Float
    private let scale: Float

    /// Nil where nothing of the disc can show on a picture of the given size.
    init?(centre: Point, radius: Float, pictureWidth: Int, pictureHeight: Int) {
        guard centre.x.isFinite, centre.y.isFinite, radius > 0 else { return nil }
        let radius = min(radius, 4096)
        let pad = radius + 1
        guard centre.x > -pad, centre.y > -pad, centre.x < Float(pictureWidth) + pad,
            centre.y < Float(pictureHeight) + pad
        else { return nil }
        self.centre = SIMD2(centre.x - 0.5, centre.y - 0.5)
        // A linear rim one sample wide adds pi / 12 to the area of a disc: take it off the radius, and where the
        // disc is smaller than a sample, dim it instead.
        let smallest: Float = 0.6
        self.radius = (max(radius, smallest) * max(radius, smallest) - 1 / 12).squareRoot()
        scale = radius < smallest ? radius * radius / (smallest * smallest) : 1
        top = Int((centre.y - pad).rounded(.down))
        bottom = Int((centre.y + pad).rounded(.up))
        left = Int((centre.x - pad).rounded(.down))
        right = Int((centre.x + pad).rounded(.up))
    }

    @inline(__always)
    func span(_ y: Int) -> Span { Span(from: left, to: right) }

    @inline(__always)
    func row(_ y: Int) -> Row {
        let down = Float(y) - centre.y
        return Row(x: centre.x, squared: down * down, rim: radius + 0.5, scale: scale)
    }

    struct Row: CoverageRow {
        fileprivate let x: Float
        fileprivate let squared: Float
        fileprivate let rim: Float
        fileprivate let scale: Float

        @inline(__always)
        func coverage(_ x: Int) -> SIMD8<Int16> {
            let across = laneNumbers + (Float(x) - self.x)
            let distance = (across * across + squared).squareRoot()
            return quantised(clamped(rim - distance, to: 1) * scale)
        }
    }
}
