// SPDX-License-Identifier: Apache-2.0
internal import Annotations

/// A straight stroke.
///
/// Coverage is the overlap of the stroke with a unit-wide sample across the stroke's direction,
/// exact for level and upright edges and at most 9 per cent off (thin strokes at 45 degrees) elsewhere.
struct SegmentShape: CoverageShape {
    let top: Int
    let bottom: Int
    private let left: Int
    private let right: Int
    /// One end, half a sample up and left, so that integer coordinates are sample centres.
    private let origin: SIMD2<Double>
    private let direction: SIMD2<Double>
    private let length: Float
    private let half: Float
    private let isRound: Bool
    /// Change of the centre line's x per row, and half the span a row cuts out of the stroke; infinite where level.
    private let slope: Double
    private let reach: Double
    private let steps: SIMD8<Int16>
    private let peak: Int16
    private let rim: Int16

    /// Widest stroke that the fixed-point body can express.
    static let widest: Float = 256

    /// Clips the stroke to a picture of the given size; nil where nothing of it can show.
    init?(from: Point, to: Point, width: Float, isRound: Bool, pictureWidth: Int, pictureHeight: Int) {
        guard from.x.isFinite, from.y.isFinite, to.x.isFinite, to.y.isFinite, width > 0 else { return nil }
        half = min(width, Self.widest) / 2
        self.isRound = isRound
        let margin = Double(half) + 2
        guard
            let (a, b) = clip(
                SIMD2(Double(from.x), Double(from.y)), SIMD2(Double(to.x), Double(to.y)),
                low: SIMD2(-margin, -margin),
                high: SIMD2(Double(pictureWidth) + margin, Double(pictureHeight) + margin))
        else { return nil }
        let delta = b - a
        let distance = (delta * delta).sum().squareRoot()
        guard isRound || distance > 1e-6 else { return nil }
        direction = distance > 1e-6 ? delta / distance : SIMD2(1, 0)
        length = distance > 1e-6 ? Float(distance) : 0
        origin = a - 0.5
        // Everything is within the clip rectangle now: conversions to Int cannot overflow.
        let pad = Double(half) + 0.5
        top = Int((min(a.y, b.y) - pad).rounded(.down))
        bottom = Int((max(a.y, b.y) + pad).rounded(.up)) + 1
        left = Int((min(a.x, b.x) - pad).rounded(.down))
        right = Int((max(a.x, b.x) + pad).rounded(.up)) + 1
        if abs(direction.y) > 1e-3 {
            slope = direction.x / direction.y
            reach = pad / abs(direction.y)
        } else {
            slope = 0
            reach = .infinity
        }
        let step = Float(-direction.y) * 128
        steps = quantisedSteps(step)
        peak = Int16((min(1, 2 * half) * 128).rounded())
        rim = Int16(((half + 0.5) * 128).rounded())
    }

    @inline(__always)
    func span(_ y: Int) -> Span {
        guard reach < .infinity else { return Span(from: left, to: right) }
        let centre = origin.x + (Double(y) - origin.y) * slope
        // |centre| is bounded by the clip rectangle and the slope limit, far from overflow.
        return Span(from: max(left, Int(centre - reach) - 1), to: min(right, Int(centre + reach) + 2))
    }

    @inline(__always)
    func row(_ y: Int) -> Row {
        let down = Double(y) - origin.y
        return Row(
            shape: self, across: Float(down * direction.x + origin.x * direction.y),
            along: Float(down * direction.y - origin.x * direction.x), acrossStep: Float(-direction.y),
            alongStep: Float(direction.x))
    }

    struct Row: CoverageRow {
        fileprivate let shape: SegmentShape
        /// Signed distance from the centre line, and distance past the first end, at x = 0.
        fileprivate let across: Float
        fileprivate let along: Float
        fileprivate let acrossStep: Float
        fileprivate let alongStep: Float

        @inline(__always)
        func coverage(_ x: Int) -> SIMD8<Int16> {
            let start = along + alongStep * Float(x)
            let end = start + alongStep * 7
            if min(start, end) >= 0.5 && max(start, end) <= shape.length - 0.5 { return body(x) }
            return ends(x)
        }

        /// Away from the ends only the distance across counts: eight samples in 16-bit fixed point.
        @inline(__always)
        private func body(_ x: Int) -> SIMD8<Int16> {
            // At most 200 samples off: with the steps (at most 7 samples) and the rim (at most 129) it fits 16 bits.
            let first = max(-200, min(200, across + acrossStep * Float(x))) * 128
            let distance = SIMD8(repeating: Int16(first)) &+ shape.steps
            let inside = positive(shape.rim &- magnitude(distance))
            return shape.peak &- positive(shape.peak &- inside)
        }

        @inline(never)
        private func ends(_ x: Int) -> SIMD8<Int16> {
            let across = laneNumbers * acrossStep + (self.across + acrossStep * Float(x))
            let along = laneNumbers * alongStep + (self.along + alongStep * Float(x))
            let peak = min(1, 2 * shape.half)
            let rim = shape.half + 0.5
            if shape.isRound {
                let past = positive(-along) + positive(along - shape.length)
                let distance = (across * across + past * past).squareRoot()
                return quantised(clamped(rim - distance, to: peak))
            }
            let body = clamped(rim - (positive(across) + positive(-across)), to: peak)
            let within = clamped(along + 0.5, to: 1) + clamped(shape.length + 0.5 - along, to: 1) - 1
            return quantised(body * positive(within))
        }
    }
}

private func quantisedSteps(_ step: Float) -> SIMD8<Int16> {
    var steps = SIMD8<Int16>()
    for lane in 0..<8 { steps[lane] = Int16((step * Float(lane)).rounded()) }
    return steps
}

/// The part of a segment inside a rectangle, by Liang and Barsky's parametric clipping; nil where there is none.
private func clip(
    _ a: SIMD2<Double>, _ b: SIMD2<Double>, low: SIMD2<Double>, high: SIMD2<Double>
) -> (SIMD2<Double>, SIMD2<Double>)? {
    let delta = b - a
    var enter = 0.0
    var leave = 1.0
    for axis in 0..<2 {
        if delta[axis] == 0 {
            guard a[axis] >= low[axis] && a[axis] <= high[axis] else { return nil }
            continue
        }
        let toLow = (low[axis] - a[axis]) / delta[axis]
        let toHigh = (high[axis] - a[axis]) / delta[axis]
        enter = max(enter, min(toLow, toHigh))
        leave = min(leave, max(toLow, toHigh))
    }
    guard enter <= leave else { return nil }
    // Rounding at huge coordinates may leave the rectangle: bring both ends back.
    return (
        (a + delta * enter).clamped(lowerBound: low, upperBound: high),
        (a + delta * leave).clamped(lowerBound: low, upperBound: high)
    )
}
