// SPDX-License-Identifier: Apache-2.0
internal import Basics
package import Dataflow
package import Pipeline

/// The figures of a run in Prometheus's text format, version 0.0.4.
///
/// Base units, counters end in `_total`, and labels have few values: ids of nodes and edges, causes; never a frame number, an
/// address or a path. Sums are those of the final report.
/// Source: Prometheus documentation, "Exposition formats" and "Metric and label naming".
package struct MetricsText {
    /// The `Content-Type` it is served with.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// Bounds of histogram buckets, as powers of two in nanoseconds: 0.13 ms to 8.6 s, exact in the histograms below.
    private static let exponents = 17...33

    /// The text.
    package private(set) var text = ""

    /// Writes the figures of a run.
    ///
    /// - Parameters:
    ///   - extra: of a preview, where there is one.
    package init(_ figures: RunFigures, version: String = Product.version, extra: PreviewFigures? = nil) {
        family("vpipe_build_info", "gauge", "The program; always 1.")
        sample("vpipe_build_info", [("version", version)], 1)
        frames(figures.report)
        nodes(figures.report)
        edges(figures.report)
        peers(figures)
        target(figures)
        if !figures.results.isEmpty {
            family("vpipe_results_total", "counter", "Results found, by node and kind.")
            for result in figures.results {
                sample("vpipe_results_total", [("node", result.node), ("kind", result.kind)], result.count)
            }
        }
        if let extra { preview(extra) }
        process(figures.usage)
    }

    // MARK: The run

    private mutating func frames(_ report: RunReport) {
        family("vpipe_run_seconds", "gauge", "Time since the start of the run.")
        line("vpipe_run_seconds", [], decimal(nanoseconds: report.elapsed))
        family("vpipe_source_frames_total", "counter", "Frames that came in.")
        for source in report.sources { sample("vpipe_source_frames_total", [("source", source.name)], source.admitted) }
        family(
            "vpipe_frames_total", "counter",
            "Frames that ended: delivered to a sink, or dropped at a place for a cause.")
        for source in report.sources {
            sample(
                "vpipe_frames_total",
                [("source", source.name), ("fate", "delivered"), ("place", ""), ("cause", "")], source.delivered)
            for drop in source.drops {
                sample(
                    "vpipe_frames_total",
                    [("source", source.name), ("fate", "dropped"), ("place", drop.place), ("cause", drop.cause.name)],
                    drop.count)
            }
        }
        family(
            "vpipe_frames_missed_total", "counter",
            "Frames that were delivered, but dropped on the way to another sink.")
        for source in report.sources {
            sample("vpipe_frames_missed_total", [("source", source.name)], source.deliveredPartly)
        }
        family("vpipe_frames_in_flight", "gauge", "Frames that have not ended yet.")
        for source in report.sources {
            sample("vpipe_frames_in_flight", [("source", source.name)], source.inFlight)
        }
    }

    private mutating func nodes(_ report: RunReport) {
        family("vpipe_node_frames_total", "counter", "Frames processed by a node.")
        for node in report.nodes { sample("vpipe_node_frames_total", [("node", node.name)], node.items) }
        family("vpipe_node_failed", "gauge", "Whether a node has failed.")
        for node in report.nodes { sample("vpipe_node_failed", [("node", node.name)], node.hasFailed ? 1 : 0) }
        family("vpipe_node_seconds", "histogram", "Time in a node, per frame.")
        for node in report.nodes { histogram("vpipe_node_seconds", ("node", node.name), node.processCounts) }
        family("vpipe_delivery_seconds", "histogram", "Time from capture to delivery, per frame.")
        for node in report.nodes {
            guard let counts = node.endToEndCounts else { continue }
            histogram("vpipe_delivery_seconds", ("sink", node.name), counts)
        }
    }

    private mutating func edges(_ report: RunReport) {
        family("vpipe_edge_items", "gauge", "Frames queued on an edge.")
        for edge in report.edges { sample("vpipe_edge_items", [("edge", edge.name)], UInt64(edge.queued)) }
        family("vpipe_edge_capacity", "gauge", "Frames that an edge holds.")
        for edge in report.edges { sample("vpipe_edge_capacity", [("edge", edge.name)], UInt64(edge.capacity)) }
        family("vpipe_edge_wait_seconds", "histogram", "Time in the queue of an edge, per frame.")
        for edge in report.edges { histogram("vpipe_edge_wait_seconds", ("edge", edge.name), edge.waitCounts) }
        family(
            "vpipe_edge_dropped_total", "counter",
            "Frames that an edge dropped, those among them that were delivered another way.")
        for edge in report.edges where edge.policy != .block {
            let cause = edge.policy == .dropNewest ? DropCause.edgeFull : .replaced
            sample("vpipe_edge_dropped_total", [("edge", edge.name), ("cause", cause.name)], edge.dropped)
        }
    }

    private mutating func peers(_ figures: RunFigures) {
        guard !figures.peers.isEmpty else { return }
        family("vpipe_source_up", "gauge", "Whether a live source, or the peer of a sink, is there.")
        for peer in figures.peers { sample("vpipe_source_up", [("node", peer.node)], peer.isUp ? 1 : 0) }
        family("vpipe_source_lost_total", "counter", "How often a live source, or the peer of a sink, went away.")
        for peer in figures.peers {
            sample("vpipe_source_lost_total", [("node", peer.node)], UInt64(max(0, peer.losses)))
        }
    }

    private mutating func target(_ figures: RunFigures) {
        family("vpipe_rung", "gauge", "The rung of the ladder in force; 0 is the pipeline as written.")
        sample("vpipe_rung", [], UInt64(max(0, figures.rung)))
        guard let target = figures.target else { return }
        family("vpipe_rung_changes_total", "counter", "Changes of rung.")
        sample("vpipe_rung_changes_total", [], UInt64(target.changeCount))
        family(
            "vpipe_target_seconds_total", "counter",
            "Seconds by whether they held a promise of the target: its fps, its latency.")
        for (promise, held) in [("fps", target.seconds.fast), ("latency", target.seconds.prompt)] {
            sample("vpipe_target_seconds_total", [("promise", promise), ("held", "true")], UInt64(held))
            sample(
                "vpipe_target_seconds_total", [("promise", promise), ("held", "false")],
                UInt64(max(0, target.seconds.measured - held)))
        }
    }

    private mutating func preview(_ figures: PreviewFigures) {
        family("vpipe_preview_viewers", "gauge", "Connected viewers.")
        sample("vpipe_preview_viewers", [], UInt64(figures.viewers))
        family("vpipe_preview_encoded_total", "counter", "Pictures encoded for viewers, whatever their number.")
        for view in figures.views {
            sample("vpipe_preview_encoded_total", [("view", view.name)], view.encoded)
        }
        family("vpipe_preview_sent_total", "counter", "Pictures sent to viewers.")
        sample("vpipe_preview_sent_total", [], figures.sent)
        family("vpipe_preview_skipped_total", "counter", "Pictures that a viewer was too slow for.")
        sample("vpipe_preview_skipped_total", [], figures.skipped)
    }

    // MARK: The process

    private mutating func process(_ usage: ProcessUsage) {
        family("process_cpu_seconds_total", "counter", "Processor time, user and system.")
        line("process_cpu_seconds_total", [], String(usage.cpuSeconds))
        family("process_resident_memory_bytes", "gauge", "Memory in use.")
        sample("process_resident_memory_bytes", [], UInt64(max(0, usage.residentBytes)))
        family("process_open_fds", "gauge", "Open file descriptors.")
        sample("process_open_fds", [], UInt64(max(0, usage.openFiles)))
        family("process_start_time_seconds", "gauge", "When the process started, in seconds since 1970.")
        line("process_start_time_seconds", [], String(ProcessUsage.startTime))
    }

    // MARK: Lines

    private mutating func family(_ name: String, _ type: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    private mutating func sample(_ name: String, _ labels: [(String, String)], _ value: UInt64) {
        line(name, labels, String(value))
    }

    private mutating func line(_ name: String, _ labels: [(String, String)], _ value: String) {
        text += name
        if !labels.isEmpty {
            text += "{" + labels.map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",") + "}"
        }
        text += " " + value + "\n"
    }

    private mutating func histogram(_ name: String, _ label: (String, String), _ counts: LatencyCounts) {
        for exponent in Self.exponents {
            let bound = decimal(nanoseconds: 1 << UInt64(exponent))
            sample(name + "_bucket", [label, ("le", bound)], counts.count(belowPowerOfTwo: exponent))
        }
        let count = counts.count
        sample(name + "_bucket", [label, ("le", "+Inf")], count)
        line(name + "_sum", [label], decimal(nanoseconds: counts.total))
        sample(name + "_count", [label], count)
    }

    /// Seconds, exact to the nanosecond.
    private func decimal(nanoseconds value: UInt64) -> String {
        let rest = String(value % 1_000_000_000)
        var text = "\(value / 1_000_000_000)." + String(repeating: "0", count: 9 - rest.count) + rest
        while text.last == "0" { text.removeLast() }
        return text.last == "." ? String(text.dropLast()) : text
    }

    private static func escaped(_ text: String) -> String {
        var out = ""
        for character in text {
            switch character {
            case "\\": out += "\\\\"
            case "\"": out += "\\\""
            case "\n": out += "\\n"
            default: out.append(character)
            }
        }
        return out
    }
}

/// What a preview has done so far.
package struct PreviewFigures: Sendable {
    /// One thing to look at.
    package struct View: Sendable {
        /// Id of the node whose frames it shows.
        package var name: String
        /// Pictures encoded.
        package var encoded: UInt64
    }

    /// Connected viewers.
    package var viewers = 0
    /// The views.
    package var views: [View] = []
    /// Pictures sent, over all viewers.
    package var sent: UInt64 = 0
    /// Pictures that a viewer did not get because it was too slow, over all viewers.
    package var skipped: UInt64 = 0
    /// From the frame's leaving its node to the viewer's word that it is drawn.
    package var drawn = LatencyCounts().summary
    /// Faults of encoding, and those that pages have reported.
    package var problems: [String] = []
}
