// SPDX-License-Identifier: Apache-2.0

/// A straight line segment.
///
/// Ends may lie outside the frame.
public struct LineSegment: Sendable, Hashable {
    /// One end.
    public var from: Point
    /// The other end.
    public var to: Point
    /// Confidence, 0...1.
    public var score: Float

    /// Makes a segment.
    public init(from: Point, to: Point, score: Float) {
        self.from = from
        self.to = to
        self.score = score
    }
}
