// SPDX-License-Identifier: Apache-2.0

/// A trace as Perfetto reads it: native TrackEvents, in a file of length-delimited packets.
///
/// A track for each node, whose slices are frames; a counter for each edge, of the frames queued there that were taken later; a
/// track for each edge that dropped frames. A flow runs through all slices of a frame from its source to its fate.
///
/// Source: perfetto.dev, "Trace packet reference" and "Synthetic track events"; field numbers are those of its protobufs.
public struct PerfettoTrace {
    /// The bytes of the file.
    public private(set) var bytes: [UInt8] = []

    static let processTrack: UInt64 = 1
    static let firstSource: UInt64 = 10
    static let firstPlace: UInt64 = 100
    static let firstCounter: UInt64 = 1_000_000
    /// CLOCK_MONOTONIC, whose instants the events have, and CLOCK_REALTIME, in Perfetto's numbers.
    static let (monotonic, realtime): (UInt64, UInt64) = (3, 1)
    private enum EventType: UInt64 { case begin = 1, end, instant, counter }

    private struct Packet {
        let at: UInt64
        /// Ends come before what begins at the same instant.
        let order: Int
        let event: Message
    }

    private let trace: GraphTrace

    /// Writes a trace.
    public init(_ trace: GraphTrace) {
        self.trace = trace
        writeClocks()
        writeTracks()
        for packet in packets() {
            var message = Message()
            message.field(8, packet.at)
            message.field(10, 1)
            message.field(58, Self.monotonic)
            message.field(11, packet.event)
            append(message)
        }
    }

    // MARK: Tracks

    private func track(of place: Int) -> UInt64 { Self.firstPlace + UInt64(place) }
    private func counter(of edge: Int) -> UInt64 { Self.firstCounter + UInt64(edge) }

    /// What the time of day was at the last event.
    private mutating func writeClocks() {
        let at = trace.events.last?.at ?? 0
        var snapshot = Message()
        for (clock, time) in [
            (Self.monotonic, at), (Self.realtime, UInt64(clamping: Int64(clamping: at) + trace.wallOffset)),
        ] {
            var reading = Message()
            reading.field(1, clock)
            reading.field(2, time)
            snapshot.field(1, reading)
        }
        snapshot.field(2, Self.monotonic)
        var message = Message()
        message.field(10, 1)
        message.field(6, snapshot)
        append(message)
    }

    private mutating func writeTracks() {
        var process = Message()
        process.field(1, 1)
        process.field(6, trace.graph)
        var root = Message()
        root.field(1, Self.processTrack)
        root.field(3, process)
        append(descriptor: root, isFirst: true)
        // Without events, so that nobody sees them: a reader learns the names of the sources.
        for (index, source) in trace.sources.enumerated() { appendTrack(Self.firstSource + UInt64(index), source) }
        for (index, node) in trace.nodes.enumerated() { appendTrack(track(of: index), node.name) }
        let dropping = Set(trace.events.filter { $0.kind == .dropped }.map(\.place))
        for (index, edge) in trace.edges.enumerated() {
            appendTrack(counter(of: index), edge.name, isCounter: true)
            let place = trace.nodes.count + index
            if dropping.contains(place) { appendTrack(track(of: place), "\(edge.name): dropped") }
        }
    }

    private mutating func appendTrack(_ uuid: UInt64, _ name: String, isCounter: Bool = false) {
        var track = Message()
        track.field(1, uuid)
        track.field(2, name)
        track.field(5, Self.processTrack)
        if isCounter { track.field(8, Message()) }
        append(descriptor: track)
    }

    private mutating func append(descriptor: Message, isFirst: Bool = false) {
        var message = Message()
        message.field(10, 1)
        // The sequence begins here: nothing that was said before holds.
        if isFirst { message.field(13, 1) }
        message.field(60, descriptor)
        append(message)
    }

    private mutating func append(_ packet: Message) {
        var message = Message()
        message.field(1, packet)
        bytes += message.bytes
    }

