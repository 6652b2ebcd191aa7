// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Dataflow
internal import Foundation
import Pipeline

/// `vpipe run`.
struct RunCommand: ParsableCommand {
    /// How the run is reported.
    enum LogFormat: String, ExpressibleByArgument, CaseIterable { case text, json }

    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run a pipeline until its input ends or Ctrl-C; a second Ctrl-C aborts.")

    @OptionGroup var file: PipelineArguments
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
        let pipeline = try file.validated()
        let run: PipelineRun
        do {
            run = try PipelineRun(pipeline, options: .init(cores: cores, overwrites: overwrite))
            try run.start()
        } catch let error as PipelineRunError where error.cause is PipelineFileError {
            // A file that the pipeline names is as much the user's text as the pipeline.
            throw (error.cause as? PipelineFileError).map { Failure($0) } ?? Failure(.usage)
        } catch {
            throw Failure(.failed, "vpipe: \(error)")
        }
        let signals = StopSignals(run)
        let log = RunLog(run, format: logFormat, isQuiet: quiet)
        let report = wait(for: run, log: log)
        withExtendedLifetime(signals) {}
        let verdict = Verdict(report, target: pipeline.target)
        log.finish(report, notes: run.notes(), verdict: verdict)
        if !report.failures.isEmpty || !report.isBalanced || report.state == .aborted {
            throw ExitCode(ExitStatus.failed.rawValue)
        }
        if verdict?.isKept == false { throw ExitCode(ExitStatus.targetMissed.rawValue) }
    }

    private func wait(for run: PipelineRun, log: RunLog) -> RunReport {
        let begin = DispatchTime.now().uptimeNanoseconds
        var isStopped = false
        while true {
            var pause = log.interval
            if let duration, !isStopped {
                let left = duration - Double(DispatchTime.now().uptimeNanoseconds - begin) / 1e9
                if left <= 0 {
                    run.stop()
                    isStopped = true
                } else {
                    pause = min(pause, left)
                }
            }
            if let report = run.waitUntilFinished(seconds: pause) { return report }
            log.update()
        }
    }
}
