// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Dataflow
internal import Foundation
internal import Pipeline

/// `vpipe why`.
struct WhyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "why", abstract: "Tell what became of a frame, step by step, from a trace of its run.")

    @Argument(help: "The frame's number, as in jsonl and on the preview's page.") var frame: UInt64
    @Option(
        name: .customLong("of"), help: "The trace, as `vpipe run FILE --trace TRACE` wrote it.", completion: .file())
    var trace: String
    @Option(help: "The source, where the pipeline has several.") var source: String?

    func run() throws {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: trace))
        } catch {
            throw Failure(.usage, "vpipe: \(trace): cannot be read")
        }
        let read: GraphTrace
        do {
            read = try PerfettoReader.trace(Array(data))
        } catch {
            throw Failure(.usage, "vpipe: \(trace): is no trace: \(error)")
        }
        guard let source = source ?? (read.sources.count == 1 ? read.sources[0] : nil), read.sources.contains(source)
        else {
            throw Failure(
                .usage, "vpipe: name one of the trace's sources with --source: \(read.sources.joined(separator: ", "))")
        }
        guard let story = FrameStory(of: read, frame: frame, source: source) else {
            let index = read.sources.firstIndex(of: source) ?? 0
            let known = read.events.filter { Int($0.source) == index }.map(\.sequence)
            let range = known.isEmpty ? "none" : "\(known.min() ?? 0) to \(known.max() ?? 0)"
            throw Failure(.usage, "vpipe: frame \(frame) of \(source) is not in the trace, which holds \(range)")
        }
        for line in story.lines { Console.line(line) }
    }
}
