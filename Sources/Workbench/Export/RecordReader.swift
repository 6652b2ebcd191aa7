// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Foundation

/// Reads what a `jsonl` sink has written, line by line: memory is that of one line, whatever the file's length.
///
/// A run that was appended begins frames, times and ids of tracks anew; here they go on from those of the run before it. A
/// header after which both frames and times go on is the same run in its next file.
struct RecordReader {
    /// What is wanted of a record.
    struct Choice {
        /// Whose results, of kinds that several nodes find; empty for the only one's.
        var nodes: [String] = []
        /// Which run, from 1; nil for all.
        var run: Int?
        /// Whether frames are numbered by time x rate rather than as the record does.
        var isByTime = false
        /// Whether the format keeps the results of several nodes apart.
        var takesAllNodes = false
    }

    /// How reading ended.
    struct End {
        /// Lines read.
        var lines = 0
        /// Runs seen, wanted or not.
        var runs = 0
        /// The line that is broken off, the last one.
        var broken: Int?
    }

    let path: String
    let choice: Choice

    /// - Throws: `ExportError` where no regular file is there: a record is read twice.
    init(_ path: String, _ choice: Choice) throws(ExportError) {
        guard access(FileName.bytes(path), F_OK) == 0 else {
            throw ExportError("\(path): \(String(cString: strerror(errno)))")
        }
        guard FileIdentity(file: path) != nil else {
            throw ExportError(
                "\(path): expected a file that jsonl has written; a record is read twice, so a pipe will not do")
        }
        self.path = path
        self.choice = choice
    }

    /// Calls `start` at each header and `body` with each frame of the runs that are wanted.
    ///
    /// - Parameter limit: lines to read; nil for all.
    /// - Throws: `ExportError` with file and line for what is not a record, `ExportFault` where the file cannot be read.
    func read(
        limit: Int? = nil, start: (RecordStart, _ line: Int) throws -> Void = { _, _ in },
        _ body: (RecordFrame) throws -> Void
    ) throws -> End {
        var file = try LineReader(path)
        var end = End()
        var numbering = RunNumbering(choice)
        while limit.map({ end.lines < $0 }) ?? true, var bytes = try file.next() {
            end.lines += 1
            while let last = bytes.last, last == 13 || last == 32 { bytes.removeLast() }
            if bytes.isEmpty { continue }
            guard let value = try? JSONSerialization.jsonObject(with: Data(bytes), options: [.fragmentsAllowed]) else {
                if try file.isAtEnd() {
                    end.broken = end.lines
                    break
                }
                throw ExportError(
                    "\(path):\(end.lines): is not JSON; expected one object on a line, as jsonl writes them")
            }
            let line = RecordLine(path: path, number: end.lines, choice: choice)
            guard let object = value as? [String: Any], object["frame"] != nil || object["vpipe"] != nil else {
                throw line.error(
                    "is not of a record: expected an object with \"frame\", as jsonl writes them, or \"vpipe\", which begins a run"
                )
            }
            guard object["frame"] != nil else {
                let header = try line.start(object)
                numbering.start(header)
                try start(header, end.lines)
                continue
            }
            var frame = try line.frame(object, bytes)
            let isWanted = try numbering.place(&frame, line)
            end.runs = numbering.run
            if isWanted { try body(frame) }
        }
        return end
    }
}

/// Reads a file's lines; only one of them is in memory.
private struct LineReader {
    /// Longer lines are of no record: a frame's mask of a million runs has some ten million bytes.
    private static let limit = 64 << 20

    private let path: String
    private let file: FileHandle
    private var lines = 0
    private var buffer: [UInt8] = []
    private var place = 0

    init(_ path: String) throws(ExportFault) {
        let descriptor = open(FileName.bytes(path), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw ExportFault("\(path): \(String(cString: strerror(errno)))") }
        self.path = path
        file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    /// The next line without its end; nil after the last.
    mutating func next() throws -> [UInt8]? {
        lines += 1
        var searched = place
        while true {
            if let end = Self.lineEnd(in: buffer, from: searched) {
                defer { place = end + 1 }
                return Array(buffer[place..<end])
            }
            guard buffer.count - place <= Self.limit else {
                throw ExportError("\(path):\(lines): is longer than 64 MB, which no line of a record is")
            }
            buffer.removeFirst(place)
            place = 0
            searched = buffer.count
            let part = try read()
            if part.isEmpty {
                defer { buffer.removeAll() }
                return buffer.isEmpty ? nil : buffer
            }
            buffer += part
        }
    }

    private static func lineEnd(in bytes: [UInt8], from start: Int) -> Int? {
        bytes.withUnsafeBytes { all in
            guard start < all.count, let base = all.baseAddress else { return nil }
            return memchr(base + start, 10, all.count - start).map { UnsafeRawPointer($0) - base }
        }
    }

    /// Whether nothing comes after the line that was read last.
    mutating func isAtEnd() throws -> Bool {
        if place == buffer.count {
            buffer = Array(try read())
            place = 0
        }
        return buffer.isEmpty
    }

    private func read() throws(ExportFault) -> Data {
        do {
            return try file.read(upToCount: 1 << 18) ?? Data()
        } catch {
            throw ExportFault("\(path): cannot be read: \(BatchFolder.reason(error))")
        }
    }
}

/// Numbers the frames of a record's runs.
private struct RunNumbering {
    private let choice: RecordReader.Choice
    private(set) var run = 0
    private var header: RecordStart?
    private var isHeaderNew = false
    private var last: (frame: Int, pts: Double)?
    private var lastNumber = -1
    private var lastTime = 0.0
    private var highestID = 0
    private var offset = (number: 0, time: 0.0, id: 0)

