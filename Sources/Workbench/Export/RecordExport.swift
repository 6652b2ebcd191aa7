// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Foundation

/// Converts a record of the `jsonl` sink to another format.
///
/// The record is read twice, a line at a time: once to know what is in it, once to write. What a format has to have at once
/// is kept, and no more: the boxes of tracks for CVAT and Label Studio. Files are made aside and renamed when they are whole.
public struct RecordExport {
    /// What is exported, and how.
    public struct Options {
        /// Whose results, of kinds that several nodes find.
        public var nodes: [String] = []
        /// Which run of the file, from 1; nil for all.
        public var run: Int?
        /// Number frames by their times and the frame rate.
        public var isByTime = false
        /// What the format calls the input; nil for the name in the record.
        public var media: String?
        /// Whether what exists is replaced.
        public var overwrites = false
        /// Asked at every frame; true ends the export with `ExportStopped`.
        public var isStopped: @Sendable () -> Bool = { false }

        /// The defaults.
        public init() {}
    }

    /// What was done.
    public struct Outcome {
        /// Frames read.
        public internal(set) var frames = 0
        /// Boxes and lines written.
        public internal(set) var results = 0
        /// What was left out, and what else is worth knowing, each in a sentence.
        public internal(set) var notes: [String] = []
    }

    private let format: ExportFormat
    private let options: Options
    private let reader: RecordReader

    /// - Throws: `ExportError` where `record` is no file.
    public init(_ record: String, to format: ExportFormat, options: Options) throws(ExportError) {
        self.format = format
        self.options = options
        if format == .webvtt, !options.nodes.isEmpty {
            throw ExportError("--node: webvtt carries whole lines, the results of all nodes; leave it out")
        }
        reader = try RecordReader(
            record,
            RecordReader.Choice(
                nodes: options.nodes, run: options.run, isByTime: options.isByTime,
                takesAllNodes: format.holds.contains(.nodes)))
    }

    /// Writes `path`, a file or a folder as the format has it; whole or not at all.
    ///
    /// - Throws: `ExportError` for what the user should change, `ExportFault` for what the world did.
    public func write(to path: String) throws -> Outcome {
        let target = try checked(path)
        let (summary, survey) = try survey()
        let folder = FilePath.split(target).folder
        guard let scratch = TemporaryFolder("export", in: folder) else {
            throw ExportFault("\(folder): \(String(cString: strerror(errno)))")
        }
        defer { withExtendedLifetime(scratch) {} }
        let aside = scratch.path + "/whole"
        if format.isFolder, mkdir(FileName.bytes(aside), 0o777) != 0 {
            throw ExportFault("\(aside): \(String(cString: strerror(errno)))")
        }
        var outcome = Outcome()
        var writer = try writer(summary, at: aside)
        _ = try reader.read(limit: survey.end.lines) { frame in
            if options.isStopped() { throw ExportStopped() }
            let wanted = fitting(frame)
            outcome.frames += 1
            outcome.results += wanted.found.count + wanted.segments.count
            try writer.add(wanted)
        }
        try writer.finish()
        try put(aside, at: target)
        outcome.notes = survey.notes(format, summary, reader.path, options)
        return outcome
    }

    private func writer(_ summary: RecordSummary, at path: String) throws(ExportFault) -> any ExportWriter {
        switch format {
        case .coco: try COCOExport(summary, at: path)
        case .mot: try MOTExport(summary, at: path)
        case .cvat: try CVATExport(summary, at: path)
        case .yolo: try YOLOExport(summary, at: path)
        case .labelstudio: try LabelStudioExport(summary, at: path)
        case .webvtt: try WebVTTExport(summary, at: path)
        case .csv: try CSVExport(summary, at: path)
        }
    }

    /// The frame without what the format has no place for.
    private func fitting(_ frame: RecordFrame) -> RecordFrame {
        var frame = frame
        if !format.holds.contains(.segments) { frame.segments = [] }
        if !format.holds.contains(.lost) { frame.found.removeAll { !$0.isSeen } }
        return frame
    }

    // MARK: - What is in the record

