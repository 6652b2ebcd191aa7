// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Dataflow
internal import Glibc
internal import Media
package import Pipeline
internal import PipelineLanguage
internal import Synchronization

/// Answers `vpipe ctl` for a run, over a Unix socket that its user alone can open.
///
/// One client at a time, five seconds for its command. It does not keep the run alive.
/// - Note: Thread-safety: thread-safe.
package final class ControlServer: @unchecked Sendable {
    // Invariant of @unchecked Sendable: immutable but for the atomic; `run` is set in `init`.

    /// Where it listens.
    package let path: String
    private weak var run: PipelineRun?
    private let listener: Int32
    private let isStopping = Atomic<Bool>(false)

    /// Listens until `stop`.
    ///
    /// - Throws: `ControlError` when the place is taken by a run that answers, or by somebody else.
    package init(_ run: PipelineRun, at path: String) throws(ControlError) {
        self.run = run
        self.path = path
        let folder = String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.startIndex))
        if folder == ControlSocket.folder, !ControlSocket.makeFolder(folder) {
            throw ControlError(path: folder, text: "is not a folder of this user's alone")
        }
        if let other = ControlSocket.connected(to: path) {
            close(other)
            throw ControlError(path: path, text: "a pipeline of this name runs already; give another path")
        }
        // Nobody answers: what is left of a run that was killed.
        unlink(path)
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let mask = umask(0o177)
        let isBound = ControlSocket.withAddress(path) { bind(listener, $0, $1) } == 0 && listen(listener, 8) == 0
        let code = errno
        umask(mask)
        guard isBound else {
            close(listener)
            throw ControlError(path: path, text: String(cString: strerror(code)))
        }
        _ = SystemThread.start { self.serve() }
    }

    /// Ends and removes the socket.
    package func stop() {
        guard !isStopping.exchange(true, ordering: .acquiringAndReleasing) else { return }
        unlink(path)
        shutdown(listener, Int32(SHUT_RDWR))
    }

    private func serve() {
        while !isStopping.load(ordering: .acquiring) {
            let client = accept(listener, nil, nil)
            guard client >= 0 else {
                if errno == EINTR || errno == ECONNABORTED { continue }
                break
            }
            ControlSocket.limit(client, seconds: 5)
            if let line = ControlSocket.line(from: client) {
                let reply = answer(to: String(decoding: line, as: UTF8.self))
                if ControlSocket.send(reply.head, to: client) { ControlSocket.send(reply.bytes, to: client) }
            }
            close(client)
        }
        close(listener)
    }

    // MARK: Commands

    private struct Answer {
        var isDone = true
        var text = ""
        var document: JSONDocument?
        var bytes: [UInt8] = []

        var head: [UInt8] {
            var members: [(String, JSONDocument)] = [
                ("ok", .boolean(isDone)), ("text", .string(text)), ("bytes", .integer(bytes.count)),
            ]
            if let document { members.append(("data", document)) }
            return Array((JSONDocument.object(members).compact + "\n").utf8)
        }

        static func refused(_ text: String) -> Answer { Answer(isDone: false, text: text) }
    }

    private func answer(to command: String) -> Answer {
        guard let run else { return .refused("the run is over") }
        let words = command.split(separator: " ", maxSplits: 1).map(String.init)
        let argument = words.count > 1 ? words[1] : ""
        switch words.first ?? "" {
        case "status": return status(run)
        case "set": return set(argument, run)
        case "why": return why(argument, run)
        case "trace": return Answer(text: "trace", bytes: PerfettoTrace(run.trace()).bytes)
        case "snapshot": return snapshot(argument, run)
        case "stop":
            run.stop()
            return Answer(text: "stopping: delivering what is under way")
        default: return .refused("there are status, set, why, trace, snapshot and stop")
        }
    }

    private func status(_ run: PipelineRun) -> Answer {
        var meter = RunMeter()
        _ = meter.observe(run.snapshot())
        usleep(500_000)
        let figures = run.figures()
        guard let reading = meter.observe(figures.report) else { return .refused("the run has not begun") }
        let report = figures.report
        let delivered = report.sources.reduce(0) { $0 + $1.delivered }
        let dropped = report.sources.reduce(0) { $0 + $1.dropped }
        var members: [(String, JSONDocument)] = [
            ("name", .string(run.pipeline.name ?? "pipeline")), ("seconds", .number(Double(report.elapsed) / 1e9)),
            ("fps", .number(reading.fps)), ("delivered", .integer(Int(clamping: delivered))),
            ("dropped", .integer(Int(clamping: dropped))), ("rung", .integer(figures.rung)),
            ("latencyP99Ms", .number(Double(reading.endToEnd.p99) / 1e6)),
            ("down", .array(figures.peers.filter { !$0.isUp }.map { .string($0.node) })),
        ]
        if let binding = reading.binding { members.append(("binding", .string(binding))) }
        members.append(
            (
                "nodes",
                .array(
                    reading.nodes.map {
                        .object([
                            ("node", .string($0.name)), ("fps", .number($0.fps)),
                            ("p50Ms", .number(Double($0.processTime.p50) / 1e6)),
                            ("p99Ms", .number(Double($0.processTime.p99) / 1e6)),
                        ])
                    })
            ))
        let down = figures.peers.filter { !$0.isUp }.map(\.node)
        var text =
            "\(run.pipeline.name ?? "pipeline"): \(NumberText.fixed(reading.fps, places: 1)) fps, "
            + "p99 \(NumberText.fixed(Double(reading.endToEnd.p99) / 1e6, places: 1)) ms, \(delivered) delivered, "
            + "\(dropped) dropped, rung \(figures.rung)"
        if let binding = reading.binding { text += ", binds: \(binding)" }
        if !down.isEmpty { text += ", away: " + down.joined(separator: ", ") }
        return Answer(text: text, document: .object(members))
    }

    private func set(_ argument: String, _ run: PipelineRun) -> Answer {
        guard let equals = argument.firstIndex(of: "="), let dot = argument[..<equals].firstIndex(of: ".") else {
            return .refused("must be set node.parameter=value")
        }
        let node = String(argument[..<dot])
        let parameter = String(argument[argument.index(after: dot)..<equals])
        let change = run.change(parameter, of: node, to: String(argument[argument.index(after: equals)...]), by: "ctl")
        return change.isDone ? Answer(text: change.text) : .refused(change.text)
    }

    private func why(_ argument: String, _ run: PipelineRun) -> Answer {
        let words = argument.split(separator: " ").map(String.init)
        let trace = run.trace()
        guard let frame = words.first.flatMap({ UInt64($0) }) else { return .refused("must be why FRAME [SOURCE]") }
        guard let source = words.count > 1 ? words[1] : trace.sources.count == 1 ? trace.sources[0] : nil else {
            return .refused("name one of the sources: \(trace.sources.joined(separator: ", "))")
        }
        guard let story = FrameStory(of: trace, frame: frame, source: source) else {
            return .refused("frame \(frame) of \(source) has not come yet, or came too long ago")
        }
        return Answer(
            text: story.lines.joined(separator: "\n"), document: .array(story.lines.map { .string($0) }))
    }

    private func snapshot(_ node: String, _ run: PipelineRun) -> Answer {
        let name = node.isEmpty ? Preview.viewed(run.pipeline).first ?? "" : node
        guard run.pipeline[name]?.reachesSink == true else { return .refused("there is no node \"\(name)\"") }
        guard !run.pipeline.nodesWithRawPictures.contains(name) else {
            return .refused("\(name) shows a sensitive source as it is; ask a node behind a \"redact\" node")
        }
        let taken = Mutex<Picture?>(nil)
        run.tap(name) { frame, _ in
            taken.withLock { if $0 == nil { $0 = frame.picture } }
            return false
        }
        for _ in 0..<100 {
            if let picture = taken.withLock({ $0 }) {
                do {
                    let encoder = JPEGEncoder(longestSide: 1 << 15, quality: 90)
                    return Answer(
                        text: "\(name): \(picture.width)x\(picture.height)", bytes: try encoder.encode(picture))
                } catch {
                    return .refused("\(error)")
                }
            }
            usleep(50_000)
        }
        return .refused("\(name) has let no frame go for five seconds")
    }
}

/// Why a control socket cannot be made.
package struct ControlError: Error, CustomStringConvertible {
    let path: String
    let text: String

    /// One line for the user.
    package var description: String { "\(path): \(text)" }
}
