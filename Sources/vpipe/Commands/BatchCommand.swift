// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Basics
internal import Foundation
import Pipeline
internal import PipelineLanguage
internal import Workbench

/// `vpipe batch`.
struct BatchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "batch", abstract: "Many inputs through one pipeline: done once, in parallel, on many machines.",
        discussion: """
            Each input's results go to a folder of its name in OUT, whole or not at all. A second run makes only what is
            missing or was made of something else. Any number of processes may work on one OUT at the same time.
            Exit status: 0 all done, 1 some failed, 2 bad usage or pipeline file.
            """,
        subcommands: [BatchRun.self, BatchStatus.self, BatchRetry.self, BatchMergeCommand.self],
        defaultSubcommand: BatchRun.self)

    /// What `body` gives; what the user should have given otherwise ends the command.
    fileprivate static func usage<Value>(_ body: () throws(BatchError) -> Value) throws -> Value {
        let result = Result(catching: body)
        return try result.mapError { Failure(.usage, "vpipe: \($0)") }.get()
    }
}

/// `vpipe batch [run]`.
struct BatchRun: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Make what is missing (the default).")

    @OptionGroup var file: PipelineArguments
    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Files, folders, or patterns in quotes: 'rec/**/*.mp4'. Items are named as their paths.",
            valueName: "pattern"))
    var inputs: [String] = []
    @Option(
        name: .customLong("inputs-from"),
        help: ArgumentHelp("A file with an input on each line; - is standard input.", valueName: "file"))
    var list: String?
    @Option(help: ArgumentHelp("The folder that is written.", valueName: "folder")) var out: String
    @Option(
        help: ArgumentHelp("The source that reads the inputs, where there are several.", valueName: "node"))
    var source: String?
    @Option(help: ArgumentHelp("Begin there: seconds, 1:30, 1:02:03 or 90s.", valueName: "time")) var from: String?
    @Option(help: ArgumentHelp("End there.", valueName: "time")) var to: String?
    @Option(help: ArgumentHelp("Look at every Nth frame.", valueName: "n")) var every: Int?
    @Option(
        help: ArgumentHelp(
            "Items at once in this process: a number, or auto, which adds some while the processor has time to spare.",
            valueName: "n"))
    var jobs = "auto"
    @Option(
        help: ArgumentHelp(
            "What of the inputs this process takes: claim (whatever nobody else holds), i/n, or auto: the part that Slurm, "
                + "Kubernetes or AWS Batch has handed it.", valueName: "part"))
    var shard = "claim"
    @Option(help: ArgumentHelp("Set an input aside after so many failed tries.", valueName: "n")) var tries = 3
    @Option(
        help: ArgumentHelp(
            "Items made of another input, pipeline, weights or version: redo, keep or fail.", valueName: "rule"))
    var stale = "redo"
    @Option(
        help: ArgumentHelp(
            "Take over an item whose process has shown no life for so long.", valueName: "time"))
    var lease = "60s"
    @Option(help: ArgumentHelp("Processor cores to count on; all by default.", valueName: "n")) var cores: Int?
    @Flag(name: .shortAndLong, help: "No progress and no finished items, only what failed.") var quiet = false
    @Flag(help: "One JSON object per item on standard output, and one at the end.") var json = false

    func validate() throws {
        if inputs.isEmpty && list == nil {
            throw ValidationError("--inputs is missing: files, folders, or patterns in quotes such as 'rec/**/*.mp4'")
        }
        if jobs != "auto", !(1...256).contains(Int(jobs) ?? 0) {
            throw ValidationError("--jobs must be auto or 1...256 (found \"\(jobs)\")")
        }
        if !(1...100).contains(tries) { throw ValidationError("--tries must be 1...100") }
        if Batch.Stale(rawValue: stale) == nil {
            throw ValidationError("--stale must be redo, keep or fail (found \"\(stale)\")")
        }
        if let cores, !(1...1024).contains(cores) { throw ValidationError("--cores must be 1...1024") }
        if let every, every < 1 { throw ValidationError("--every must be 1 or more") }
        if !((PipelineLanguage.duration(lease) ?? 0) >= 0.1) {
            throw ValidationError("--lease must be a duration of 100ms or more, such as 60s (found \"\(lease)\")")
        }
        _ = try part()
    }

    func run() throws {
        do {
            try make()
        } catch let error as BatchError {
            throw Failure(.usage, "vpipe: \(error)")
        } catch let error as PipelineFileError {
            throw Failure(error)
        }
    }

    private func make() throws {
        let text = try PipelineFile(path: file.pipeline)
        let pipeline = try BatchPipeline(
            text, overrides: file.overrides, source: source, part: part(), contracts: Installation.registry.contracts,
            version: Product.version)
        var options = Batch.Options()
        options.jobs = Int(jobs)
        options.shard = try BatchShard(shard, environment: { Folders.variable($0) })
        options.tries = tries
        options.stale = Batch.Stale(rawValue: stale) ?? .redo
        options.leaseSeconds = PipelineLanguage.duration(lease) ?? 60
        options.cores = cores
        guard let program = Folders.executable else { throw Failure(.failed, "vpipe: /proc is not mounted") }
        options.program = program
        let found = try Batch.inputs(inputs + listed(), for: pipeline, besides: out)
        // A mistake that every item would make is told once, before anything begins.
        if let first = found.first {
            let valid = try pipeline.validated(first, in: out, contracts: Installation.registry.contracts)
            for warning in quiet ? [] : valid.warnings { LogFormat.text.say("warning", lines: warning.lines) }
        }
        let log = BatchLog(isQuiet: quiet, json: json)
        let batch = try Batch(pipeline, into: out, options: options, tell: log.tell, show: log.show)
        let signals = DeferredSignals { batch.stop() }
        let summary = try batch.run(found)
        log.finish(summary)
        if summary.isStopped { signals.end() }
        if summary.obstacle != nil || !summary.failed.isEmpty { throw ExitCode(ExitStatus.failed.rawValue) }
    }

    private func part() throws -> BatchPipeline.Part {
        var part = BatchPipeline.Part()
        part.start = try from.map { try Self.time($0, "--from") }
        part.end = try to.map { try Self.time($0, "--to") }
        part.every = every
        if let start = part.start, let end = part.end, end <= start {
            throw ValidationError("--to must be after --from")
        }
        return part
    }

    /// Reads seconds, a duration with a unit, or hours, minutes and seconds with colons.
    static func time(_ text: String, _ option: String) throws -> Double {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { Double($0) }
        if (1...3).contains(parts.count), parts.allSatisfy({ $0.map { $0 >= 0 && $0 < 1e8 } ?? false }) {
            return parts.reduce(0) { $0 * 60 + ($1 ?? 0) }
        }
        if let seconds = PipelineLanguage.duration(text), seconds >= 0 { return seconds }
        throw ValidationError("\(option) must be a time such as 90, 1:30, 1:02:03 or 90s (found \"\(text)\")")
    }

    private func listed() throws -> [String] {
        guard let list else { return [] }
        let data =
            list == "-" ? FileHandle.standardInput.readDataToEndOfFile() : FileManager.default.contents(atPath: list)
        guard let data else { throw Failure(.usage, "vpipe: --inputs-from \(list): cannot be read") }
        return data.split(separator: 10).map { String(decoding: $0, as: UTF8.self) }.filter { !$0.isEmpty }
    }
}

