// SPDX-License-Identifier: Apache-2.0

/// Reads back the traces that `PerfettoTrace` writes.
///
/// Whatever the bytes are, it gives a trace or throws; lengths are checked before anything is read.
public struct PerfettoReader {
    /// Why the bytes are no trace of this program.
    public struct Fault: Error, CustomStringConvertible {
        /// One line for the user.
        public let description: String
    }

    private var nodes: [Int: String] = [:]
    private var edges: [Int: String] = [:]
    private var sources: [Int: String] = [:]
    private var graph = ""
    private var wallOffset: Int64 = 0
    private var events: [TraceEvent] = []
    /// The event that is open on each track.
    private var open: [UInt64: Int] = [:]

    private init() {}

    /// The trace in a file's bytes.
    ///
    /// - Throws: `Fault`.
    public static func trace(_ bytes: [UInt8]) throws(Fault) -> GraphTrace {
        var reader = PerfettoReader()
        for field in try fields(bytes[...]) where field.number == 1 {
            try reader.take(packet: field.bytes)
        }
        guard !reader.nodes.isEmpty else { throw Fault(description: "it holds no nodes: it was not written by vpipe") }
        let names = (0..<reader.nodes.count).map { reader.nodes[$0] ?? "?" }
        return GraphTrace(
            graph: reader.graph, nodes: names.map { .init(name: $0, isSource: false, isSink: false) },
            edges: (0..<reader.edges.count).map { index in
                let name = reader.edges[index] ?? "?"
                let to = name.split(separator: " ").last.map { String($0.prefix { $0 != "." }) } ?? ""
                return .init(name: name, to: names.firstIndex(of: to) ?? 0, capacity: 0)
            },
            sources: (0..<reader.sources.count).map { reader.sources[$0] ?? "?" },
            events: reader.events.sorted { $0.at < $1.at }, wallOffset: reader.wallOffset)
    }

    // MARK: Packets

    private mutating func take(packet: ArraySlice<UInt8>) throws(Fault) {
        let packet = try Self.fields(packet)
        if let descriptor = packet.first(where: { $0.number == 60 }) { try take(track: descriptor.bytes) }
        if let clocks = packet.first(where: { $0.number == 6 }) { try take(clocks: clocks.bytes) }
        if let event = packet.first(where: { $0.number == 11 }), let at = packet.first(where: { $0.number == 8 })?.value
        {
            try take(event: event.bytes, at: at)
        }
    }

    private mutating func take(track bytes: ArraySlice<UInt8>) throws(Fault) {
        let track = try Self.fields(bytes)
        if let process = track.first(where: { $0.number == 3 }) {
            graph = try Self.fields(process.bytes).first { $0.number == 6 }?.text ?? ""
        }
        guard let uuid = track.first(where: { $0.number == 1 })?.value,
            let name = track.first(where: { $0.number == 2 })?.text
        else { return }
        switch uuid {
        case PerfettoTrace.firstSource..<PerfettoTrace.firstPlace:
            sources[Int(uuid - PerfettoTrace.firstSource)] = name
        case PerfettoTrace.firstPlace..<PerfettoTrace.firstCounter:
            // Those of edges come after all nodes.
            if edges.isEmpty { nodes[Int(uuid - PerfettoTrace.firstPlace)] = name }
        default: edges[Int(clamping: uuid &- PerfettoTrace.firstCounter)] = name
        }
    }

    private mutating func take(clocks bytes: ArraySlice<UInt8>) throws(Fault) {
        var times: [UInt64: UInt64] = [:]
        for clock in try Self.fields(bytes) where clock.number == 1 {
            let reading = try Self.fields(clock.bytes)
            guard let id = reading.first(where: { $0.number == 1 })?.value else { continue }
            times[id] = reading.first { $0.number == 2 }?.value
        }
        guard let wall = times[PerfettoTrace.realtime], let own = times[PerfettoTrace.monotonic] else { return }
        wallOffset = Int64(clamping: wall) - Int64(clamping: own)
    }

    private mutating func take(event bytes: ArraySlice<UInt8>, at: UInt64) throws(Fault) {
        let event = try Self.fields(bytes)
        guard let type = event.first(where: { $0.number == 9 })?.value,
            let track = event.first(where: { $0.number == 11 })?.value
        else { return }
        if type == 2 {
            guard let index = open.removeValue(forKey: track) else { return }
            events[index].duration = at - min(at, events[index].at)
            return
        }
        guard type == 1 || type == 3, track >= PerfettoTrace.firstPlace,
            let flow = event.first(where: { $0.number == 47 || $0.number == 48 })?.value, flow >> 48 > 0
        else { return }
        var made = TraceEvent(
            kind: .processed, at: at, source: UInt16(truncatingIfNeeded: (flow >> 48) - 1),
            sequence: flow & 0xFFFF_FFFF_FFFF, place: Int(clamping: track - PerfettoTrace.firstPlace))
        if type == 1 {
            if let note = event.first(where: { $0.number == 4 }) {
                made.wait = try Self.fields(note.bytes).first { $0.number == 3 }?.value ?? 0
            }
            open[track] = events.count
        } else {
            switch event.first(where: { $0.number == 23 })?.text ?? "" {
            case "delivered": made.kind = .delivered
            case "contributed": made.kind = .contributed
            case let name:
                made.kind = .dropped
                made.cause = DropCause.allCases.first { name == "dropped: \($0.name)" }
            }
        }
        events.append(made)
    }

    // MARK: Protobufs

    private struct Field {
        let number: Int
        let value: UInt64
        let bytes: ArraySlice<UInt8>
        var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    private static func fields(_ bytes: ArraySlice<UInt8>) throws(Fault) -> [Field] {
        var fields: [Field] = []
        var rest = bytes
        func varint(_ rest: inout ArraySlice<UInt8>) throws(Fault) -> UInt64 {
            var value: UInt64 = 0
            for shift in 0..<10 {
                guard let byte = rest.popFirst() else { throw Fault(description: "it is cut short") }
                value |= UInt64(byte & 0x7F) << UInt64(7 * shift)
                if byte < 0x80 { return value }
            }
            throw Fault(description: "it is damaged")
        }
        while !rest.isEmpty {
            let key = try varint(&rest)
            let number = Int(clamping: key >> 3)
            switch key & 7 {
            case 0: fields.append(Field(number: number, value: try varint(&rest), bytes: []))
            case 1:
                guard rest.count >= 8 else { throw Fault(description: "it is cut short") }
                let value = rest.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                fields.append(Field(number: number, value: value, bytes: []))
                rest = rest.dropFirst(8)
            case 2:
                let count = try varint(&rest)
                guard count <= UInt64(rest.count) else { throw Fault(description: "it is cut short") }
                fields.append(Field(number: number, value: 0, bytes: rest.prefix(Int(count))))
                rest = rest.dropFirst(Int(count))
            default: throw Fault(description: "it is damaged, or no trace")
            }
        }
        return fields
    }
}
