// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Basics
internal import Foundation
internal import Media

/// A text file that lists the files of a recording: one JSON object a line, oldest first.
///
/// The file being written is its last line, with `"complete": false`, replaced when that is finished; a line goes when its
/// file is deleted. What a kill left behind is put right when the index is opened. Failures never hold up a recording:
/// they are kept in `failure`. Confined to one queue.
final class RecordingIndex {
    /// What is known of one file.
    struct Entry: Equatable {
        /// The file's path, relative to the folder of the index where it lies in it.
        var file: String
        /// When its first picture was taken.
        var start: WallTime
        /// When its last picture ended; for a file that a kill cut short, when it was last written.
        var end: WallTime?
        /// Where its zero lies on the stream's clock, in seconds.
        var from = 0.0
        /// Frames in it; nil where a kill cut it short.
        var frames: Int?
        /// Seconds from its first picture to the end of its last.
        var seconds: Double?
        /// Its size.
        var bytes: Int64 = 0
        var isComplete = false
        /// Ids of the events that it shows.
        var events: [String] = []
    }

    let path: String
    private(set) var entries: [Entry] = []
    private(set) var failure: String?
    private let folder: String

    /// Reads the index that is there, and brings it up to what exists.
    ///
    /// - Parameter found: the files of the recording that exist, oldest first.
    init(_ path: String, found: [Retention.StoredFile]) {
        self.path = path
        folder = FilePath.split(FilePath.canonical(path)).folder
        let known = Self.read(path)
        var byName: [String: Entry] = [:]
        for entry in known { byName[entry.file] = entry }
        entries = found.filter { $0.bytes > 0 }.map { file in
            let name = name(of: file.path)
            if let entry = byName[name], entry.isComplete { return entry }
            var entry = byName[name] ?? Entry(file: name, start: file.time)
            entry.bytes = file.bytes
            entry.end = file.time
            return entry
        }.sorted { $0.start < $1.start }
        if entries != known { rewrite() }
    }

    /// Adds the file that is being written from now on.
    func begin(_ file: String, start: WallTime, from: Double) {
        entries.append(Entry(file: name(of: file), start: start, from: from))
        rewrite()
    }

    /// Says what has become of the file being written; nil where it came to nothing.
    func end(_ file: String, began: String, _ finish: (inout Entry) -> Void) {
        let old = name(of: began)
        guard let index = entries.lastIndex(where: { $0.file == old }) else { return }
        entries[index].file = name(of: file)
        finish(&entries[index])
        if entries[index].frames == 0 { entries.remove(at: index) }
        rewrite()
    }

    /// Takes files out that are gone.
    func remove(_ files: [String]) {
        guard !files.isEmpty else { return }
        let names = Set(files.map(name))
        entries.removeAll { names.contains($0.file) }
        rewrite()
    }

    private func name(of path: String) -> String {
        let full = FilePath.canonical(path)
        return full.hasPrefix(folder + "/") ? String(full.dropFirst(folder.count + 1)) : full
    }

    private func rewrite() {
        var text = JSONWriter()
        for entry in entries {
            text.beginObject()
            text.field("file", entry.file)
            text.field("start", entry.start.rfc3339)
            if let end = entry.end { text.field("end", end.rfc3339) }
            text.field("from", entry.from, decimals: 6)
            if let seconds = entry.seconds { text.field("seconds", seconds, decimals: 6) }
            if let frames = entry.frames {
                text.key("frames")
                text.value(UInt64(max(0, frames)))
            }
            text.key("bytes")
            text.value(UInt64(max(0, entry.bytes)))
            text.field("complete", entry.isComplete)
            if !entry.events.isEmpty {
                text.key("events")
                text.beginArray()
                for event in entry.events { text.value(event) }
                text.endArray()
            }
            text.endObject()
            text.newline()
        }
        do throws(MediaError) {
            let bytes = text.withBytes { Array($0) }
            try WholeFile.store(bytes, at: path, overwrites: true)
        } catch {
            failure = "\(path): \(error.detail)"
        }
    }

    private static func read(_ path: String) -> [Entry] {
        guard let data = FileManager.default.contents(atPath: path) else { return [] }
        return data.split(separator: UInt8(ascii: "\n")).compactMap { line in
            guard let object = try? JSONSerialization.jsonObject(with: line) as? [String: Any],
                let file = object["file"] as? String,
                let start = (object["start"] as? String).flatMap({ WallTime(rfc3339: $0) })
            else { return nil }
            return Entry(
                file: file, start: start, end: (object["end"] as? String).flatMap { WallTime(rfc3339: $0) },
                from: object["from"] as? Double ?? 0, frames: object["frames"] as? Int,
                seconds: object["seconds"] as? Double, bytes: (object["bytes"] as? NSNumber)?.int64Value ?? 0,
                isComplete: object["complete"] as? Bool ?? false, events: object["events"] as? [String] ?? [])
        }
    }
}
