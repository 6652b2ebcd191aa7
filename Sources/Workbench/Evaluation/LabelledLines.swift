// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Foundation
internal import Pipeline

/// Photographs with labelled line segments: `lines.json`, `{NAME: [[x1, y1, x2, y2], ...]}` in pixels, pictures beside it.
struct LabelledLines {
    /// A picture and its lines.
    struct Entry: Sendable {
        let path: String
        let lines: [LineSegment]
    }

    /// By name.
    let entries: [Entry]

    static let file = "lines.json"

    /// Reads a folder's labels.
    ///
    /// - Parameter split: `train` and `held` are alternate blocks of five photographs by name; anything else is all.
    /// - Throws: a sentence naming the file, and what is expected.
    init(folder: String, split: String) throws {
        let path = folder + "/" + Self.file
        guard let data = FileManager.default.contents(atPath: path) else {
            throw OutputError("\(path): no such file; lines are labelled as {\"NAME\": [[x1, y1, x2, y2], ...]}")
        }
        let labels: [String: [[Float]]]
        do {
            labels = try JSONDecoder().decode([String: [[Float]]].self, from: data)
        } catch {
            throw OutputError("\(path): is not {\"NAME\": [[x1, y1, x2, y2], ...]}")
        }
        let names = labels.keys.sorted().enumerated().filter { index, _ in
            switch split {
            case "train": index / 5 % 2 == 0
            case "held": index / 5 % 2 == 1
            default: true
            }
        }.map(\.element)
        entries = try names.map { name in
            let places = ["", ".jpg", ".png"].map { "\(folder)/\(name)\($0)" }
            guard let picture = places.first(where: { FileManager.default.fileExists(atPath: $0) }) else {
                throw OutputError("\(path): \(name): there is no such picture beside it")
            }
            let lines = try (labels[name] ?? []).map { ends -> LineSegment in
                guard ends.count == 4 else {
                    throw OutputError("\(path): \(name): a line is four numbers (got \(ends))")
                }
                return LineSegment(
                    from: Point(x: ends[0], y: ends[1]), to: Point(x: ends[2], y: ends[3]), score: 1)
            }
            return Entry(path: picture, lines: lines)
        }
        guard !entries.isEmpty else { throw OutputError("\(path): no pictures in the part \"\(split)\"") }
    }
}
