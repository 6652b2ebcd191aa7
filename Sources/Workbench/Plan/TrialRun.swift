// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
internal import Foundation
internal import Pipeline
internal import PipelineLanguage

/// Runs part of a pipeline for a short while, as fast as it goes or at its own pace, and takes its figures.
struct TrialRun {
    /// What was measured.
    struct Figures: Codable, Sendable {
        /// Processor time of the whole process per frame, in milliseconds.
        var cpuPerFrame: Double
        /// Frames per second of the slowest sink.
        var fps: Double
        /// From capture to delivery, p99, in milliseconds.
        var latencyP99: Double
        /// Cores that other programs kept busy meanwhile.
        var foreignCores: Double
        /// Mean time in each node per frame, in milliseconds; a node takes one frame at a time.
        var nodeMilliseconds: [String: Double]
        /// What nodes said of the run, networks of their arithmetic among them.
        var notes: [String: [String]]
    }

    /// Frames measured at least, and the seconds after which fewer have to do.
    static let frames: UInt64 = 20
    static let patience = 15.0
    /// Frames without which there is no figure.
    static let leastFrames: UInt64 = 3
    /// Makes the run of a part.
    let makeRun: (ValidatedPipeline) throws -> PipelineRun

    /// Runs it, and measures for `seconds` after the first frames have been delivered.
    ///
    /// - Throws: what keeps the part from running, or a sentence when too few frames came through.
    func run(_ pipeline: ValidatedPipeline, seconds: Double = 1.5) throws -> Figures {
        let run = try makeRun(pipeline)
        try run.start()
        // The first frames pay for caches and threads, and for all that is under way when they come out; a short file may be
        // over before they have.
        let first = follow(run, atMost: 20) { pulse in
            pulse.sinks.allSatisfy { $0.items > 2 && $0.items >= UInt64(pulse.inFlight) }
        }
        let enough = max(Self.frames, UInt64(first.inFlight))
        let machine = MachineState()
        let (begin, busyBefore) = (ProcessUsage(), machine.busySeconds())
        let last = follow(run, atMost: Self.patience) { pulse in
            pulse.at >= first.at + UInt64(seconds * 1e9)
                && zip(first.sinks, pulse.sinks).allSatisfy { $1.items - $0.items >= enough }
        }
        let (end, busyAfter) = (ProcessUsage(), machine.busySeconds())
        run.stop()
        let report = run.waitUntilFinished()
        if let failure = report.failures.first { throw OutputError("nodes.\(failure.node): \(failure.message)") }
        var frames = UInt64.max
        var fps = Double.infinity
        var latency = LatencyCounts()
        for (before, after) in zip(first.sinks, last.sinks) {
            let count = after.items - before.items
            frames = min(frames, count)
            // By capture: at the end some frames may be late, which is not the same as lost.
            let span = after.lastCapturedAt > before.lastCapturedAt ? after.lastCapturedAt - before.lastCapturedAt : 1
            fps = min(fps, Double(count) * 1e9 / Double(span))
            latency = latency.adding(after.latency.since(before.latency))
        }
        guard (Self.leastFrames..<UInt64.max).contains(frames) else {
            throw OutputError("fewer than \(Self.leastFrames) frames came through: too few to measure")
        }
        let own = end.cpuSeconds - begin.cpuSeconds
        let span = Double(last.at - first.at) / 1e9
        var foreign = 0.0
        if let busyBefore, let busyAfter, span > 0 { foreign = max(0, busyAfter - busyBefore - own) / span }
        return Figures(
            cpuPerFrame: own * 1000 / Double(frames), fps: fps,
            latencyP99: Double(latency.summary.p99) / 1e6, foreignCores: foreign,
            nodeMilliseconds: Dictionary(
                report.nodes.map { ($0.name, Double($0.processTime.mean) / 1e6) }, uniquingKeysWith: { $1 }),
            notes: Dictionary(run.notes().map { ($0.node, $0.lines) }, uniquingKeysWith: { $1 }))
    }