/// A line for each item, and one that says how far the batch is.
private final class BatchLog {
    private let isQuiet: Bool
    private let json: Bool
    private let isInteractive = Console.Stream.errors.isTerminal
    private var shown: ContinuousClock.Instant

    init(isQuiet: Bool, json: Bool) {
        self.isQuiet = isQuiet
        self.json = json
        shown = isInteractive ? .now - .seconds(1) : .now
    }

    func tell(_ input: BatchInput, _ outcome: Batch.Outcome) {
        if isInteractive, !isQuiet { Console.print(Console.clearLine, to: .errors) }
        if json {
            Console.print(Self.json(input, outcome) + "\n")
            return
        }
        switch outcome {
        case .done(let frames, let seconds, let notes):
            guard !isQuiet else { return }
            let rate = seconds > 0 ? ", \(Figures.fixed(Double(frames) / seconds, 1)) fps" : ""
            Console.line("done    \(input.name)  \(frames) frames in \(Figures.fixed(seconds, 1)) s\(rate)")
            for note in notes.prefix(3) { Console.line("        \(note)") }
        case .failed(let message, let attempt):
            Console.line("failed  \(input.name)  try \(attempt): \(message)")
        case .setAside(let message): Console.line("failed  \(input.name)  set aside: \(message)")
        case .doneByOthers: if !isQuiet { Console.line("done    \(input.name)  by another process") }
        }
    }