    init(_ choice: RecordReader.Choice) { self.choice = choice }

    mutating func start(_ header: RecordStart) {
        self.header = header
        isHeaderNew = true
    }

    /// Places a frame after those before it; false where its run is not wanted.
    mutating func place(_ frame: inout RecordFrame, _ line: RecordLine) throws(ExportError) -> Bool {
        let goesOn = last.map { frame.frame > $0.frame && (!isHeaderNew || frame.pts > $0.pts) } ?? false
        isHeaderNew = false
        if !goesOn {
            run += 1
            offset = (lastNumber + 1, lastNumber < 0 ? 0 : lastTime + 1 / (header?.rate ?? 25), highestID)
        }
        last = (frame.frame, frame.pts)
        guard choice.run.map({ $0 == run }) ?? true else { return false }
        frame.run = run
        frame.idOffset = offset.id
        frame.time = offset.time + frame.pts
        var number = frame.frame
        if choice.isByTime {
            guard let rate = header?.rate else {
                throw line.error("--by-time needs a frame rate, and no line before this one gives \"fps\"")
            }
            number = max(Int((frame.pts * rate).rounded()), lastNumber + 1 - offset.number)
        }
        frame.number = offset.number + number
        guard frame.number < 1_000_000_000_000_000, frame.time.magnitude < 1e12 else {
            throw line.error(
                "the runs of the record have too many frames, or last too long, together: take one with --run")
        }
        for index in frame.found.indices {
            guard let id = frame.found[index].id else { continue }
            frame.found[index].id = id + offset.id
            highestID = max(highestID, id + offset.id)
        }
        lastNumber = frame.number
        lastTime = frame.time
        return true
    }
}

/// Reads the values of one line.
private struct RecordLine {
    let path: String
    let number: Int
    let choice: RecordReader.Choice
    /// Keys that are no kind of result.
    private static let own: Set<String> = [
        "source", "frame", "pts", "file", "time", "signal", "carried", "item", "vpipe",
    ]
    /// Coordinates beyond it are of no picture.
    private static let limit = 1e6

    init(path: String, number: Int, choice: RecordReader.Choice) {
        self.path = path
        self.number = number
        self.choice = choice
    }

    func error(_ text: String) -> ExportError { ExportError("\(path):\(number): \(text)") }

    func start(_ object: [String: Any]) throws(ExportError) -> RecordStart {
        guard let version = object["vpipe"] as? Int, version == 1 else {
            throw error("vpipe: expected 1, the version of the format that this program reads")
        }
        var start = RecordStart()
        if let size = object["size"] {
            guard let pair = size as? [Int], pair.count == 2, pair.allSatisfy({ (1...100_000).contains($0) }) else {
                throw error("size: expected two whole numbers, the picture's width and height")
            }
            start.size = (pair[0], pair[1])
        }
        if let value = object["fps"] {
            guard let rate = value as? Double, (0.001...100_000).contains(rate) else {
                throw error("fps: expected frames a second, 0.001...100000")
            }
            start.rate = rate
        }
        start.source = object["source"] as? String
        start.input = ["url", "path", "device"].lazy.compactMap { object[$0] as? String }.first
        start.nodes = (object["nodes"] as? [String: Any]).map { $0.keys.sorted() } ?? []
        return start
    }

    func frame(_ object: [String: Any], _ text: [UInt8]) throws(ExportError) -> RecordFrame {
        guard let count = object["frame"] as? Int, (0...1_000_000_000_000).contains(count) else {
            throw error("frame: expected a whole number from 0")
        }
        guard let pts = object["pts"] as? Double, pts.magnitude < 1e9 else { throw error("pts: expected seconds") }
        var frame = RecordFrame(
            line: number, run: 1, source: object["source"] as? String ?? "", frame: count, number: count, pts: pts,
            time: pts, idOffset: 0, file: object["file"] as? String, text: text)
        for kind in object.keys.sorted() where !Self.own.contains(kind) {
            guard let value = object[kind] else { continue }
            if let list = value as? [Any] {
                try add(list, kind, of: nil, to: &frame)
            } else if let nodes = value as? [String: Any] {
                try add(nodes, kind, to: &frame)
            }
        }
        pair(&frame)
        return frame
    }