    /// The last pulse before the end of the time, of the run, or of what is waited for.
    private func follow(_ run: PipelineRun, atMost seconds: Double, until done: (GraphPulse) -> Bool) -> GraphPulse {
        let deadline = MonotonicClock.system.now() + UInt64(seconds * 1e9)
        var pulse = run.pulse()
        while !pulse.isEnding, !done(pulse), MonotonicClock.system.now() < deadline {
            if run.waitUntilFinished(seconds: 0.02) != nil { break }
            let next = run.pulse()
            if next.isEnding { break }
            pulse = next
        }
        return pulse
    }
}

extension ValidatedPipeline {
    /// The nodes that feed `id`, itself among them, on a rung of the ladder, and nothing else.
    ///
    /// What has no sink gets one.
    ///
    /// - Parameters:
    ///   - isPaced: whether sources keep their own pace, links their own rules, and the target its gate; otherwise files
    ///     run as fast as they are taken and nothing is dropped.
    ///   - folder: where sinks write instead of the paths they were given.
    func part(feeding ids: [String], on rung: Int, isPaced: Bool, folder: String) -> ValidatedPipeline {
        var wanted = Set(ids)
        for node in nodes.reversed() where wanted.contains(node.id) {
            for link in node.inputs { wanted.insert(link.from) }
        }
        var kept = nodes.filter { wanted.contains($0.id) }.map { node in
            node.onTrial(ladder.settings(of: node, on: rung), isPaced: isPaced, folder: folder)
        }
        for id in ids {
            guard let node = self[id], node.contract.category != .sink, !node.contract.outputs.isEmpty else { continue }
            kept.append(.trialSink(after: node, isPaced: isPaced))
        }
        return ValidatedPipeline(
            file: file, name: name, target: isPaced ? target : nil, ladder: Ladder(), nodes: kept, warnings: [])
    }
}

extension ValidatedNode {
    fileprivate func onTrial(_ settings: Settings, isPaced: Bool, folder: String) -> ValidatedNode {
        var settings = settings
        for parameter in contract.parameters {
            switch parameter.role {
            case .output:
                guard case .string(let path)? = settings.value(named: parameter.name) else { continue }
                let name = URL(fileURLWithPath: path).lastPathComponent
                settings = settings.replacing(parameter.name, with: .string("\(folder)/\(id)-\(name)"))
            case .pace(let freely): if !isPaced { settings = settings.replacing(parameter.name, with: freely) }
            // A short clip is played again until the time is up.
            case .length(let endless): settings = settings.replacing(parameter.name, with: endless)
            case .setting, .input, .peer: break
            }
        }
        let links = isPaced ? inputs : inputs.map(\.lossless)
        return ValidatedNode(
            id: id, contract: contract, settings: settings, onError: .stop, inputs: links, outputs: outputs,
            sources: sources, isLive: isPaced && isLive, reachesSink: true, results: results, position: position)
    }

    fileprivate static func trialSink(after node: ValidatedNode, isPaced: Bool) -> ValidatedNode {
        let link = ValidatedLink(
            from: node.id, fromPort: node.contract.outputs[0].name, fromPortIndex: 0, to: "\(node.id) -> null",
            toPort: "in", toPortIndex: 0, rule: isPaced && node.isLive ? .live : .lossless, isRuleGiven: false)
        return ValidatedNode(
            id: link.to, contract: NullNode.contract, settings: Settings([]), onError: .stop, inputs: [link],
            outputs: [], sources: node.sources, isLive: node.isLive, reachesSink: true, results: node.results,
            position: node.position)
    }
}

extension ValidatedLink {
    /// The same link, losing nothing.
    fileprivate var lossless: ValidatedLink {
        ValidatedLink(
            from: from, fromPort: fromPort, fromPortIndex: fromPortIndex, to: to, toPort: toPort,
            toPortIndex: toPortIndex,
            rule: LinkRule(.block, capacity: max(rule.capacity, LinkRule.lossless.capacity)), isRuleGiven: isRuleGiven)
    }
}
