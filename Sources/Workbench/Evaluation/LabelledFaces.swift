// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Foundation
internal import Media
internal import Pipeline

/// Pictures with labelled faces, in one of two layouts.
///
/// - WIDER FACE's: `wider_face_val_bbx_gt.txt` beside or below the folder's top (`wider_face_split`), pictures in
///   `images` or `WIDER_val/images`; the official subsets, where `wider_easy_val.txt`, `wider_medium_val.txt` and
///   `wider_hard_val.txt` are there: per picture its path, a count, and that many numbers of counted faces, from 1 on.
///   Pictures that are not there are left out, and counted.
/// - A list: `labels*.json`, `[{"file": NAME, "boxes": [[x1, y1, x2, y2], ...]}, ...]`, pictures beside it.
struct LabelledFaces {
    /// A picture and what is in it.
    struct Entry: Sendable {
        let path: String
        let boxes: [Box]
        /// Whether the labels say that a face is no fair one to look for; as many as boxes.
        var isInvalid: [Bool]
        /// By subset, the indices of the boxes that count.
        var subsets: [String: Set<Int>] = [:]
    }

    let entries: [Entry]
    /// How many pictures WIDER FACE's list names that are not there.
    let absent: Int
    /// The official subsets there are lists of.
    let subsets: [String]

    static let officialSubsets = ["easy", "medium", "hard"]

    /// Reads a folder's labels.
    ///
    /// - Parameter split: of a list: `held`, every third picture; `train`, the others; anything else, all.
    /// - Throws: a sentence naming the file, and what is expected where nothing is found.
    init(folder: String, split: String) throws {
        if let list = Self.file(in: [folder, folder + "/wider_face_split"], "wider_face_val_bbx_gt.txt") {
            let found = try Self.wider(list, folder: folder)
            entries = found.entries.filter { FileManager.default.fileExists(atPath: $0.path) }
            (absent, subsets) = (found.entries.count - entries.count, found.subsets)
            if let first = found.entries.first, entries.isEmpty {
                throw OutputError("\(list): none of its pictures is there, not even \(first.path)")
            }
            return
        }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        guard let list = names.sorted().first(where: { $0.hasPrefix("labels") && $0.hasSuffix(".json") }) else {
            throw OutputError(
                "\(folder): no labels; wider_face_val_bbx_gt.txt (WIDER FACE) or labels*.json is expected there")
        }
        let all = try Self.list(folder + "/" + list, folder: folder)
        entries = all.enumerated().filter { index, _ in
            switch split {
            case "held": index % 3 == 0
            case "train": index % 3 != 0
            default: true
            }
        }.map(\.element)
        (absent, subsets) = (0, [])
    }

    // MARK: - A list

    private struct Item: Decodable {
        let file: String
        let boxes: [[Float]]

        struct Key: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        /// The boxes' key may say the pictures' size: `boxes_416`.
        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            file = try container.decode(String.self, forKey: Key(stringValue: "file"))
            let key = container.allKeys.first { $0.stringValue == "boxes" || $0.stringValue.hasPrefix("boxes_") }
            boxes = try container.decode([[Float]].self, forKey: key ?? Key(stringValue: "boxes"))
        }
    }

    private static func list(_ path: String, folder: String) throws -> [Entry] {
        let items: [Item]
        do {
            items = try JSONDecoder().decode([Item].self, from: Data(contentsOf: URL(fileURLWithPath: path)))
        } catch {
            throw OutputError("\(path): no list of faces: \(error)")
        }
        return try items.map { item in
            let boxes = try item.boxes.map { corners in
                guard corners.count == 4, corners.allSatisfy(\.isFinite) else {
                    throw OutputError("\(path): \(item.file): a box is four numbers (got \(corners))")
                }
                return Box(
                    x: corners[0], y: corners[1], width: corners[2] - corners[0], height: corners[3] - corners[1])
            }
            return Entry(
                path: folder + "/" + item.file, boxes: boxes, isInvalid: boxes.map { $0.width <= 0 || $0.height <= 0 })
        }
    }

    // MARK: - WIDER FACE

    private static func wider(_ list: String, folder: String) throws -> (entries: [Entry], subsets: [String]) {
        let images =
            ["/images", "/WIDER_val/images"].map { folder + $0 }.first { FileManager.default.fileExists(atPath: $0) }
            ?? folder
        var entries: [Entry] = []
        for block in try blocks(list) {
            // A picture without faces still has one line, of zeros.
            let rows = block.rows.filter { block.count > 0 || $0.contains { $0 != 0 } }
            guard rows.allSatisfy({ $0.count >= 4 }) else {
                throw OutputError("\(list): \(block.name): a face has at least x, y, width and height")
            }
            entries.append(
                Entry(
                    path: images + "/" + block.name,
                    boxes: rows.map {
                        Box(x: Float($0[0]), y: Float($0[1]), width: Float($0[2]), height: Float($0[3]))
                    },
                    isInvalid: rows.map { ($0.count > 7 && $0[7] != 0) || $0[2] <= 0 || $0[3] <= 0 }))
        }
        var found: [String] = []
        for subset in officialSubsets {
            let places = [folder, folder + "/wider_face_split", folder + "/ground_truth"]
            guard let path = file(in: places, "wider_\(subset)_val.txt") else { continue }
            let blocks = Dictionary(try blocks(path).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
            for index in entries.indices {
                let name = String(entries[index].path.dropFirst(images.count + 1))
                let numbers = blocks[name]?.rows.joined().map { $0 - 1 } ?? []
                guard numbers.allSatisfy(entries[index].boxes.indices.contains) else {
                    throw OutputError("\(path): \(name): a face beyond the \(entries[index].boxes.count) labelled ones")
                }
                entries[index].subsets[subset] = Set(numbers)
            }
            found.append(subset)
        }
        return (entries, found)
    }

    private struct Block {
        let name: String
        let count: Int
        let rows: [[Int]]
    }

    /// A path, a count, and lines of numbers up to the next path.
    private static func blocks(_ path: String) throws -> [Block] {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw OutputError("\(path): cannot be read")
        }
        var blocks: [Block] = []
        var (name, count, rows) = ("", 0, [[Int]]())
        func finish() throws {
            guard !name.isEmpty else { return }
            blocks.append(Block(name: name, count: count, rows: rows))
        }
        for (number, line) in text.split(whereSeparator: \.isNewline).enumerated() {
            let words = line.split(separator: " ")
            let numbers = words.compactMap { Int($0) }
            if words.count == 1, line.contains("/") {
                try finish()
                (name, count, rows) = (String(line), -1, [])
            } else if numbers.count == words.count, !name.isEmpty {
                if count < 0, numbers.count == 1 { count = numbers[0] } else { rows.append(numbers) }
            } else {
                throw OutputError("\(path):\(number + 1): neither the path of a picture nor numbers")
            }
        }
        try finish()
        return blocks
    }

    private static func file(in folders: [String], _ name: String) -> String? {
        folders.map { $0 + "/" + name }.first { FileManager.default.fileExists(atPath: $0) }
    }
}
