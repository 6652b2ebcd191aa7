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
    @Flag(help: "Let sinks replace files that exist.") var overwrite = false
    @Flag(name: .shortAndLong, help: "No status line and no report, only errors.") var quiet = false
    @Option(name: .customLong("log-format"), help: "text or json (one object per line on standard error).")
    var logFormat = LogFormat.text
    @Option(help: ArgumentHelp("Stop after this many seconds.", valueName: "seconds")) var duration: Double?
    @Option(help: ArgumentHelp("Processor cores to count on; all by default.", valueName: "n")) var cores: Int?

    func validate() throws {
        if let duration, !(duration > 0 && duration < 1e9) { throw ValidationError("--duration must be positive") }
        if let cores, !(1...1024).contains(cores) { throw ValidationError("--cores must be 1...1024") }
    }

    func run() throws {
        do {
            try runToItsEnd()
        } catch let failure as Failure {
            guard logFormat == .json else { throw failure }
            for line in failure.lines { logFormat.say("error", line) }
            throw ExitCode(failure.status.rawValue)
        }
    }

    private func runToItsEnd() throws {
        let manager = ServiceManager()
        let isInteractive = Console.Stream.errors.isTerminal
        // From here on, as a service may be told to reload while networks are still being compiled.
        let reload =
            isInteractive || file.pipeline == "-" ? nil : ReloadSignal(file, log: logFormat, manager: manager)
        let pipeline = try file.validated(log: logFormat)
        let run: PipelineRun
        let log: RunLog
        let watch: Watch
        do {
            var options = BuildContext.Options(cores: cores, overwrites: overwrite)
            options.startingRung = PipelinePlan.startingRung(
                engine: try Installation.engine, cores: cores)
            run = try PipelineRun(
                pipeline, registry: Installation.registry, engine: Installation.engine, options: options)
            log = RunLog(run, format: logFormat, isQuiet: quiet)
            log.followLadder()
            log.followEvents()
            watch = try watching.watch(run, log: logFormat)
            try run.start()
            for line in run.announcements { logFormat.say("listening", line) }
        } catch let failure as Failure {
            throw failure
        } catch let error as PipelineRunError where error.cause is PipelineFileError {
            // A file that the pipeline names is as much the user's text as the pipeline.
            throw (error.cause as? PipelineFileError).map { Failure($0) } ?? Failure(.usage)
        } catch {
            throw Failure(.failed, "vpipe: \(error)")
        }
        let signals = StopSignals(run, isInteractive: isInteractive, log: logFormat, manager: manager)
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
