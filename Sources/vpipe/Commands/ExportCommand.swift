// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Basics
internal import PipelineLanguage
internal import Workbench

/// `vpipe export`.
struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Results in other programs' formats, from a record of the jsonl sink.",
        discussion: """
            coco, cvat, labelstudio (JSON, XML, JSON), webvtt and csv are files, mot and yolo folders; written whole or not
            at all. What the format has no place for is told with its count.
            """)

    @Argument(help: ArgumentHelp("The record: what a jsonl sink wrote.", valueName: "found.jsonl"), completion: .file())
    var record: String
    @Option(
        name: .customLong("to"),
        help: ArgumentHelp("coco, mot, cvat, yolo, labelstudio, webvtt or csv.", valueName: "format"))
    var format: String
    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp("The file or folder to make.", valueName: "out"), completion: .file())
    var output: String
    @Option(
        name: .customLong("node"),
        help: ArgumentHelp(
            "Whose results, where several nodes found things of a kind; may be given again.", valueName: "id"))
    var nodes: [String] = []
    @Option(
        name: .customLong("run"),
        help: ArgumentHelp("Which run, of a record that several were appended to: 1, 2, ...", valueName: "n"))
    var runNumber: Int?
    @Option(
        help: ArgumentHelp(
            "What the format calls the video (Label Studio: its address); else as in the record.", valueName: "name"))
    var media: String?
    @Flag(name: .customLong("by-time"), help: "Number frames by time x frame rate rather than as the record does.")
    var isByTime = false
    @Flag(help: "Replace what exists.") var overwrite = false

    func validate() throws {
        if let runNumber, runNumber < 1 { throw ValidationError("--run must be 1 or more") }
    }

    func run() throws {
        let names = ExportFormat.allCases.map(\.rawValue)
        guard let format = ExportFormat(rawValue: format) else {
            let meant = closest(to: format, among: names).map { "; did you mean \($0)?" } ?? ""
            throw Failure(
                .usage, "vpipe: --to \(format): expected one of \(names.joined(separator: ", "))\(meant)")
        }
        var options = RecordExport.Options()
        options.nodes = nodes
        options.run = runNumber
        options.isByTime = isByTime
        options.media = media
        options.overwrites = overwrite
        let signals = DeferredSignals()
        options.isStopped = { signals.isReceived }
        do {
            let outcome = try RecordExport(record, to: format, options: options).write(to: output)
            for note in outcome.notes { Console.line("note: \(note)", to: .errors) }
            Console.line(
                "\(output): \(outcome.results) result\(outcome.results == 1 ? "" : "s") of \(outcome.frames) frame\(outcome.frames == 1 ? "" : "s")"
            )
        } catch is ExportStopped {
            signals.end()
        } catch let error as ExportError {
            throw Failure(.usage, "vpipe: \(error)")
        } catch let error as ExportFault {
            throw Failure(.failed, "vpipe: \(error)")
        }
    }
}
