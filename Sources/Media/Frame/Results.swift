// SPDX-License-Identifier: Apache-2.0

/// A point in pixels of the source frame, origin top left, y down.
public struct Point: Sendable, Hashable {
    /// Across.
    public var x: Float
    /// Down.
    public var y: Float

    /// Makes a point.
    public init(x: Float, y: Float) {
        self.x = x
        self.y = y
    }
}

/// An axis-aligned rectangle in pixels of the source frame.
public struct Rect: Sendable, Hashable {
    /// Left edge.
    public var x: Float
    /// Top edge.
    public var y: Float
    /// Extent across.
    public var width: Float
    /// Extent down.
    public var height: Float

    /// Makes a rectangle from its left top corner and its extent.
    public init(x: Float, y: Float, width: Float, height: Float) {
        self.x = x
        self.y = y
        self.width = width
        self.height = height
    }
}

/// A straight line segment. Ends may lie outside the frame.
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

/// A face: its box and, where the network gives them, five landmarks.
public struct Face: Sendable, Hashable {
    /// Bounding box.
    public var box: Rect
    /// Confidence, 0...1.
    public var score: Float
    /// Left eye, right eye, nose, left and right mouth corner as seen in the picture; or empty.
    public var landmarks: [Point]

    /// Makes a face.
    public init(box: Rect, score: Float, landmarks: [Point] = []) {
        self.box = box
        self.score = score
        self.landmarks = landmarks
    }
}

/// What a network found in one frame.
public enum FrameResult: Sendable {
    /// Line segments, best first.
    case lines([LineSegment])
    /// Faces, best first.
    case faces([Face])
}

/// The results that travel with a frame, each keyed by the node that made it.
///
/// A persistent list: adding shares what is there, so that parallel branches never copy each other's results.
public struct Results: Sendable {
    private final class Entry: Sendable {
        let node: String
        let result: FrameResult
        let rest: Entry?

        init(node: String, result: FrameResult, rest: Entry?) {
            self.node = node
            self.result = result
            self.rest = rest
        }
    }

    private var newest: Entry?

    /// No results.
    public init() {}

    /// Whether nothing was found out about the frame so far.
    public var isEmpty: Bool { newest == nil }

    /// These results and `result` of `node`, which replaces an earlier one of the same node when read.
    public func adding(_ result: FrameResult, by node: String) -> Results {
        var results = self
        results.newest = Entry(node: node, result: result, rest: newest)
        return results
    }

    /// These results and those of `other` that are not here yet.
    public func merging(_ other: Results) -> Results {
        var merged = self
        other.forEach { node, result in
            if self[node] == nil { merged.newest = Entry(node: node, result: result, rest: merged.newest) }
        }
        return merged
    }

    /// The result of `node`, or nil.
    public subscript(node: String) -> FrameResult? {
        var entry = newest
        while let current = entry {
            if current.node == node { return current.result }
            entry = current.rest
        }
        return nil
    }

    /// Calls `body` with every result, oldest first.
    public func forEach(_ body: (_ node: String, _ result: FrameResult) throws -> Void) rethrows {
        func visit(_ entry: Entry?) throws {
            guard let entry else { return }
            try visit(entry.rest)
            try body(entry.node, entry.result)
        }
        try visit(newest)
    }
}
