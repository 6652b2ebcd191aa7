// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// What a graph has done so far, cheap enough to read several times a second; two of them give rates.
public struct GraphPulse: Sendable {
    /// One sink's part.
    public struct Sink: Sendable {
        /// The node's name.
        public var name: String
        /// Frames delivered here.
        public var items: UInt64
        /// When the last one was, on the graph's clock in nanoseconds; 0 before the first.
        public var lastAt: UInt64
        /// When that one had been captured, on the same clock.
        public var lastCapturedAt: UInt64
        /// From capture to delivery.
        public var latency: LatencyCounts

        /// Makes a sink's part by hand, for tests.
        public init(
            name: String, items: UInt64, lastAt: UInt64, lastCapturedAt: UInt64,
            latency: LatencyCounts = LatencyCounts()
        ) {
            self.name = name
            self.items = items
            self.lastAt = lastAt
            self.lastCapturedAt = lastCapturedAt
            self.latency = latency
        }
    }

    /// The instant of reading, on the graph's clock, in nanoseconds.
    public var at: UInt64
    /// The nodes where frames end.
    public var sinks: [Sink]
    /// Frames that came in, over all sources, those refused at once among them.
    public var admitted: UInt64
    /// Frames in flight.
    public var inFlight: UInt64
    /// Whether no more frames come in: the graph was stopped, or every source has ended.
    public var isEnding: Bool

    /// Makes a pulse by hand, for tests.
    public init(at: UInt64, sinks: [Sink], admitted: UInt64, inFlight: UInt64, isEnding: Bool = false) {
        self.at = at
        self.sinks = sinks
        self.admitted = admitted
        self.inFlight = inFlight
        self.isEnding = isEnding
    }
}

extension Graph {
    /// The pulse now.
    ///
    /// - Note: Thread-safety: thread-safe; allocates, so it is for a timer and not for frames.
    public func pulse() -> GraphPulse {
        GraphPulse(
            at: control.clock.now(),
            sinks: stages.filter(\.frames.isSink).map { stage in
                let latency = stage.frames.endToEnd.counts
                return .init(
                    name: stage.name, items: latency.count, lastAt: stage.lastAt.load(ordering: .relaxed),
                    lastCapturedAt: stage.frames.lastCapturedAt.load(ordering: .relaxed), latency: latency)
            },
            admitted: ledgers.reduce(0) { $0 + $1.admittedCount }, inFlight: ledgers.reduce(0) { $0 + $1.inFlight },
            isEnding: control.isStopping || stages.allSatisfy { !$0.frames.isSource || $0.outbox.isClosed })
    }
}
