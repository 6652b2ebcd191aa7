// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
internal import Foundation
public import Inference
public import Pipeline
internal import PipelineLanguage
internal import Synchronization

/// What a batch and its workers say to each other: one JSON object a line.
enum BatchMessage {
    /// To the worker, first of all: the pipeline.
    struct Setup: Codable {
        var file: String
        var text: String
        var overrides: [String]
        var cores: Int?
    }

    /// To the worker: an item.
    struct Task: Codable {
        /// What is set for it.
        var overrides: [String]
    }

    /// From the worker.
    struct Report: Codable, Equatable {
        enum Kind: String, Codable { case progress, done, failed }
        var kind: Kind
        /// Frames that came to their end.
        var frames = 0
        /// Frames to come in all, where that is known.
        var expected: Int?
        /// Frames of these that no sink got.
        var dropped = 0
        /// Results by node.
        var results: [String: Int] = [:]
        /// What was noticed on the way, such as damaged packets.
        var notes: [String] = []
        /// Why it failed.
        var message = ""
    }

    static func line<Message: Encodable>(_ message: Message) -> Data {
        ((try? JSONEncoder().encode(message)) ?? Data()) + Data("\n".utf8)
    }

    /// Writes all of it; false where nobody is there.
    ///
    /// The process ignores SIGPIPE.
    static func send(_ data: Data, to descriptor: Int32) -> Bool {
        data.withUnsafeBytes { raw in
            var sent = 0
            while sent < raw.count {
                let count = write(descriptor, raw.baseAddress?.advanced(by: sent), raw.count - sent)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                sent += count
            }
            return true
        }
    }
}

/// The process that runs a batch's items one after the other: what crashes it on one input costs that item and nothing else.
///
/// ```
///  batch --socket: the pipeline, items--> vpipe batch-worker
///        <--progress, done or failed--    a run for each item; networks are compiled once
/// ```
/// It ends when the socket does, at once, whatever it is doing.
public enum BatchWorker {
    /// The first argument of the process; not a command for people.
    public static let argument = "batch-worker"
    private static let interval = 0.25

    /// Serves the batch at the other end of standard input and output.
    ///
    /// - Returns: the exit status.
    public static func serve(
        registry: NodeRegistry, engine: @escaping @Sendable () throws -> any InferenceEngine
    ) -> Int32 {
        let lines = Lines()
        guard let setup: BatchMessage.Setup = lines.next() else { return 2 }
        let file = PipelineFile(name: setup.file, text: setup.text)
        let models = HeldModels()
        while let task: BatchMessage.Task = lines.next() {
            say(run(file, setup, task, registry: registry, engine: { try models.wrapping(engine()) }))
            models.releaseUnused()
        }
        return 0
    }

    private static func run(
        _ file: PipelineFile, _ setup: BatchMessage.Setup, _ task: BatchMessage.Task, registry: NodeRegistry,
        engine: @escaping @Sendable () throws -> any InferenceEngine
    ) -> BatchMessage.Report {
        let notes = Notes()
        do {
            let pipeline = try file.validated(
                against: registry.contracts, overrides: setup.overrides + task.overrides)
            var options = BuildContext.Options(cores: setup.cores, ifExists: .replace)
            options.isDated = false
            let run = try PipelineRun(pipeline, registry: registry, engine: try engine(), options: options)
            run.onEvent { event in
                guard event.kind != .changed, event.kind != .clock else { return }
                notes.add("\(event.node): \(event.message)" + (event.count > 1 ? " (\(event.count) times)" : ""))
            }
            try run.start()
            var report: RunReport?
            while report == nil {
                report = run.waitUntilFinished(seconds: interval)
                if report == nil { say(figures(.progress, run.snapshot(), run)) }
            }
            guard let report else { return BatchMessage.Report(kind: .failed) }
            var result = figures(.done, report, run)
            result.notes = notes.all
            if let failure = report.failures.first {
                result.kind = .failed
                result.message = "nodes.\(failure.node): \(failure.message)"
            } else if !report.isBalanced || report.state == .aborted {
                result.kind = .failed
                result.message = "frames are unaccounted for"
            } else if result.frames == 0 {
                result.kind = .failed
                result.message = "no frame came through" + (notes.all.first.map { ": " + $0 } ?? "")
            }
            return result
        } catch let error as PipelineFileError {
            return BatchMessage.Report(
                kind: .failed, message: error.diagnostics.first?.lines.joined(separator: " ") ?? "\(error)")
        } catch {
            return BatchMessage.Report(kind: .failed, message: "\(error)")
        }
    }

    private static func figures(
        _ kind: BatchMessage.Report.Kind, _ report: RunReport, _ run: PipelineRun
    ) -> BatchMessage.Report {
        let ended = report.sources.reduce(0) { $0 + $1.delivered + $1.dropped }
        return BatchMessage.Report(
            kind: kind, frames: Int(ended), expected: run.expectedFrames,
            dropped: Int(report.sources.reduce(0) { $0 + $1.dropped }),
            results: Dictionary(run.resultCounts.map { ($0.node, Int($0.count)) }, uniquingKeysWith: { $1 }))
    }

    private static func say(_ report: BatchMessage.Report) {
        // Nobody is there any more.
        if !BatchMessage.send(BatchMessage.line(report), to: 1) { _exit(1) }
    }

    /// The first few things that were noticed.
    private final class Notes: Sendable {
        private let lines = Mutex<[String]>([])
        func add(_ line: String) { lines.withLock { if $0.count < 20 { $0.append(line) } } }
        var all: [String] { lines.withLock { $0 } }
    }

    /// Lines of standard input, read by a thread of their own that ends the process with them.
    private final class Lines: Sendable {
        private let queue = Mutex<[Data]>([])
        private let count = DispatchSemaphore(value: 0)

        init() {
            let thread = Thread { [self] in
                var pending = Data()
                var buffer = [UInt8](repeating: 0, count: 1 << 16)
                while true {
                    let count = read(0, &buffer, buffer.count)
                    if count < 0, errno == EINTR { continue }
                    guard count > 0 else { _exit(0) }
                    pending += buffer[..<count]
                    while let end = pending.firstIndex(of: 10) {
                        let line = Data(pending[..<end])
                        pending = Data(pending[pending.index(after: end)...])
                        queue.withLock { $0.append(line) }
                        self.count.signal()
                    }
                }
            }
            thread.start()
        }

        func next<Message: Decodable>() -> Message? {
            count.wait()
            let line = queue.withLock { $0.removeFirst() }
            return try? JSONDecoder().decode(Message.self, from: line)
        }
    }
}
