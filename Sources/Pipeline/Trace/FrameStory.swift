// SPDX-License-Identifier: Apache-2.0
internal import Basics
package import Dataflow

/// What became of one frame, step by step, and what made it late or dropped: the answer of `vpipe why`.
package struct FrameStory: Sendable {
    /// How it ended.
    package let fate: FrameFate
    /// The story, a line each.
    package private(set) var lines: [String] = []

    private let trace: GraphTrace
    private let begin: UInt64

    /// Tells the story of a frame; nil when the trace holds nothing of it.
    package init?(of trace: GraphTrace, frame sequence: UInt64, source: String) {
        let mine = trace.events(ofFrame: sequence, source: source)
        guard let fate = trace.fate(ofFrame: sequence, source: source), let first = mine.first else { return nil }
        self.trace = trace
        self.fate = fate
        begin = first.at
        lines.append("\(source) frame \(sequence), at \(Self.clock(first.at, trace.wallOffset)), \(Self.words(fate))")
        for event in mine { tell(event) }
        if let slow = mine.filter({ $0.kind == .processed }).max(by: { $0.wait + $0.duration < $1.wait + $1.duration }),
            slow.wait + slow.duration > 1_000_000
        {
            let isWait = slow.wait > slow.duration
            lines.append(
                "most of its time: \(Self.milliseconds(max(slow.wait, slow.duration))) "
                    + (isWait ? "waiting for" : "in") + " `\(trace.name(of: slow.place))`")
        }
        tellNeighbours(first.at, source)
    }

    private mutating func tell(_ event: TraceEvent) {
        let place = trace.name(of: event.place)
        switch event.kind {
        case .processed:
            if event.wait > 100_000 {
                let since = event.at - min(event.at, event.wait)
                line(
                    since,
                    "queued before `\(place)` for \(Self.milliseconds(event.wait))" + busy(event.place, since, event))
            }
            line(event.at, "`\(place)` took \(Self.milliseconds(event.duration))\(usual(event))")
        case .dropped:
            var text = "dropped at \(place): \(event.cause.map { "\($0.name), \(Self.reason($0))" } ?? "")"
            if event.place >= trace.nodes.count {
                let node = trace.edges[event.place - trace.nodes.count].to
                text += busy(node, event.at, event)
            }
            line(event.at, text)
        case .delivered: line(event.at, "`\(place)` has it: delivered")
        case .contributed: line(event.at, "`\(place)` used it for a later frame")
        }
    }

    /// What a node was doing at an instant.
    private func busy(_ node: Int, _ instant: UInt64, _ event: TraceEvent) -> String {
        let other = trace.events.last {
            $0.kind == .processed && $0.place == node && $0.at <= instant && $0.at + $0.duration >= instant
                && $0.sequence != event.sequence
        }
        guard let other else { return "" }
        return "; it was busy with frame \(other.sequence) (\(Self.milliseconds(other.duration))\(usual(other)))"
    }

    /// The node's median, where this was much slower.
    private func usual(_ event: TraceEvent) -> String {
        let all = trace.events.filter { $0.kind == .processed && $0.place == event.place }.map(\.duration).sorted()
        guard all.count > 4 else { return "" }
        let median = all[all.count / 2]
        return event.duration > median + median / 2 + 500_000 ? ", usually \(Self.milliseconds(median))" : ""
    }

    private mutating func tellNeighbours(_ instant: UInt64, _ source: String) {
        guard let index = trace.sources.firstIndex(of: source) else { return }
        let (from, to) = (instant - min(instant, 500_000_000), instant + 500_000_000)
        var firsts: [UInt64: UInt64] = [:]
        for event in trace.events where Int(event.source) == index && firsts[event.sequence] == nil {
            firsts[event.sequence] = event.at
        }
        let near = Set(firsts.filter { $0.value >= from && $0.value <= to }.keys)
        let events = trace.events.filter { Int($0.source) == index && near.contains($0.sequence) }
        let delivered = Set(events.filter { $0.kind == .delivered }.map(\.sequence))
        var drops: [String: Set<UInt64>] = [:]
        for event in events where event.kind == .dropped && !delivered.contains(event.sequence) {
            drops["\(trace.name(of: event.place)) (\(event.cause?.name ?? ""))", default: []].insert(event.sequence)
        }
        let lost = drops.sorted { $0.key < $1.key }.map { ", \($0.value.count) dropped at \($0.key)" }.joined()
        lines.append("in the second around it: \(near.count) came, \(delivered.count) delivered\(lost)")
        guard case .dropped = fate, let worst = drops.max(by: { $0.value.count < $1.value.count })?.key else { return }
        let ends = worst.split(separator: " ")
        guard ends.count > 2, ends[1] == "->" else { return }
        lines.append("what helps: a cheaper `\(ends[2])` (size, every), or a ladder that makes it so when it is needed")
    }

    private mutating func line(_ instant: UInt64, _ text: String) {
        let offset = instant >= begin ? instant - begin : 0
        lines.append("  +\(Self.milliseconds(offset))  \(text)")
    }

    private static func milliseconds(_ nanoseconds: UInt64) -> String {
        NumberText.fixed(Double(nanoseconds) / 1e6, places: 1) + " ms"
    }

    private static func words(_ fate: FrameFate) -> String {
        switch fate {
        case .inFlight: "still under way"
        case .delivered: "delivered"
        case .deliveredPartly(let place, let cause): "delivered, but dropped at \(place) (\(cause.name))"
        case .dropped(let place, let cause): "dropped at \(place) (\(cause.name))"
        }
    }

    private static func reason(_ cause: DropCause) -> String {
        switch cause {
        case .filtered: "the node keeps others only"
        case .edgeFull: "the queue was full"
        case .replaced: "a newer one took its place"
        case .unmatched: "the first input never brought its frame"
        case .late: "what it belongs to had gone"
        case .nodeFailed: "the node has failed"
        case .aborted: "the run was aborted"
        case .abandoned: "the node ended while it held it"
        case .rateLimited: "more than the rate asked for"
        case .corrupt: "it could not be decoded"
        case .refused: "it would have been too late in the end"
        case .disconnected: "the device or peer was away"
        case .failed: "the work on this frame failed"
        case .diskFull: "there was no room on the disk"
        case .notRedacted: "nobody had looked at it for what must not be shown"
        }
    }

    /// The time of day, UTC.
    private static func clock(_ instant: UInt64, _ offset: Int64) -> String {
        let wall = Int64(clamping: instant) + offset
        let second = Int(wall / 1_000_000_000 % 86_400)
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let fraction = String(Int(wall % 1_000_000_000 / 1_000_000) + 1000).dropFirst()
        return "\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60)).\(fraction) UTC"
    }
}