    private func survey() throws -> (RecordSummary, RecordSurvey) {
        var summary = RecordSummary(path: reader.path)
        summary.media = options.media
        var survey = RecordSurvey()
        var labels: Set<String> = []
        var header: RecordStart?
        survey.end = try reader.read { start, _ in
            header = start
            survey.nodes.formUnion(start.nodes)
        } _: { frame in
            if options.isStopped() { throw ExportStopped() }
            if summary.frames == 0 { summary.start = header ?? RecordStart() }
            summary.frames += 1
            summary.lastNumber = frame.number
            if frame.file != nil { summary.hasPhotographs = true }
            if let size = header?.size, let first = summary.start.size, size != first, frame.file == nil,
                format == .yolo || format == .labelstudio || format == .coco
            {
                throw ExportError(
                    "\(reader.path):\(frame.line): this run's pictures are \(size.width)x\(size.height), those before "
                        + "\(first.width)x\(first.height): take one run with --run")
            }
            for found in fitting(frame).found {
                labels.insert(found.label)
                summary.highestID = max(summary.highestID, found.id ?? 0)
            }
            survey.add(frame, rate: header?.rate, isByTime: options.isByTime)
        }
        summary.labels = labels.sorted()
        for node in options.nodes where !survey.nodes.contains(node) {
            throw ExportError(
                "--node \(node): the record has no such node; it has \(survey.nodes.sorted().joined(separator: ", "))")
        }
        guard summary.frames > 0 else {
            if let run = options.run, survey.end.runs > 0 {
                throw ExportError(
                    "--run \(run): \(reader.path) has \(survey.end.runs) run\(survey.end.runs == 1 ? "" : "s")")
            }
            throw ExportError("\(reader.path): holds no frame")
        }
        return (summary, survey)
    }

    // MARK: - Where it goes

    /// Refuses what must not be written; the path without slashes at its end.
    private func checked(_ path: String) throws(ExportError) -> String {
        let target =
            path.count > 1 && path.hasSuffix("/") ? String(path.reversed().drop { $0 == "/" }.reversed()) : path
        guard !target.isEmpty, target != "-", target != "/", ![".", ".."].contains(FilePath.split(target).name) else {
            throw ExportError("-o \(path): expected the name of a \(format.isFolder ? "folder" : "file") to make")
        }
        var status = stat()
        let folder = FilePath.split(target).folder
        guard stat(FileName.bytes(folder), &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw ExportError("-o \(path): there is no folder \(folder)")
        }
        guard lstat(FileName.bytes(target), &status) == 0 else { return target }
        guard options.overwrites else { throw ExportError("\(target) exists; --overwrite replaces it") }
        if let there = FileIdentity(path: target), there == FileIdentity(path: reader.path) {
            throw ExportError("\(target) is the record itself: name another file")
        }
        let isFolder = status.st_mode & S_IFMT == S_IFDIR
        guard isFolder == format.isFolder else {
            throw ExportError(
                "\(target) is a \(isFolder ? "folder" : "file"), and \(format) makes a \(format.isFolder ? "folder" : "file"): "
                    + "name another one")
        }
        // A folder is replaced whole, so only one that holds nothing else is.
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: target)) ?? []
        if isFolder, let other = entries.sorted().first(where: { !format.entries.contains($0) }) {
            throw ExportError(
                "\(target) holds \"\(printable(other))\", which is not of a \(format) export: name another folder")
        }
        return target
    }

    /// Renames what is whole; a folder that was there goes with the scratch folder.
    private func put(_ aside: String, at target: String) throws(ExportFault) {
        let old = aside + ".old"
        if format.isFolder, options.overwrites { _ = rename(FileName.bytes(target), FileName.bytes(old)) }
        guard rename(FileName.bytes(aside), FileName.bytes(target)) == 0 else {
            let reason = String(cString: strerror(errno))
            if format.isFolder { _ = rename(FileName.bytes(old), FileName.bytes(target)) }
            throw ExportFault("\(target): \(reason)")
        }
    }
}

/// Counts what a record holds that not every format can.
private struct RecordSurvey {
    var end = RecordReader.End()
    var nodes: Set<String> = []
    private var counts: [ExportPart: Int] = [:]
    private var kinds: [String: Int] = [:]
    private var unchosen = 0
    private var untracked = 0
    private var elsewhere = 0
    private var carried = 0
    private var paired = 0
    private var runs: Set<Int> = []