    /// Results that are kept by node, or a single result.
    private func add(_ nodes: [String: Any], _ kind: String, to frame: inout RecordFrame) throws(ExportError) {
        let lists = nodes.compactMapValues { $0 as? [Any] }
        guard lists.count == nodes.count else {
            frame.others[kind, default: 0] += 1
            return
        }
        if choice.nodes.isEmpty, !choice.takesAllNodes, lists.count > 1 {
            let names = lists.keys.sorted().joined(separator: ", ")
            throw error("\(kind) were found by several nodes (\(names)): say with --node which one's are meant")
        }
        for (node, list) in lists.sorted(by: { $0.key < $1.key }) {
            if choice.nodes.isEmpty || choice.nodes.contains(node) {
                try add(list, kind, of: node, to: &frame)
            } else {
                frame.unchosen += list.count
            }
        }
    }

    private func add(_ list: [Any], _ kind: String, of node: String?, to frame: inout RecordFrame) throws(ExportError) {
        for (index, item) in list.enumerated() {
            guard let item = item as? [String: Any] else {
                frame.others[kind, default: 0] += 1
                continue
            }
            let place = "\(kind)[\(index)]"
            if let box = item["box"], kind != "events" {
                frame.found.append(try found(item, box, kind, node, place))
            } else if let from = item["from"], let to = item["to"] {
                frame.segments.append(
                    RecordFrame.Segment(
                        kind: kind, node: node, from: try point(from, place + ".from"),
                        to: try point(to, place + ".to"),
                        score: try score(item, place), age: item["age"] as? Double))
            } else {
                frame.others[kind, default: 0] += 1
            }
        }
    }

    private func found(_ item: [String: Any], _ box: Any, _ kind: String, _ node: String?, _ place: String)
        throws(ExportError) -> RecordFrame.Found
    {
        let sides = try numbers(box, 4, place + ".box", "x, y, width and height")
        guard sides[2] >= 0, sides[3] >= 0 else { throw error("\(place).box: has a negative width or height") }
        var found = RecordFrame.Found(
            kind: kind, node: node,
            label: printable(item["class"] as? String ?? (kind.hasSuffix("s") ? String(kind.dropLast()) : kind)),
            x: sides[0], y: sides[1], width: sides[2], height: sides[3], score: try score(item, place),
            age: item["age"] as? Double)
        if kind == "tracks" {
            guard let id = item["id"] as? Int, (0...1_000_000_000).contains(id) else {
                throw error("\(place).id: expected a whole number, the track's")
            }
            found.id = id
            found.isSeen = item["state"] as? String != "lost"
        }
        if let landmarks = item["landmarks"] {
            guard let points = landmarks as? [Any] else { throw error("\(place).landmarks: expected points [x, y]") }
            for value in points { found.landmarks.append(try point(value, place + ".landmarks")) }
        }
        return found
    }

    private func score(_ item: [String: Any], _ place: String) throws(ExportError) -> Double? {
        guard let value = item["score"], !(value is NSNull) else { return nil }
        guard let score = value as? Double, score.magnitude < Self.limit else {
            throw error("\(place).score: expected a number")
        }
        return score
    }

    private func point(_ value: Any, _ place: String) throws(ExportError) -> (x: Double, y: Double) {
        let pair = try numbers(value, 2, place, "x and y")
        return (pair[0], pair[1])
    }

    private func numbers(_ value: Any, _ count: Int, _ place: String, _ names: String) throws(ExportError) -> [Double] {
        guard let numbers = value as? [Double], numbers.count == count,
            numbers.allSatisfy({ $0.magnitude < Self.limit })
        else { throw error("\(place): expected \(count) numbers of pixels: \(names)") }
        return numbers
    }

    /// Gives a track the landmarks of the box it follows, which then is not told twice: they have one class and one score,
    /// and overlap.
    private func pair(_ frame: inout RecordFrame) {
        for index in frame.found.indices where frame.found[index].id != nil && frame.found[index].isSeen {
            let track = frame.found[index]
            var best: (index: Int, overlap: Double)?
            for (other, box) in frame.found.enumerated()
            where box.id == nil && box.width >= 0 && box.label == track.label && box.score == track.score {
                let overlap = track.overlap(with: box)
                if overlap > best?.overlap ?? 0.3 { best = (other, overlap) }
            }
            guard let best else { continue }
            frame.found[index].landmarks = frame.found[best.index].landmarks
            // Taken; no box has a negative width.
            frame.found[best.index].width = -1
            frame.paired += 1
        }
        frame.found.removeAll { $0.width < 0 }
    }
}