    func show(_ progress: Batch.Progress) {
        guard !isQuiet, !json || isInteractive else { return }
        // A file of a log needs no line every second.
        guard ContinuousClock.now - shown >= .seconds(isInteractive ? 0.5 : 30) else { return }
        shown = .now
        var text = "batch: \(progress.done) of \(progress.items) done"
        if progress.failed > 0 { text += ", \(progress.failed) failed" }
        text += ", \(progress.running) running"
        if progress.fps > 0 { text += " at \(Figures.fixed(progress.fps, 0)) fps" }
        if progress.running == 0 { text += ", waiting for other processes" }
        if let left = progress.secondsLeft, progress.running > 0 { text += ", \(Self.span(left)) left" }
        if isInteractive {
            let width = Console.width(of: .errors)
            Console.print(Console.clearLine + String(printable(text).prefix(max(1, width - 1))), to: .errors)
        } else {
            Console.line(text, to: .errors)
        }
    }

    func finish(_ summary: Batch.Summary) {
        if isInteractive, !isQuiet { Console.print(Console.clearLine, to: .errors) }
        if let obstacle = summary.obstacle { Console.line("vpipe: \(obstacle)", to: .errors) }
        if json {
            Console.print(
                RunJSON.line([
                    ("event", .string("end")), ("items", .integer(summary.items)), ("made", .integer(summary.made)),
                    ("known", .integer(summary.known)), ("kept", .integer(summary.kept)),
                    ("failed", .integer(summary.failed.count)), ("frames", .integer(summary.frames)),
                    ("seconds", .number(summary.seconds)), ("stopped", .boolean(summary.isStopped)),
                    ("obstacle", summary.obstacle.map { .string($0) }),
                ]) + "\n")
            return
        }
        guard !isQuiet else { return }
        var text = "\(summary.items) \(summary.items == 1 ? "item" : "items"): \(summary.made) made"
        if summary.known > 0 { text += ", \(summary.known) done before" }
        if summary.kept > 0 { text += ", \(summary.kept) kept though made of something else" }
        if !summary.failed.isEmpty { text += ", \(summary.failed.count) failed" }
        let open = summary.items - summary.made - summary.known - summary.kept - summary.failed.count
        if open > 0 { text += ", \(open) not made" }
        if summary.frames > 0 {
            text += "; \(summary.frames) frames in \(Self.span(summary.seconds))"
            if summary.seconds > 0 { text += ", \(Figures.fixed(Double(summary.frames) / summary.seconds, 1)) fps" }
        }
        Console.line(text)
        if summary.made == 0, !summary.failed.isEmpty {
            for (item, message) in summary.failed.prefix(10) { Console.line("failed  \(item)  \(message)") }
        }
        if !summary.failed.isEmpty {
            Console.line("\"vpipe batch retry OUT\" lets what was set aside be tried again")
        }
    }