    init() {}

    mutating func add(_ frame: RecordFrame, rate: Double?, isByTime: Bool) {
        runs.insert(frame.run)
        unchosen += frame.unchosen
        paired += frame.paired
        counts[.segments, default: 0] += frame.segments.count
        for (kind, count) in frame.others { kinds[kind, default: 0] += count }
        for found in frame.found {
            if let node = found.node { nodes.insert(node) }
            if found.score != nil { counts[.scores, default: 0] += 1 }
            if !found.landmarks.isEmpty { counts[.landmarks, default: 0] += 1 }
            if found.age != nil { carried += 1 }
            if !found.isSeen { counts[.lost, default: 0] += 1 }
            if found.id != nil { counts[.ids, default: 0] += 1 } else { untracked += 1 }
        }
        for segment in frame.segments {
            if let node = segment.node { nodes.insert(node) }
        }
        if let rate, frame.file == nil, !isByTime, (frame.pts * rate).rounded() != Double(frame.frame) {
            elsewhere += 1
        }
    }

    /// What was left out and what else is to be known, a sentence each.
    func notes(_ format: ExportFormat, _ summary: RecordSummary, _ path: String, _ options: RecordExport.Options)
        -> [String]
    {
        var notes: [String] = []
        if let line = end.broken { notes.append("\(path):\(line): the last line is broken off and was left out") }
        if runs.count > 1 {
            notes.append(
                format == .csv
                    ? "\(runs.count) runs: the column \"run\" tells them apart"
                    : "\(runs.count) runs: frames, times and ids of the later ones go on from those before; --run takes one"
            )
        }
        func left(_ part: ExportPart, _ text: (Int) -> String) {
            guard let count = counts[part], count > 0, !format.holds.contains(part) else { return }
            notes.append("left out, as \(format) has no place for them: \(text(count))")
        }
        left(.segments) { Self.count($0, "line") }
        left(.landmarks) { "the landmarks of " + Self.count($0, "face") }
        left(.scores) { "the scores of " + Self.count($0, "box", "boxes") }
        left(.ids) { "the ids of " + Self.count($0, "box of a track", "boxes of tracks") }
        left(.lost) { Self.count($0, "box", "boxes") + " of tracks that are out of sight" }
        if format == .labelstudio, !summary.hasPhotographs, counts[.ids, default: 0] > 0 {
            notes.append("a track has one score, the mean of its boxes")
        }
        if format == .coco, counts[.landmarks, default: 0] > 0, !summary.labels.contains("face") {
            notes.append(
                "left out: the landmarks of \(Self.count(counts[.landmarks, default: 0], "box", "boxes")) that are no faces"
            )
        }
        if !format.holds.contains(.others) {
            for (kind, count) in kinds.sorted(by: { $0.key < $1.key }) {
                notes.append(
                    "left out, as \(format) has no place for them: \(Self.count(count, "result")) of \"\(printable(kind))\""
                )
            }
        }
        if paired > 0, format != .webvtt {
            notes.append("written once, as the track that follows it: \(Self.count(paired, "box", "boxes"))")
        }
        if carried > 0, format != .csv, format != .webvtt {
            notes.append(
                "carried from an earlier frame, which \(format) does not tell from found: \(Self.count(carried, "box", "boxes"))"
            )
        }
        if unchosen > 0 {
            notes.append("left out, as --node does not name their nodes: \(Self.count(unchosen, "result"))")
        }
        if untracked > 0, format == .mot || format == .cvat || format == .labelstudio && !summary.hasPhotographs {
            notes.append(
                "followed by no track, and given an id of its own each: \(Self.count(untracked, "box", "boxes"))")
        }
        if elsewhere > 0, [.coco, .mot, .cvat, .yolo, .labelstudio].contains(format) {
            notes.append(
                "not where time x frame rate says (a part of a recording, or a changing rate): \(Self.count(elsewhere, "frame")); "
                    + "--by-time numbers frames by time")
        }
        return notes
    }

    private static func count(_ count: Int, _ one: String, _ many: String? = nil) -> String {
        "\(count) " + (count == 1 ? one : many ?? one + "s")
    }
}
