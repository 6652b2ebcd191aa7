// SPDX-License-Identifier: Apache-2.0

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
