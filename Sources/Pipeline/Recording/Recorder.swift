// SPDX-License-Identifier: Apache-2.0
package import Basics
@preconcurrency internal import Dispatch
package import Media
internal import Synchronization

/// Records pictures in one file, or in one after the other, and deletes old ones.
///
///     pictures --> SegmentClock: same file? --yes--> VideoWriter
///                         |no
///                         +--> the old one is finished on a queue of its own, the new one takes this picture
///
/// Every file begins with a keyframe and plays alone; its times count from its first picture, and the index says where that
/// lies. Confined to one queue; finishing has its own.
package final class Recorder {
    /// What is recorded where.
    package struct Settings: Sendable {
        /// How pictures are encoded; `ifExists` also says what happens to files that are there.
        package var writer = WriterSettings()
        /// The names of the files.
        package var name: FileNamePattern
        /// When a new file begins.
        package var segments = SegmentRules()
        /// What is kept.
        package var retention = RetentionRules()
        /// Where the files are listed; nil for nowhere.
        package var index: String?
        /// The time of the first file's zero on the pictures' clock; the start of the source when absent.
        package var start: MediaTime?
        /// Whether files say when they were made (`creation_time`).
        package var isDated = true
        /// Whether files begin only with ``begin(_:copying:)``.
        package var isOnDemand = false
        /// Bytes free on a disk; for tests.
        package var freeBytes: @Sendable (String) -> Int64? = { Retention.freeBytes($0) }
        /// The system calls; for tests.
        package var calls = OutputCalls()

        package init(name: FileNamePattern) { self.name = name }
    }

    /// What became of a picture.
    package enum Outcome {
        case taken
        /// There was no room for it, and retention has not made any yet.
        case lost(String)
    }

    /// What was recorded.
    package struct Statistics: Sendable {
        /// Files finished.
        package var files = 0
        /// The first and the last of them.
        package var first = ""
        package var last = ""
        /// Seconds that they show.
        package var seconds = 0.0
        /// Frames in them.
        package var frames = 0
        /// Bytes of video in them.
        package var bytes = 0
        /// Frames that were taken and are not on disk: they were in a part that could not be written.
        package var lost = 0
        package var rescaled = 0
        /// Places where copied packets were left out, up to a keyframe.
        package var gaps = 0
        package var encoder = ""
        package var warnings: [String] = []
    }

    /// What the finishing queue has to tell.
    private struct Finished: Sendable {
        var began: String
        var path: String
        var end: WallTime
        var seconds: Double
        var taken: Int
        var events: [String] = []
        var result: Result<WriterStatistics, MediaError>
        var statistics: WriterStatistics
    }

    /// Where the finishing queue leaves it.
    private final class Inbox: Sendable {
        let finished = Mutex<[Finished]>([])
    }

    /// A writer on its way to the queue that finishes it; `@unchecked Sendable`: its owner has let go of it.
    private struct Handover: @unchecked Sendable { let writer: VideoWriter }

    /// The file being written.
    private struct Current {
        let writer: VideoWriter
        /// The name it had when it began.
        let path: String
        /// Where its zero lies on the stream's clock, in seconds.
        let from: Double
        var start: (pts: MediaTime, taken: WallTime)?
        /// Pictures accepted.
        var accepted = 0
        var end = 0.0
        var endTaken = WallTime(nanoseconds: 0)
        /// Ids of the events that it shows.
        var events: [String] = []
    }

    private let settings: Settings
    private let tap: AudioTap?
    private var copied: VideoTap?
    /// A boundary has been passed, but packets that are copied can begin a file only at a keyframe.
    private var isCutDue = false
    private var current: Current?
    private var clock: SegmentClock
    private let retention: Retention
    private let index: RecordingIndex?
    private let finishing = DispatchQueue(label: "vpipe.recorder")
    private let inbox = Inbox()
    private var pending = 0
    private var written: Set<String> = []
    private var nextNumber = 1
    private var lookedAt: Int64 = 0
    private var retryAt: Int64 = 0
    private var total = Statistics()
    private var failure: MediaError?
    private var losses = 0

    /// Checks everything that can be checked before the first picture; a name without a date is opened at once.
    ///
    /// - Throws: as `VideoWriter`.
    package init(
        _ settings: Settings, audio tap: AudioTap?, copying copied: VideoTap? = nil
    ) throws(MediaError) {
        self.settings = settings
        self.tap = tap
        self.copied = copied
        clock = SegmentClock(settings.segments)
        let retention = Retention(settings.name, settings.retention, free: settings.freeBytes)
        self.retention = retention
        do throws(MediaError) {
            let path = settings.name.path(at: .now)
            try VideoWriter.check(settings.writer, path: path, copying: copied)
            if settings.name.isDated || settings.isOnDemand {
                // Folders that are named by what comes later are made then.
                let place = settings.isOnDemand ? settings.name.fixedPrefix + "x" : path
                try OutputFolder.make(for: place)
                try OutputFolder.checkWritable(for: place)
            }
        } catch {
            tap?.close()
            copied?.close()
            throw error
        }
        index = settings.index.map { RecordingIndex($0, found: retention.list()) }
        if !settings.name.isDated {
            if !settings.segments.isEmpty || settings.isOnDemand, settings.writer.ifExists.isBeside {
                // After the highest number there was, not in a gap that retention made.
                nextNumber = (retention.list().map { FileNamePattern.number(of: $0.path) }.max() ?? 0) + 1
            }
            do throws(MediaError) {
                if !settings.isOnDemand { try open(at: nil, taken: .now) }
            } catch {
                closeTaps()
                throw error
            }
        }
        index?.remove(retention.sweep())
    }

    deinit {
        finishing.sync {}
        closeTaps()
    }

    private func closeTaps() {
        tap?.close()
        copied?.close()
    }

    /// The container's name.
    package var container: String {
        settings.writer.container?.rawValue ?? (try? Container(path: settings.name.text))?.rawValue ?? ""
    }

    /// The file being written, or the last one.
    package var path: String { current?.writer.path ?? (total.last.isEmpty ? settings.name.text : total.last) }

    /// Records one picture; `taken` is its instant of capture.
    ///
    /// - Throws: as `VideoWriter`, unless retention may make room: then pictures are lost until it has.
    package func write(
        _ picture: Picture, sequence: UInt64 = 0, pts: MediaTime, duration: MediaTime, taken: WallTime
    ) throws(MediaError) -> Outcome {
        if let failure { throw failure }
        collect()
        if let failure { throw failure }
        let now = look()
        do throws(MediaError) {
            if let current, current.start != nil {
                let bytes = Int64(current.writer.expectedBytes)
                if clock.begins(at: pts.seconds, taken: taken, bytes: bytes) { isCutDue = true }
                if isCutDue, canCut(at: pts) { try cut(at: pts.seconds) }
            }
            if current == nil {
                if now < retryAt, now > retryAt &- 2_000_000_000 { return .lost("the disk is full") }
                try open(at: pts, taken: taken)
            }
            if current?.start == nil {
                _ = clock.begins(at: pts.seconds, taken: taken, bytes: 0)
                current?.start = (pts, taken)
                if settings.isDated { current?.writer.createdAt = taken }
                if let current { index?.begin(current.path, start: taken, from: current.from) }
            }
            if copied == nil {
                try current?.writer.write(picture, pts: pts, duration: duration)
            } else {
                try current?.writer.copy(picture, sequence: sequence, pts: pts, duration: duration)
            }
            current?.end = pts.seconds + max(0, duration.seconds)
            current?.endTaken = taken
            current?.accepted += 1
            return .taken
        } catch {
            guard error.code == .diskFull, !settings.retention.isEmpty else {
                failure = error
                abandonCurrent()
                throw error
            }
            abandonCurrent()
            retryAt = now &+ 1_000_000_000
            index?.remove(retention.sweep())
            return .lost("the disk is full")
        }
    }

    // MARK: Files on demand

    /// A file that begins with packets that were there before anybody wanted them.
    package struct Clip: Sendable {
        /// The time of its first picture on the source's clock, and on the calendar.
        package var begin: MediaTime
        package var taken: WallTime
        /// The instant that names it, and what else does.
        package var named: WallTime
        package var fields: [String: String]
    }

    /// Begins a file of the packets that `packets` will hold.
    ///
    /// - Throws: as `VideoWriter`; the next clip may be possible all the same.
    package func begin(_ clip: Clip, copying packets: VideoTap) throws(MediaError) {
        collect()
        copied = packets
        try open(at: clip.begin, taken: clip.named, fields: clip.fields)
        current?.start = (clip.begin, clip.taken)
        if settings.isDated { current?.writer.createdAt = clip.taken }
        if let current { index?.begin(current.path, start: clip.taken, from: current.from) }
    }

    /// Stores what waits; the file then shows what is before `end` seconds of the source's clock, or `taken` on the calendar.
    ///
    /// - Throws: as `VideoWriter`; what was written before stays, and is over.
    package func store(until end: Double, taken: WallTime) throws(MediaError) {
        guard let writer = current?.writer else { return }
        do throws(MediaError) {
            try writer.copyWaiting()
        } catch {
            abandonCurrent()
            throw error
        }
        current?.end = end
        current?.endTaken = taken
        current?.accepted = writer.statistics.packets
    }

    /// Ends the file being written, which shows `events`, at `seconds` of the source's clock.
    ///
    /// - Throws: as ``store(until:taken:)``.
    package func close(at seconds: Double, events: [String]) throws(MediaError) {
        current?.events = events
        do throws(MediaError) {
            try cut(at: seconds)
        } catch {
            abandonCurrent()
            throw error
        }
    }

    /// Finishes the last file, and waits for those before it.
    ///
    /// - Throws: what kept frames from being written; `noPicture` when none came.
    package func finish() throws(MediaError) {
        if let failure { throw failure }
        let hadPicture = current?.start != nil || pending > 0 || total.files > 0
        if let current, current.start != nil { handOver(current) }
        current = nil
        finishing.sync {}
        collect()
        closeTaps()
        if let failure { throw failure }
        if !hadPicture {
            throw MediaError(
                .noPicture, operation: "finish", detail: "\(path): no picture to write, so no file is made")
        }
    }

    /// Frames that were taken and turned out not to be on disk, since this was last asked.
    package func takeLosses() -> Int {
        defer { losses = 0 }
        return losses
    }

    /// What was recorded so far.
    package var statistics: Statistics {
        var result = total
        if let current {
            let seen = current.writer.statistics
            result.files += 1
            result.last = current.writer.path
            if result.first.isEmpty { result.first = current.writer.path }
            add(seen, to: &result)
        }
        if let failure = index?.failure { result.warnings.append("index: \(failure)") }
        if let failure = retention.statistics.failure { result.warnings.append("could not delete \(failure)") }
        return result
    }

    /// What retention deleted.
    package var deleted: Retention.Statistics { retention.statistics }

    // MARK: Files

    private func open(
        at pts: MediaTime?, taken: WallTime, fields: [String: String] = [:]
    ) throws(MediaError) {
        var writing = settings.writer
        let isFirst = total.files == 0 && pending == 0 && current == nil
        // A recording that has begun does not end for a name.
        if !isFirst, writing.ifExists == .fail { writing.ifExists = .number }
        if settings.name.isDated, writing.ifExists == .append { writing.ifExists = .number }
        var number = settings.name.isDated ? 1 : nextNumber
        while writing.ifExists == .replace,
            written.contains(settings.name.path(at: taken, number: number, fields: fields))
        {
            number += 1
        }
        let path = settings.name.path(at: taken, number: number, fields: fields)
        let start = isFirst && !settings.isOnDemand ? settings.start : pts
        let writer = try VideoWriter(
            path, settings: writing, audio: tap, copying: copied, calls: settings.calls, start: start, sharesTap: true)
        if !settings.name.isDated { nextNumber = max(number, FileNamePattern.number(of: writer.path)) + 1 }
        if writing.ifExists == .replace { written.insert(path) }
        current = Current(writer: writer, path: writer.path, from: start?.seconds ?? 0)
    }

    /// Whether a file can begin with the picture at `pts`.
    private func canCut(at pts: MediaTime) -> Bool {
        guard let copied else { return true }
        return copied.begins(at: pts)
    }

    private func cut(at seconds: Double) throws(MediaError) {
        guard let old = current else { return }
        isCutDue = false
        try old.writer.seal(before: seconds)
        handOver(old)
        current = nil
    }

    private func handOver(_ old: Current) {
        let handover = Handover(writer: old.writer)
        let (began, end, taken, events) = (old.path, old.endTaken, old.accepted, old.events)
        let seconds = old.end - (old.start?.pts.seconds ?? 0)
        pending += 1
        finishing.async { [inbox] in
            let result = Result { () throws(MediaError) in try handover.writer.finish() }
            let done = Finished(
                began: began, path: handover.writer.path, end: end, seconds: seconds, taken: taken, events: events,
                result: result, statistics: handover.writer.statistics)
            inbox.finished.withLock { $0.append(done) }
        }
        // Two files' worth of encoders is enough memory.
        if pending > 2 {
            finishing.sync {}
            collect()
        }
    }

    private func abandonCurrent() {
        guard let old = current else { return }
        current = nil
        settle(
            Finished(
                began: old.path, path: old.writer.path, end: old.endTaken, seconds: 0, taken: old.accepted,
                events: old.events,
                result: .failure(MediaError(.diskFull, operation: "write", detail: "")),
                statistics: old.writer.statistics))
    }

    private func collect() {
        guard pending > 0 else { return }
        let done = inbox.finished.withLock { list in
            defer { list.removeAll() }
            return list
        }
        for file in done {
            pending -= 1
            if case .failure(let error) = file.result, error.code != .diskFull || settings.retention.isEmpty {
                failure = failure ?? error
            }
            settle(file)
        }
    }

    /// Puts a file that is over into the books.
    private func settle(_ file: Finished) {
        let seen = file.statistics
        let isWhole = if case .success = file.result { true } else { false }
        let frames = isWhole ? seen.packets : seen.wholePackets
        let lost = isWhole ? 0 : max(0, file.taken - frames)
        losses += lost
        total.lost += lost
        add(seen, to: &total)
        if frames > 0 {
            total.files += 1
            total.last = file.path
            if total.first.isEmpty { total.first = file.path }
            total.seconds += file.seconds
        }
        index?.end(file.path, began: file.began) { entry in
            entry.frames = frames
            entry.isComplete = isWhole
            entry.end = WallTime(nanoseconds: file.end.nanoseconds)
            entry.seconds = isWhole ? file.seconds : nil
            entry.bytes = Retention.size(of: file.path) ?? 0
            entry.events = file.events
        }
        retention.add(file.path)
        index?.remove(retention.sweep())
    }

    private func add(_ seen: WriterStatistics, to total: inout Statistics) {
        total.frames += seen.packets
        total.bytes += seen.videoBytes
        total.rescaled += seen.rescaled
        total.gaps += seen.gaps
        total.encoder = seen.encoder
        for warning in seen.warnings where !total.warnings.contains(warning) && total.warnings.count < 20 {
            total.warnings.append(warning)
        }
    }

    /// Looks, once a second, whether something has to go; the time on the clock.
    @discardableResult
    package func look() -> Int64 {
        let now = Int64(WallTime.now.nanoseconds)
        // A clock that is set back looks again at once rather than in a year.
        guard now &- lookedAt >= 1_000_000_000 || now < lookedAt else { return now }
        lookedAt = now
        collect()
        guard !settings.retention.isEmpty else { return now }
        index?.remove(retention.sweep(written: Int64(current?.writer.statistics.videoBytes ?? 0)))
        return now
    }
}

extension IfExists {
    /// Whether a file that is there is left alone.
    var isBeside: Bool { self == .number || self == .append }
}