    // MARK: Events

    private func packets() -> [Packet] {
        var last: [UInt64: Int] = [:]
        for (index, event) in trace.events.enumerated() { last[flow(of: event)] = index }
        var packets: [Packet] = []
        var levels: [(at: UInt64, edge: Int, change: Int)] = []
        for (index, event) in trace.events.enumerated() {
            let isLast = last[flow(of: event)] == index
            switch event.kind {
            case .processed:
                packets.append(Packet(at: event.at, order: 1, event: slice(event, isLast: isLast)))
                packets.append(
                    Packet(
                        at: event.at + event.duration, order: 0, event: Self.event(.end, on: track(of: event.place))))
                guard event.wait > 0, let edge = edge(into: event.place) else { continue }
                levels.append((event.at - min(event.at, event.wait), edge, 1))
                levels.append((event.at, edge, -1))
            case .dropped, .delivered, .contributed:
                var message = Self.event(.instant, on: track(of: event.place))
                message.field(23, event.cause.map { "dropped: \($0.name)" } ?? "\(event.kind)")
                message.field(4, Self.annotation("frame", event.sequence))
                message.fixed(isLast ? 48 : 47, flow(of: event))
                packets.append(Packet(at: event.at, order: 2, event: message))
            }
        }
        var level = [Int](repeating: 0, count: trace.edges.count)
        for change in levels.sorted(by: { ($0.at, $0.change) < ($1.at, $1.change) }) {
            level[change.edge] = max(0, level[change.edge] + change.change)
            var message = Self.event(.counter, on: counter(of: change.edge))
            message.field(30, UInt64(level[change.edge]))
            packets.append(Packet(at: change.at, order: 2, event: message))
        }
        return packets.sorted { ($0.at, $0.order) < ($1.at, $1.order) }
    }

    /// The only edge into a node; nil where several lead there.
    private func edge(into node: Int) -> Int? {
        let found = trace.edges.indices.filter { trace.edges[$0].to == node }
        return found.count == 1 ? found[0] : nil
    }

    private func slice(_ event: TraceEvent, isLast: Bool) -> Message {
        var message = Self.event(.begin, on: track(of: event.place))
        message.field(23, "frame \(event.sequence)")
        message.field(4, Self.annotation("wait_ns", event.wait))
        message.fixed(isLast ? 48 : 47, flow(of: event))
        return message
    }

    private static func event(_ type: EventType, on track: UInt64) -> Message {
        var message = Message()
        message.field(9, type.rawValue)
        message.field(11, track)
        return message
    }

    private static func annotation(_ name: String, _ value: UInt64) -> Message {
        var message = Message()
        message.field(10, name)
        message.field(3, value)
        return message
    }

    private func flow(of event: TraceEvent) -> UInt64 {
        (UInt64(event.source) + 1) << 48 | event.sequence & 0xFFFF_FFFF_FFFF
    }
}

extension PerfettoTrace {
    /// A protobuf message being written.
    private struct Message {
        var bytes: [UInt8] = []

        mutating func field(_ number: Int, _ value: UInt64) {
            varint(UInt64(number) << 3)
            varint(value)
        }

        mutating func field(_ number: Int, _ text: String) { field(number, bytes: Array(text.utf8)) }

        mutating func field(_ number: Int, _ message: Message) { field(number, bytes: message.bytes) }

        mutating func fixed(_ number: Int, _ value: UInt64) {
            varint(UInt64(number) << 3 | 1)
            for place in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * place))) }
        }

        private mutating func field(_ number: Int, bytes content: [UInt8]) {
            varint(UInt64(number) << 3 | 2)
            varint(UInt64(content.count))
            bytes += content
        }

        private mutating func varint(_ value: UInt64) {
            var rest = value
            while rest >= 0x80 {
                bytes.append(UInt8(rest & 0x7F) | 0x80)
                rest >>= 7
            }
            bytes.append(UInt8(rest))
        }
    }
}
