// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Foundation
internal import Pipeline
internal import PipelineLanguage
internal import Synchronization

/// Many inputs through one pipeline: what is done is not done again, what fails is tried again and then set aside, and any
/// number of processes, on any number of machines that share the folder, work on it at once.
///
/// ```
///  inputs --shard--> largest first --lease--> worker process --made aside, renamed--> OUT/item/
///                         ^                        |
///                         +---- failed: again -----+---- N times: set aside with its message
/// ```
/// - Note: Thread-safety: confined to one thread, but for `stop`.
public final class Batch: @unchecked Sendable {
    /// What to do with items that were made of something else.
    public enum Stale: String, Sendable, CaseIterable { case redo, keep, fail }

    /// How a batch is run.
    public struct Options: Sendable {
        /// Items at once; nil adds some while the processor has time to spare.
        public var jobs: Int?
        /// Which part of the inputs this process takes.
        public var shard = BatchShard.claim
        /// Tries before an item is set aside.
        public var tries = 3
        /// What becomes of items that were made of something else.
        public var stale = Stale.redo
        /// Seconds after which the lease of a process that does not renew it is nobody's.
        public var leaseSeconds = 60.0
        /// Cores to count on; nil is all.
        public var cores: Int?
        /// This program.
        public var program = ""

        /// One process that takes everything.
        public init() {}
    }

    /// What happened to an item.
    public enum Outcome: Sendable {
        /// It is whole.
        case done(frames: Int, seconds: Double, notes: [String])
        /// A try failed; there are more.
        case failed(message: String, attempt: Int)
        /// The last try failed.
        case setAside(message: String)
        /// Another process has made it meanwhile.
        case doneByOthers
    }

    /// How far the batch is.
    public struct Progress: Sendable {
        /// Items of this part.
        public var items = 0
        /// Of these, those that are done, from earlier runs as well.
        public var done = 0
        /// Set aside.
        public var failed = 0
        /// Being made by this process.
        public var running = 0
        /// Frames per second of all that is running.
        public var fps = 0.0
        /// Seconds to the end; nil where that is not known yet.
        public var secondsLeft: Double?
    }

    /// How it ended.
    public struct Summary: Sendable {
        /// Items of this part.
        public var items = 0
        /// Done in this run.
        public var made = 0
        /// Done before it, or by others meanwhile.
        public var known = 0
        /// Made of something else and kept.
        public var kept = 0
        /// Set aside, with their last message.
        public var failed: [(item: String, message: String)] = []
        /// Frames of the items made.
        public var frames = 0
        /// Whether it was stopped before its end.
        public var isStopped = false
        /// What keeps everything from going on; nil where nothing does.
        public var obstacle: String?
        /// Seconds it took.
        public var seconds = 0.0
    }

    private struct Job {
        let input: BatchInput
        let key: String
        let folder: String
        let lease: BatchLease
        let began: ContinuousClock.Instant
        var report = BatchMessage.Report(kind: .progress)
    }

    private struct Slot {
        var worker: WorkerProcess?
        var job: Job?
        /// Whether frames have come through it: its networks are compiled.
        var isWarm = false
    }

    private let pipeline: BatchPipeline
    private let folder: BatchFolder
    private let options: Options
    private let tell: (BatchInput, Outcome) -> Void
    private let show: (Progress) -> Void
    private let wake: (read: Int32, write: Int32)
    private let stopping = Atomic<Bool>(false)

    private var waiting: [BatchInput] = []
    private var slots: [Slot] = []
    private var summary = Summary()
    private var bytesLeft = 0
    private var bytesMade = 0
    /// The newest failures in a row, without what is of the input in their messages.
    private var failuresInARow: [(item: String, message: String)] = []
    private let began = ContinuousClock.now

