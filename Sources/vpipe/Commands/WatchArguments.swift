// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Basics
internal import Dataflow
internal import Foundation
import Pipeline
internal import Server

/// How `vpipe run` can be watched from outside.
struct WatchArguments: ParsableArguments {
    @Option(
        name: .customLong("preview"), defaultAsFlag: WatchArguments.auto,
        help: ArgumentHelp(
            "Show the run in a browser; an address other machines reach has a token.", valueName: "[host:]port"))
    var preview: String?
    @Flag(name: .customLong("open"), help: "Open the preview in the browser.") var opens = false
    @Option(
        name: .customLong("metrics"), defaultAsFlag: WatchArguments.auto,
        help: ArgumentHelp(
            "Serve /metrics, /livez and /readyz without a preview.", valueName: "[host:]port"))
    var metrics: String?
    @Option(
        name: .customLong("metrics-file"),
        help: ArgumentHelp(
            "Write the metrics to a file every five seconds, for node_exporter's textfile collector.",
            valueName: "path.prom"), completion: .file(extensions: ["prom"]))
    var metricsFile: String?
    @Option(
        name: .customLong("trace"),
        help: ArgumentHelp(
            "Write what happened to the last frames to a file, at the end, for Perfetto and `vpipe why`.",
            valueName: "file"), completion: .file())
    var traceFile: String?
    @Option(
        name: .customLong("control"), defaultAsFlag: WatchArguments.auto,
        help: ArgumentHelp("Let `vpipe ctl` of this user ask and change the run.", valueName: "socket"))
    var control: String?
    @Option(
        name: .customLong("host"),
        help: ArgumentHelp(
            "A name under which a proxy serves this machine; may be given several times.", valueName: "name"))
    var hosts: [String] = []

    /// What stands for no address given: the usual port of this machine, or a free one where that is taken.
    private static let auto = "auto"
    /// The variable that holds the token.
    private static let tokenVariable = "VPIPE_TOKEN"
    private static var token: String? { Folders.variable(tokenVariable).flatMap { $0.isEmpty ? nil : $0 } }

    func validate() throws {
        for (name, text) in [("preview", preview), ("metrics", metrics)] {
            guard let text, text != Self.auto, ListenAddress(text) == nil else { continue }
            throw ValidationError("--\(name) must be \(ListenAddress.expected) (found \"\(text)\")")
        }
        if opens, preview == nil { throw ValidationError("--open needs --preview") }
        if let metricsFile, !metricsFile.hasSuffix(".prom") {
            throw ValidationError(
                "--metrics-file must end in .prom, node_exporter reads nothing else (found \"\(metricsFile)\")")
        }
        if let token = Self.token, !AccessRule.isUsable(token: token) {
            throw ValidationError(
                "\(Self.tokenVariable) must be 8 to 128 letters, digits, - or _; unset it to have one made")
        }
    }

    /// Begins to answer for a run that has not started; what answers, to be ended after it.
    func watch(_ run: PipelineRun, log: LogFormat) throws -> Watch {
        var watch = Watch()
        do {
            if let preview {
                let server = try listen(preview)
                let page = Preview(run)
                server.attach(run, preview: page)
                watch.servers.append(server)
                watch.preview = page
                log.say("listening", "preview: \(server.url)")
                if opens { Self.open(server.url) }
            }
            if let metrics {
                let server = try listen(metrics)
                server.attach(run)
                watch.servers.append(server)
                log.say("listening", "metrics: http://\(server.address)/metrics")
            }
            if let control {
                let path = control == Self.auto ? ControlSocket.path(of: run.pipeline.name ?? "pipeline") : control
                watch.control = try ControlServer(run, at: path)
            }
            if let traceFile { watch.trace = (traceFile, run) }
            if let metricsFile {
                watch.file = try MetricsFile(metricsFile) { [preview = watch.preview] in
                    MetricsText(run.figures(), extra: preview?.figures).text
                }
            }
        } catch {
            for server in watch.servers { server.stop() }
            watch.control?.stop()
            throw Failure(.failed, "vpipe: \(error)")
        }
        return watch
    }

    private func listen(_ text: String) throws -> RunServer {
        let address = ListenAddress(text) ?? .loopback()
        let access = Access(token: Self.token ?? (address.isLoopback ? nil : AccessRule.makeToken()), hosts: hosts)
        return try RunServer(at: address, access: access, orFreePort: text == Self.auto)
    }

    /// Has the desktop open an address; a machine without one does nothing.
    private static func open(_ url: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["xdg-open", url]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try? process.run()
    }
}

/// What answers for a run.
struct Watch {
    var servers: [RunServer] = []
    var preview: Preview?
    var file: MetricsFile?
    var control: ControlServer?
    var trace: (path: String, run: PipelineRun)?

    /// What the report says of it.
    var notes: [PipelineRun.Notes] { preview.map { [.init(node: "preview", lines: $0.notes)] } ?? [] }

    /// Writes what is left to be written, then answers nothing any more.
    func end(log: LogFormat) {
        if let problem = file?.finish() { log.say("warning", "vpipe: \(problem)") }
        if let trace { write(trace, log: log) }
        control?.stop()
        for server in servers { server.stop() }
    }

    private func write(_ trace: (path: String, run: PipelineRun), log: LogFormat) {
        do {
            try Data(PerfettoTrace(trace.run.trace()).bytes).write(to: URL(fileURLWithPath: trace.path))
        } catch {
            log.say("warning", "vpipe: \(trace.path): the trace cannot be written")
        }
    }
}
