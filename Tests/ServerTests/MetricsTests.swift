// SPDX-License-Identifier: Apache-2.0
import Dataflow
import Foundation
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage
@testable import Server

/// A run of built-in nodes without a network.
func makeRun(_ nodes: String, target: String = "") throws -> PipelineRun {
    let text = #"{\#(target)"nodes":{\#(nodes)}}"#
    return try PipelineRun(PipelineFile(name: "test.json", text: text), registry: .builtIn)
}

/// The samples of a metrics text, by name and labels.
func samples(_ text: String) -> [String: Double] {
    var found: [String: Double] = [:]
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
        guard let space = line.lastIndex(of: " ") else { continue }
        found[String(line[..<space])] = Double(line[line.index(after: space)...])
    }
    return found
}

@Suite(.timeLimit(.minutes(5))) struct MetricsTests {
    /// Two branches, one of which loses frames.
    private static let lossy = """
        "bars": {"type": "testpattern", "size": "64x64", "fps": 30, "frames": 300},
        "slow": {"type": "rate", "input": "bars", "fps": 10},
        "small": {"type": "scale", "input": {"from": "bars", "policy": "latest"}, "size": "32x32"},
        "all": {"type": "null", "input": "slow"},
        "new": {"type": "null", "input": "small"}
        """

    @Test func `the sums are those of the final report`() throws {
        let run = try makeRun(Self.lossy, target: #""target":{"fps":1},"#)
        try run.start()
        let report = run.waitUntilFinished()
        let found = samples(MetricsText(run.figures()).text)
        let source = try #require(report.source("bars"))
        #expect(found[#"vpipe_source_frames_total{source="bars"}"#] == 300)
        let ends = found.filter { $0.key.hasPrefix("vpipe_frames_total{") }
        #expect(ends.values.reduce(0, +) == 300)
        #expect(
            found[#"vpipe_frames_total{source="bars",fate="delivered",place="",cause=""}"#] == Double(source.delivered))
        for drop in source.drops {
            let key =
                #"vpipe_frames_total{source="bars",fate="dropped",place="\#(drop.place)",cause="\#(drop.cause.name)"}"#
            #expect(found[key] == Double(drop.count))
        }
        for node in report.nodes {
            #expect(found[#"vpipe_node_frames_total{node="\#(node.name)"}"#] == Double(node.items))
            #expect(found[#"vpipe_node_seconds_count{node="\#(node.name)"}"#] == Double(node.processTime.count))
            let all = found[#"vpipe_node_seconds_bucket{node="\#(node.name)",le="+Inf"}"#]
            #expect(all == Double(node.processTime.count))
            let sum = found[#"vpipe_node_seconds_sum{node="\#(node.name)"}"#] ?? 0
            #expect(UInt64((sum * 1e9).rounded()) == node.processCounts.total)
        }
        for edge in report.edges where edge.policy == .latest {
            #expect(found[#"vpipe_edge_dropped_total{edge="\#(edge.name)",cause="replaced"}"#] == Double(edge.dropped))
        }
        for sink in ["all", "new"] {
            #expect(
                found[#"vpipe_delivery_seconds_count{sink="\#(sink)"}"#] == Double(report.node(sink)?.items ?? 0))
        }
    }

    @Test func `buckets grow and end at the count`() throws {
        let run = try makeRun(Self.lossy)
        try run.start()
        _ = run.waitUntilFinished()
        let lines = MetricsText(run.figures()).text.split(separator: "\n")
            .filter { $0.hasPrefix(#"vpipe_node_seconds_bucket{node="small""#) }
        let counts = lines.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }
        #expect(counts.count == 18 && counts == counts.sorted())
        let bounds = lines.compactMap { $0.split(separator: "\"").dropLast().last.flatMap { Double($0) } }
        #expect(bounds == bounds.sorted() && bounds.first == 0.000131072)
    }

    @Test(.enabled(if: Tool.promtool != nil, "needs promtool, of Debian's prometheus"))
    func `promtool has nothing to say`() throws {
        let scratch = try Scratch()
        let run = try makeRun(Self.lossy, target: #""target":{"fps":1, "latencyMs": 100},"#)
        try run.start()
        _ = run.waitUntilFinished()
        var figures = run.figures()
        figures.peers = [.init(node: "camera", isUp: false, losses: 2)]
        figures.results = [.init(node: "faces", kind: "faces", count: 7)]
        let extra = PreviewFigures(viewers: 1, views: [.init(name: "bars", encoded: 3)], sent: 3, skipped: 1)
        let text = MetricsText(figures, version: "1 \"quoted\" \\", extra: extra).text
        try Data(text.utf8).write(to: URL(fileURLWithPath: scratch.file("m")))
        let checked = try Tool.run("/bin/sh", ["-c", "promtool check metrics < \(scratch.file("m")) 2>&1"])
        #expect(checked.status == 0 && checked.output.isEmpty, "\(checked.output)\n\(text)")
    }

    @Test func `the file is whole at any time, and the last one is of the end`() throws {
        let scratch = try Scratch()
        let path = scratch.file("vpipe.prom")
        let run = try makeRun(Self.lossy)
        let file = try MetricsFile(path) { MetricsText(run.figures()).text }
        let frames = #"vpipe_source_frames_total{source="bars"}"#
        #expect(try samples(String(contentsOfFile: path, encoding: .utf8))[frames] == 0)
        try run.start()
        _ = run.waitUntilFinished()
        #expect(file.finish() == nil)
        #expect(try samples(String(contentsOfFile: path, encoding: .utf8))[frames] == 300)
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == ["vpipe.prom"])
        #expect(throws: MetricsFileError.self) { try MetricsFile("/nowhere/a.prom") { "" } }
    }

    @Test func `probes tell the truth from start to end`() throws {
        let run = try makeRun(
            #""bars": {"type": "testpattern", "size": "32x32", "frames": 0}, "end": {"type": "null", "input": "bars"}"#)
        #expect(!Health.ready(run.figures()).isGood)
        let server = try RunServer(at: .loopback(port: 0), access: Access())
        #expect(try Client.get("/livez", port: server.address.port).hasPrefix("HTTP/1.1 503 "))
        server.attach(run)
        defer { server.stop() }
        #expect(try Client.get("/readyz", port: server.address.port).hasPrefix("HTTP/1.1 503 "))
        #expect(try Client.get("/livez", port: server.address.port).hasPrefix("HTTP/1.1 200 "))
        try run.start()
        while (run.snapshot().node("end")?.items ?? 0) < 3 { usleep(1000) }
        #expect(try Client.get("/readyz", port: server.address.port).hasSuffix("\r\n\r\nok\n"))
        let metrics = try Client.get("/metrics", port: server.address.port)
        #expect(metrics.contains("Content-Type: text/plain; version=0.0.4"))
        #expect(metrics.contains(#"vpipe_build_info{version="#))
        run.stop()
        _ = run.waitUntilFinished()
        #expect(try Client.get("/readyz", port: server.address.port).contains("the run is over"))
        var lost = run.figures()
        lost.peers = [.init(node: "camera", isUp: false, losses: 1)]
        #expect(Health.ready(lost).problems.contains("node camera has lost its device or peer"))
    }
}
