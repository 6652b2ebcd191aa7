// SPDX-License-Identifier: Apache-2.0

/// The annotations that travel with a frame, keyed by the node that made them.
///
/// A persistent list: adding shares what is there, so that parallel branches never copy each other's annotations.
public struct FrameAnnotations: Sendable {
    /// What one node found.
    public final class Entry: Sendable {
        /// Id of the node that made it.
        public let node: String
        /// What it found.
        public let list: any AnnotationList
        /// Seconds from the frame it was found in to this one, to which it was carried; nil where it is this one.
        public let age: Double?
        fileprivate let rest: Entry?

        /// Whether it was found in an earlier frame and carried forward to this one.
        public var isCarried: Bool { age != nil }

        fileprivate init(node: String, list: any AnnotationList, age: Double?, rest: Entry?) {
            self.node = node
            self.list = list
            self.age = age
            self.rest = rest
        }
    }

    private var newest: Entry?

    /// No annotations.
    public init() {}

    /// Whether no node has looked at the frame so far.
    public var isEmpty: Bool { newest == nil }

    /// Whether any node found anything.
    public var hasFindings: Bool {
        var entry = newest
        while let current = entry {
            if !current.list.isEmpty { return true }
            entry = current.rest
        }
        return false
    }

    /// These annotations and those of `node`, which replace earlier ones of the same node when read by name.
    public func adding(_ list: any AnnotationList, by node: String, age: Double? = nil) -> FrameAnnotations {
        var annotations = self
        annotations.newest = Entry(node: node, list: list, age: age, rest: newest)
        return annotations
    }

    /// The same annotations in other coordinates.
    public func mapped(by map: PictureMap) -> FrameAnnotations {
        var mapped = FrameAnnotations()
        forEach { mapped = mapped.adding($0.list.mapped(by: map), by: $0.node, age: $0.age) }
        return mapped
    }

    /// What `node` found last, or nil.
    public subscript(node: String) -> Entry? {
        var entry = newest
        while let current = entry {
            if current.node == node { return current }
            entry = current.rest
        }
        return nil
    }

    /// The annotations of one kind, the oldest node's first; those of a single node are not copied.
    public func all<A: Annotation>(_ type: A.Type) -> [A] {
        var found: [A]?
        forEach { entry in
            guard let items = entry.list.items(type) else { return }
            found = found.map { $0 + items } ?? items
        }
        return found ?? []
    }

    /// The last annotation of a kind of which a frame has one for each node, and its age where it was carried.
    public func newest<A: Annotation>(_ type: A.Type) -> (item: A, age: Double?)? {
        var entry = newest
        while let current = entry {
            if let item = current.list.items(type)?.last { return (item, current.age) }
            entry = current.rest
        }
        return nil
    }

    /// Calls `body` with what every node found, oldest first.
    public func forEach(_ body: (Entry) throws -> Void) rethrows {
        func visit(_ entry: Entry?) throws {
            guard let entry else { return }
            try visit(entry.rest)
            try body(entry)
        }
        try visit(newest)
    }

    /// Calls `body` with what every node found, layer by layer from the lowest; within a layer oldest first.
    public func forEachByLayer(_ body: (Entry) throws -> Void) rethrows {
        var below: DrawingLayer?
        while true {
            var next: DrawingLayer?
            forEach { entry in
                let layer = entry.list.kind.layer
                if let below, layer <= below { return }
                if let next, layer >= next { return }
                next = layer
            }
            guard let next else { return }
            try forEach { entry in
                if entry.list.kind.layer == next { try body(entry) }
            }
            below = next
        }
    }
}

extension FrameAnnotations {
    /// Writes a field per kind into an object that is open, and whether any of it was carried from an earlier frame.
    ///
    /// The field holds what was found; an object of it by node for kinds in `shared`, which several nodes find.
    /// - Returns: whether anything was found.
    public func write(to record: inout JSONWriter, shared: Set<String> = []) -> Bool {
        var (isFound, isCarried, previous) = (false, false, AnnotationKind?.none)
        while let kind = kind(after: previous) {
            previous = kind
            record.key(kind.name)
            let isShared = shared.contains(kind.name)
            func note(_ entry: Entry) {
                isFound = isFound || !entry.list.isEmpty
                isCarried = isCarried || entry.isCarried
            }
            switch (isShared, kind.form) {
            case (true, _):
                record.beginObject()
                forEach { entry in
                    // What a node says again takes the place of what it said before.
                    guard entry.list.kind == kind, self[entry.node, kind] === entry else { return }
                    record.key(entry.node)
                    Self.write(entry, to: &record)
                    note(entry)
                }
                record.endObject()
            case (false, .list):
                record.beginArray()
                forEach { entry in
                    guard entry.list.kind == kind else { return }
                    entry.list.write(to: &record, age: entry.age)
                    note(entry)
                }
                record.endArray()
            case (false, .single):
                var last: Entry?
                forEach { entry in
                    if entry.list.kind == kind, !entry.list.isEmpty { last = entry }
                }
                guard let last else {
                    record.null()
                    continue
                }
                last.list.write(to: &record, age: last.age)
                note(last)
            }
        }
        if previous != nil { record.field("carried", isCarried) }
        return isFound
    }

    private static func write(_ entry: Entry, to record: inout JSONWriter) {
        if entry.list.kind.form == .list { record.beginArray() }
        if entry.list.kind.form == .single, entry.list.isEmpty {
            record.null()
        } else {
            entry.list.write(to: &record, age: entry.age)
        }
        if entry.list.kind.form == .list { record.endArray() }
    }

    /// What `node` found last of one kind.
    private subscript(node: String, kind: AnnotationKind) -> Entry? {
        var entry = newest
        while let current = entry {
            if current.node == node, current.list.kind == kind { return current }
            entry = current.rest
        }
        return nil
    }

    /// The kind that follows another one in a record, or the first.
    private func kind(after previous: AnnotationKind?) -> AnnotationKind? {
        var next: AnnotationKind?
        forEach { entry in
            let kind = entry.list.kind
            if let previous, !previous.precedesInRecord(kind) { return }
            if let next, !kind.precedesInRecord(next) { return }
            next = kind
        }
        return next
    }
}