    /// Prepares a batch that writes into `out`.
    ///
    /// - Parameters:
    ///   - tell: told what happens to items.
    ///   - show: told how far it is, four times a second at most.
    /// - Throws: `BatchError` where the folder cannot be used.
    public init(
        _ pipeline: BatchPipeline, into out: String, options: Options,
        tell: @escaping (BatchInput, Outcome) -> Void, show: @escaping (Progress) -> Void = { _ in }
    ) throws {
        self.pipeline = pipeline
        self.options = options
        self.tell = tell
        self.show = show
        folder = BatchFolder(out)
        try folder.create()
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
            throw BatchError("no socket: \(String(cString: strerror(errno)))")
        }
        wake = (ends[0], ends[1])
    }

    deinit {
        close(wake.read)
        close(wake.write)
    }

    /// Ends it: what is under way is given up, so that others can take it at once.
    ///
    /// - Note: Thread-safety: may be called from any thread.
    public func stop() {
        stopping.store(true, ordering: .releasing)
        var byte: UInt8 = 0
        _ = write(wake.write, &byte, 1)
    }

    /// The inputs that patterns stand for; `out` is not searched.
    public static func inputs(_ patterns: [String], for pipeline: BatchPipeline, besides out: String) throws
        -> [BatchInput]
    {
        try BatchInputs.find(patterns, takesFolders: pipeline.takesFolders, besides: out)
    }

    /// Makes what is missing, and returns when everything of this part is done or set aside, by this process or others.
    public func run(_ inputs: [BatchInput]) throws -> Summary {
        try folder.write(inputs)
        let own = options.shard.inputs(of: inputs)
        summary.items = own.count
        try sort(own)
        bytesLeft = waiting.reduce(0) { $0 + $1.bytes }
        defer { for slot in slots { slot.worker?.end(byForce: true) } }
        let limit = max(1, options.jobs ?? processors)
        slots = (0..<(options.jobs ?? 1)).map { _ in Slot() }
        var beat = ContinuousClock.now
        var spare = SpareTime(cores: processors)
        while !stopping.load(ordering: .acquiring), summary.obstacle == nil {
            fill()
            guard !waiting.isEmpty || slots.contains(where: { $0.job != nil }) else { break }
            if summary.obstacle != nil { break }
            show(progress)
            listen(milliseconds: 250)
            let now = ContinuousClock.now
            if now - beat >= .seconds(max(0.05, min(5, options.leaseSeconds / 6))) {
                beat = now
                renew()
            }
            let isBusy = slots.allSatisfy { $0.job != nil && $0.isWarm }
            if options.jobs == nil, spare.hasSome(whileBusy: isBusy), slots.count < limit, hasMemory, !waiting.isEmpty {
                slots.append(Slot())
            }
        }
        giveUp()
        unlink(folder.clock)
        summary.isStopped = stopping.load(ordering: .acquiring)
        summary.seconds = (ContinuousClock.now - began) / .seconds(1)
        return summary
    }

    private var processors: Int { options.cores ?? ProcessInfo.processInfo.activeProcessorCount }

    // MARK: - What there is to do

    private func sort(_ inputs: [BatchInput]) throws {
        for input in inputs {
            switch folder.state(input, pipeline.fingerprint) {
            case .done: summary.known += 1
            case .foreign:
                throw BatchError(
                    "\(folder.folder(of: input.name)) is there, and no batch has made it; move it away, or give another --out"
                )
            case .stale(let causes):
                switch options.stale {
                case .keep: summary.kept += 1
                case .fail: summary.failed.append((input.name, "was made of something else: \(causes)"))
                case .redo: consider(input)
                }
            case .missing: consider(input)
            }
        }
    }

    /// Lines an item up, unless it has failed often enough.
    private func consider(_ input: BatchInput) {
        if let message = setAside(input) {
            summary.failed.append((input.name, message))
        } else {
            waiting.append(input)
        }
    }

    private func setAside(_ input: BatchInput) -> String? {
        guard let failures = folder.failures(input.name), failures.tries.count >= options.tries,
            failures.key == BatchFolder.key(input, pipeline.fingerprint)
        else { return nil }
        return failures.tries.last?.message ?? ""
    }

    /// Gives every idle worker an item that nobody holds.
    private func fill() {
        for index in slots.indices where slots[index].job == nil {
            var at = 0
            while at < waiting.count, slots[index].job == nil, summary.obstacle == nil {
                let input = waiting[at]
                if folder.state(input, pipeline.fingerprint) == .done {
                    leaveToOthers(at)
                    continue
                }
                do {
                    guard
                        let lease = try BatchLease.take(
                            folder.lease(of: input.name), expiry: options.leaseSeconds, clock: folder.clock)
                    else {
                        at += 1
                        continue
                    }
                    // Between the look and the lease somebody may have made it, or given it up.
                    if folder.state(input, pipeline.fingerprint) == .done {
                        lease.release()
                        leaveToOthers(at)
                        continue
                    }
                    waiting.remove(at: at)
                    if let message = setAside(input) {
                        lease.release()
                        summary.failed.append((input.name, message))
                        bytesLeft -= input.bytes
                        tell(input, .setAside(message: message))
                    } else {
                        try begin(input, lease, in: index)
                    }
                } catch {
                    summary.obstacle = error.description
                }
            }
        }
    }

    /// Counts an item that another process has made.
    private func leaveToOthers(_ index: Int) {
        let input = waiting.remove(at: index)
        summary.known += 1
        bytesLeft -= input.bytes
        tell(input, .doneByOthers)
    }

    private func begin(_ input: BatchInput, _ lease: BatchLease, in index: Int) throws(BatchError) {
        let work = try folder.beginWork(input.name)
        if slots[index].worker == nil {
            slots[index].worker = try WorkerProcess(program: options.program, setup: setup)
        }
        slots[index].job = Job(
            input: input, key: BatchFolder.key(input, pipeline.fingerprint), folder: work, lease: lease, began: .now)
        slots[index].worker?.begin(BatchMessage.Task(overrides: pipeline.overrides(for: input, in: work)))
    }

    private var setup: BatchMessage.Setup {
        let cores = options.jobs.map { max(1, (processors + $0 - 1) / $0) } ?? options.cores
        return BatchMessage.Setup(
            file: pipeline.file.source.file, text: String(decoding: pipeline.file.source.bytes, as: UTF8.self),
            overrides: pipeline.overrides, cores: cores)
    }

    // MARK: - What comes back

    private func listen(milliseconds: Int32) {
        var watched = slots.indices.compactMap { index -> (slot: Int, poll: pollfd)? in
            slots[index].worker.map { (index, pollfd(fd: $0.socket, events: Int16(POLLIN), revents: 0)) }
        }
        watched.append((-1, pollfd(fd: wake.read, events: Int16(POLLIN), revents: 0)))
        var descriptors = watched.map(\.poll)
        guard poll(&descriptors, nfds_t(descriptors.count), milliseconds) > 0 else { return }
        for (entry, descriptor) in zip(watched, descriptors) where descriptor.revents != 0 && entry.slot >= 0 {
            switch slots[entry.slot].worker?.hear() {
            case .reports(let reports): for report in reports { take(report, from: entry.slot) }
            case .gone(let how):
                slots[entry.slot].worker = nil
                if slots[entry.slot].job != nil {
                    take(BatchMessage.Report(kind: .failed, message: how), from: entry.slot)
                }
            case nil: break
            }
        }
    }

    private func take(_ report: BatchMessage.Report, from index: Int) {
        guard let job = slots[index].job else { return }
        if report.frames > 0 { slots[index].isWarm = true }
        guard report.kind != .progress else {
            slots[index].job?.report = report
            return
        }
        slots[index].job = nil
        defer { job.lease.release() }
        guard job.lease.renew() else {
            // Taken for dead, as after a suspended machine: another process has the item.
            folder.remove(job.folder)
            waiting.append(job.input)
            return
        }
        if report.kind == .done { finish(job, report) } else { fail(job, report.message) }
    }

    private func finish(_ job: Job, _ report: BatchMessage.Report) {
        let done = BatchFolder.Done(
            item: job.input.name, key: job.key, input: job.input.identity, depends: pipeline.fingerprint,
            frames: report.frames, dropped: report.dropped, results: report.results, files: [])
        let isOurs: Bool
        do {
            isOurs = try folder.finish(done, from: job.folder)
        } catch {
            summary.obstacle = error.description
            return
        }
        folder.clearFailure(job.input.name)
        let seconds = (ContinuousClock.now - job.began) / .seconds(1)
        bytesLeft -= job.input.bytes
        bytesMade += job.input.bytes
        failuresInARow = []
        guard isOurs else {
            summary.known += 1
            tell(job.input, .doneByOthers)
            return
        }
        summary.made += 1
        summary.frames += report.frames
        folder.note([
            "item": job.input.name, "event": "done", "frames": String(report.frames),
            "seconds": NumberText.decimal(seconds, places: 3), "notes": report.notes.joined(separator: "; "),
        ])
        tell(job.input, .done(frames: report.frames, seconds: seconds, notes: report.notes))
    }

    private func fail(_ job: Job, _ reported: String) {
        folder.remove(job.folder)
        let message = reported.replacingOccurrences(of: job.folder + "/", with: "")
        // No fault of the item.
        if let free = folder.freeBytes, free < 16 << 20 {
            waiting.append(job.input)
            summary.obstacle = "\(folder.path): no space left (\(free >> 20) MB): \(message)"
            return
        }
        failuresInARow.append((job.input.name, message.replacingOccurrences(of: job.input.location, with: "")))
        let failures = folder.addFailure(job.input.name, key: job.key, message: message)
        folder.note(["item": job.input.name, "event": "failed", "message": message])
        if failures.tries.count < options.tries {
            waiting.append(job.input)
            tell(job.input, .failed(message: message, attempt: failures.tries.count))
        } else {
            bytesLeft -= job.input.bytes
            summary.failed.append((job.input.name, message))
            tell(job.input, .setAside(message: message))
        }
        // What fails for every input alike is not theirs: an engine that is missing, a folder that cannot be read.
        let last = failuresInARow.suffix(Self.sameFailures)
        if summary.made == 0, summary.known == 0, Set(last.map(\.item)).count == Self.sameFailures,
            Set(last.map(\.message)).count == 1
        {
            summary.obstacle = "the first \(Self.sameFailures) inputs all failed alike: \(message)"
        }
    }

    /// So many different inputs.
    private static let sameFailures = 5

    private func renew() {
        for index in slots.indices {
            guard let job = slots[index].job, !job.lease.renew() else { continue }
            // Others have it.
            slots[index].worker?.end(byForce: true)
            slots[index] = Slot()
            folder.remove(job.folder)
            waiting.append(job.input)
        }
    }

    private func giveUp() {
        for index in slots.indices {
            slots[index].worker?.end(byForce: true)
            if let job = slots[index].job {
                folder.remove(job.folder)
                job.lease.release()
            }
            slots[index] = Slot()
        }
    }

    // MARK: - How far

    private var progress: Progress {
        var progress = Progress(items: summary.items, done: summary.made + summary.known + summary.kept)
        progress.failed = summary.failed.count
        var underWay = 0.0
        for job in slots.compactMap(\.job) {
            progress.running += 1
            let seconds = (ContinuousClock.now - job.began) / .seconds(1)
            progress.fps += seconds > 0 ? Double(job.report.frames) / seconds : 0
            if let expected = job.report.expected, expected > 0 {
                underWay += Double(job.input.bytes) * min(1, Double(job.report.frames) / Double(expected))
            }
        }
        let made = Double(bytesMade) + underWay
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        if made > 0, seconds > 2 { progress.secondsLeft = max(0, Double(bytesLeft) - underWay) / made * seconds }
        return progress
    }

    /// Whether a gigabyte of memory is free, which one more worker with its networks may take.
    private var hasMemory: Bool {
        guard let text = try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("MemAvailable:") }),
            let kilobytes = line.split(separator: " ").compactMap({ Int($0) }).first
        else { return false }
        return kilobytes > 1 << 20
    }
}
