// SPDX-License-Identifier: Apache-2.0

/// What the frames of a graph went through lately, taken from the rings of its stages.
public struct GraphTrace: Sendable {
    /// One node.
    public struct Node: Sendable, Hashable {
        /// Its id.
        public var name: String
        /// Whether frames begin here.
        public var isSource: Bool
        /// Whether frames end here.
        public var isSink: Bool
    }

    /// One edge.
    public struct Edge: Sendable, Hashable {
        /// Both ends: `from -> to`.
        public var name: String
        /// Index of the node it leads to.
        public var to: Int
        /// Items it holds.
        public var capacity: Int
    }

    /// The graph's name.
    public var graph: String
    /// The nodes, in the order of the graph; an event's place is an index here or, beyond, in `edges`.
    public var nodes: [Node]
    /// The edges.
    public var edges: [Edge]
    /// Names of the sources, by their index in events.
    public var sources: [String]
    /// What happened, by instant.
    public var events: [TraceEvent]
    /// Nanoseconds that make an instant of the graph's clock one since 1970.
    public var wallOffset: Int64

    /// Makes a trace by hand, for tests and readers.
    public init(
        graph: String, nodes: [Node], edges: [Edge], sources: [String], events: [TraceEvent], wallOffset: Int64 = 0
    ) {
        self.graph = graph
        self.nodes = nodes
        self.edges = edges
        self.sources = sources
        self.events = events
        self.wallOffset = wallOffset
    }

    /// The name of a place.
    public func name(of place: Int) -> String {
        if place < nodes.count { return nodes[place].name }
        return place - nodes.count < edges.count ? edges[place - nodes.count].name : "?"
    }

    /// The events of one frame, by instant.
    public func events(ofFrame sequence: UInt64, source: String) -> [TraceEvent] {
        guard let index = sources.firstIndex(of: source) else { return [] }
        return events.filter { $0.sequence == sequence && Int($0.source) == index }
    }

    /// How a frame ended, as far as its events tell; nil where there are none.
    public func fate(ofFrame sequence: UInt64, source: String) -> FrameFate? {
        let mine = events(ofFrame: sequence, source: source)
        guard !mine.isEmpty else { return nil }
        let drop = mine.first { $0.kind == .dropped }
        if mine.contains(where: { $0.kind == .delivered }) {
            guard let drop, let cause = drop.cause else { return .delivered }
            return .deliveredPartly(missedAt: name(of: drop.place), cause: cause)
        }
        if let drop, let cause = drop.cause { return .dropped(at: name(of: drop.place), cause: cause) }
        if let used = mine.last(where: { $0.kind == .contributed }) {
            return .dropped(at: name(of: used.place), cause: .unmatched)
        }
        return .inFlight
    }
}

extension Graph {
    /// What happened lately: some thousand events of each node, which are minutes of a camera.
    ///
    /// - Note: Thread-safety: thread-safe; for a person's question, not for frames.
    public func trace() -> GraphTrace {
        let inputs = stages.enumerated().flatMap { index, stage in
            (0..<stage.inputs.count).map { stage.inputs.with($0) { ($0.index, index) } }
        }
        let ends = Dictionary(inputs, uniquingKeysWith: { first, _ in first })
        return GraphTrace(
            graph: name,
            nodes: stages.map { .init(name: $0.name, isSource: $0.frames.isSource, isSink: $0.frames.isSink) },
            edges: edges.map { .init(name: $0.name, to: ends[$0.index] ?? 0, capacity: $0.ring.capacity) },
            sources: sourceNames,
            events: stages.flatMap { $0.frames.trace.events() }.sorted { $0.at < $1.at },
            wallOffset: MonotonicClock.wallOffset)
    }
}
