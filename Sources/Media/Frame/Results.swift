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

/// An object of some class: its box and what it is.
public struct Detection: Sendable, Hashable {
    /// Bounding box.
    public var box: Rect
    /// Confidence, 0...1.
    public var score: Float
    /// Index of the class.
    public var label: Int
    /// What people call the class; the index as text where it has no name.
    public var name: String

    /// Makes a detection.
    public init(box: Rect, score: Float, label: Int, name: String) {
        self.box = box
        self.score = score
        self.label = label
        self.name = name
    }
}

/// An output of a network as it is, for readers who decode it themselves.
public struct RawTensor: Sendable, Hashable {
    /// The output's name in the model.
    public var name: String
    /// Extents, the last axis fastest.
    public var shape: [Int]
    /// The numbers; in network coordinates, whatever they mean.
    public var values: [Float]

    /// Makes a tensor.
    public init(name: String, shape: [Int], values: [Float]) {
        self.name = name
        self.shape = shape
        self.values = values
    }
}

/// What a network found in one frame.
public enum FrameResult: Sendable {
    /// Line segments, best first.
    case lines([LineSegment])
    /// Faces, best first.
    case faces([Face])
    /// Objects of several classes, best first.
    case objects([Detection])
    /// Outputs that nobody decoded.
    case tensors([RawTensor])
    /// A class for every part of the picture.
    case segmentation(ClassMap)
}

/// The results that travel with a frame, each keyed by the node that made it.
///
/// A persistent list: adding shares what is there, so that parallel branches never copy each other's results.
public struct Results: Sendable {
    /// One node's finding.
    public final class Entry: Sendable {
        /// Id of the node that made it.
        public let node: String
        /// What it found.
        public let result: FrameResult
        /// Seconds from the frame it was found in to this one, to which it was carried; nil where it is this one.
        public let age: Double?
        fileprivate let rest: Entry?

        /// Whether it was found in an earlier frame and carried forward to this one.
        public var isCarried: Bool { age != nil }

        fileprivate init(node: String, result: FrameResult, age: Double?, rest: Entry?) {
            self.node = node
            self.result = result
            self.age = age
            self.rest = rest
        }
    }

    private var newest: Entry?

    /// No results.
    public init() {}

    /// Whether nothing was found out about the frame so far.
    public var isEmpty: Bool { newest == nil }

    /// These results and `result` of `node`, which replaces an earlier one of the same node when read by name.
    public func adding(_ result: FrameResult, by node: String, age: Double? = nil) -> Results {
        var results = self
        results.newest = Entry(node: node, result: result, age: age, rest: newest)
        return results
    }

    /// These results and those of `other` that are not here yet.
    public func merging(_ other: Results) -> Results {
        if newest === other.newest { return self }
        var merged = self
        other.forEach { entry in
            guard self[entry.node] == nil else { return }
            merged.newest = Entry(
                node: entry.node, result: entry.result, age: entry.age, rest: merged.newest)
        }
        return merged
    }

    /// The same results in other coordinates.
    public func mapped(by map: PictureMap) -> Results {
        var mapped = Results()
        forEach { mapped = mapped.adding(map($0.result), by: $0.node, age: $0.age) }
        return mapped
    }

    /// The newest result of `node`, or nil.
    public subscript(node: String) -> Entry? {
        var entry = newest
        while let current = entry {
            if current.node == node { return current }
            entry = current.rest
        }
        return nil
    }

    /// Calls `body` with every result, oldest first.
    public func forEach(_ body: (Entry) throws -> Void) rethrows {
        func visit(_ entry: Entry?) throws {
            guard let entry else { return }
            try visit(entry.rest)
            try body(entry)
        }
        try visit(newest)
    }
}
