// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Dataflow
internal import Foundation
import Pipeline
internal import PipelineLanguage
internal import Workbench

/// `vpipe run`.
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run a pipeline until its input ends or Ctrl-C; a second Ctrl-C aborts.")

    @OptionGroup var file: PipelineArguments
    @OptionGroup var watching: WatchArguments
    @Flag(help: "Let sinks replace files that exist: the same as --if-exists replace.") var overwrite = false
    @Option(
        help: ArgumentHelp(
            "What sinks do with files that exist, whatever the pipeline says: fail, append, number or replace.",
            valueName: "rule"), transform: { try RunCommand.rule($0) })
    var ifExists: IfExists?
    @Flag(name: .shortAndLong, help: "No status line and no report, only errors.") var quiet = false
    @Option(name: .customLong("log-format"), help: "text or json (one object per line on standard error).")
    var logFormat = LogFormat.text
    @Option(
        help: ArgumentHelp(
            "Stop after this long: seconds, or with a unit such as 500ms, 10s, 2m or 1h.", valueName: "time"),
        transform: { try RunCommand.seconds($0) })
    var duration: Double?
    @Option(help: ArgumentHelp("Processor cores to count on; all by default.", valueName: "n")) var cores: Int?

    func validate() throws {
        if overwrite, let ifExists, ifExists != .replace {
            throw ValidationError(
                "--overwrite replaces files, --if-exists \(ifExists.rawValue) does not: give one of them")
        }
        if let duration, !(duration > 0 && duration < 1e9) { throw ValidationError("--duration must be positive") }
        if let cores, !(1...1024).contains(cores) { throw ValidationError("--cores must be 1...1024") }
    }

    func run() throws {
        do {
            try runToItsEnd()
        } catch let failure as Failure {
            guard logFormat == .json else { throw failure }
            for message in failure.messages { logFormat.say("error", lines: message) }
            throw ExitCode(failure.status.rawValue)
        }
    }

    /// Reads a rule for files that exist.
    static func rule(_ text: String) throws -> IfExists {
        if let rule = IfExists(rawValue: text) { return rule }
        throw ValidationError("--if-exists must be fail, append, number or replace (found \"\(text)\")")
    }

    /// Reads a number of seconds, or a duration as pipeline files have it.
    static func seconds(_ text: String) throws -> Double {
        if let seconds = Double(text) { return seconds }
        guard let duration = PipelineLanguage.duration(text) else {
            throw ValidationError("--duration must be seconds or a duration such as 10s or 2m (found \"\(text)\")")
        }
        return duration
    }

    private func runToItsEnd() throws {
        let manager = ServiceManager()
        let isInteractive = Console.Stream.errors.isTerminal
        // From here on, as a service may be told to reload while networks are still being compiled.
        let signals = StopSignals(
            isInteractive: isInteractive, stopsAtHangUp: isInteractive || file.pipeline == "-", log: logFormat,
            manager: manager)
        let reload =
            isInteractive || file.pipeline == "-" ? nil : ReloadSignal(file, log: logFormat, manager: manager)
        let pipeline = try file.validated(log: logFormat, isQuiet: quiet)
        let run: PipelineRun
        let log: RunLog
        let watch: Watch
        do {
            var options = BuildContext.Options(cores: cores, ifExists: overwrite ? .replace : ifExists)
            options.startingRung = PipelinePlan.startingRung(
                engine: try Installation.engine, cores: cores)
            run = try PipelineRun(
                pipeline, registry: Installation.registry, engine: Installation.engine, options: options)
            log = RunLog(run, format: logFormat, isQuiet: quiet)
            log.followLadder()
            log.followEvents()
            // Nothing has begun: what was opened goes as if it had not been.
            if signals.isStopping { return }
            watch = try watching.watch(run, log: logFormat)
            try run.start()
            signals.begin(run)
            for line in run.announcements { logFormat.say("listening", line) }
        } catch {
            throw Failure(starting: error)
        }
        manager.ready()
        reload?.begin(run)
        let report = wait(for: run, log: log, manager: manager)
        reload?.end()
        watch.end(log: logFormat)
        withExtendedLifetime(signals) {}
        let verdict = Verdict(report, target: pipeline.target, record: run.targetRecord)
        log.finish(report, notes: run.notes() + watch.notes, verdict: verdict)
        if !report.failures.isEmpty || !report.isBalanced || report.state == .aborted {
            throw ExitCode(ExitStatus.failed.rawValue)
        }
        if verdict?.isKept == false { throw ExitCode(ExitStatus.targetMissed.rawValue) }
    }

    private func wait(for run: PipelineRun, log: RunLog, manager: ServiceManager) -> RunReport {
        let begin = DispatchTime.now().uptimeNanoseconds
        var isStopped = false
        var nextUpdate = log.interval
        while true {
            let elapsed = Double(DispatchTime.now().uptimeNanoseconds - begin) / 1e9
            var pause = min(max(0.001, nextUpdate - elapsed), manager.watchdogInterval ?? .infinity)
            if let duration, !isStopped {
                let left = duration - elapsed
                if left <= 0 {
                    run.stop()
                    isStopped = true
                } else {
                    pause = min(pause, left)
                }
            }
            if let report = run.waitUntilFinished(seconds: pause) { return report }
            if manager.watchdogInterval != nil { manager.alive(log.status) }
            guard Double(DispatchTime.now().uptimeNanoseconds - begin) / 1e9 >= nextUpdate else { continue }
            nextUpdate += log.interval
            log.update()
        }
    }
}