    private static func span(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded(.up))
        if whole < 90 { return "\(whole) s" }
        if whole < 90 * 60 { return "\((whole + 30) / 60) min" }
        return "\(whole / 3600) h \(whole % 3600 / 60) min"
    }

    private static func json(_ input: BatchInput, _ outcome: Batch.Outcome) -> String {
        let item: [(String, JSONDocument?)] = [("item", .string(printable(input.name)))]
        switch outcome {
        case .done(let frames, let seconds, let notes):
            return RunJSON.line(
                [("event", .string("done"))] + item + [
                    ("frames", .integer(frames)), ("seconds", .number((seconds * 1000).rounded() / 1000)),
                    ("notes", notes.isEmpty ? nil : .array(notes.map { .string($0) })),
                ])
        case .failed(let message, let attempt):
            return RunJSON.line(
                [("event", .string("failed"))] + item + [("try", .integer(attempt)), ("message", .string(message))])
        case .setAside(let message):
            return RunJSON.line([("event", .string("setAside"))] + item + [("message", .string(message))])
        case .doneByOthers: return RunJSON.line([("event", .string("doneByOthers"))] + item)
        }
    }
}

/// `vpipe batch status`.
struct BatchStatus: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "How far a batch is, and what failed.")

    @Argument(help: "The folder that the batch writes.", completion: .directory) var out: String
    @Flag(help: "As one JSON object.") var json = false

    func run() throws {
        let status = try BatchCommand.usage { () throws(BatchError) in try BatchOverview(out) }
        if json {
            let failed = status.failed.map { failure in
                JSONDocument.object([
                    ("item", .string(printable(failure.item))), ("tries", .integer(failure.tries)),
                    ("message", .string(failure.message)),
                ])
            }
            Console.print(
                RunJSON.line([
                    ("items", .integer(status.items)), ("done", .integer(status.done)),
                    ("running", .integer(status.running)), ("missing", .integer(status.missing)),
                    ("frames", .integer(status.frames)), ("failed", .array(failed)),
                ]) + "\n")
            return
        }
        Console.line(
            "\(status.items) \(status.items == 1 ? "item" : "items"): \(status.done) done, \(status.running) running, \(status.failed.count) failed, "
                + "\(status.missing) missing; \(status.frames) frames")
        for failure in status.failed {
            Console.line(
                "failed  \(failure.item)  \(failure.tries) \(failure.tries == 1 ? "try" : "tries"): \(failure.message)")
        }
    }
}

/// `vpipe batch retry`.
struct BatchRetry: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry", abstract: "Let items that were set aside be tried again by the next run.")

    @Argument(help: "The folder that the batch writes.", completion: .directory) var out: String
    @Argument(help: "The items; all that failed by default.") var items: [String] = []

    func run() throws {
        let cleared = try BatchCommand.usage { () throws(BatchError) in try BatchOverview.retry(out, items: items) }
        Console.line(
            cleared.isEmpty ? "nothing has failed" : "to be tried again by the next run: \(cleared.count)")
        for item in cleared { Console.line("  \(item)") }
    }
}

/// `vpipe batch merge`.
struct BatchMergeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge", abstract: "Join the results of all finished items in one file.",
        discussion: """
            Every line or row says which item it is of. A Parquet file is made of jsonl records by DuckDB (`duckdb`).
            """)

    @Argument(help: "The folder that the batch writes.", completion: .directory) var out: String
    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp(
            "The file to make: .jsonl, .csv or .parquet; - is standard output (jsonl).", valueName: "file"))
    var output: String
    @Option(
        name: .customLong("file"),
        help: ArgumentHelp("Which file of the items, where they have several of the kind.", valueName: "name"))
    var name: String?
    @Flag(help: "Replace a file that exists.") var overwrite = false

    func run() throws {
        do {
            let merged = try BatchMerge(out, file: name).write(to: output, overwrite: overwrite)
            guard output != "-" else { return }
            Console.line("\(output): \(merged.lines) lines of \(merged.items) items")
        } catch let error as BatchError {
            throw Failure(.usage, "vpipe: \(error)")
        } catch let error as BatchMerge.Fault {
            throw Failure(.failed, "vpipe: \(error)")
        }
    }
}
