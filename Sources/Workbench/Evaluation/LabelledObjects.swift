// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Foundation
internal import Pipeline

/// Pictures with labelled objects, in COCO's layout: a JSON file with `images`, `annotations` and `categories`.
///
/// The file is looked for in the folder and in `annotations/`: one whose name holds the split first, then any. Pictures are
/// found by their `file_name` in the folder, in `images/` and in the split's own folder.
struct LabelledObjects {
    /// A picture and what is in it.
    struct Entry: Sendable {
        let path: String
        /// Width and height that the labels are for; nil where the file does not say.
        let size: (width: Int, height: Int)?
        var objects: [ObjectAccuracy.Truth] = []
    }

    /// In the order of the file.
    let entries: [Entry]
    /// Names of the categories, by their ids' order.
    let categories: [String]

    /// Reads a folder's labels.
    ///
    /// - Throws: a sentence naming the file, and what is expected.
    init(folder: String, split: String) throws {
        let path = try Self.file(folder, split)
        let file: File
        do {
            file = try JSONDecoder().decode(File.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
        } catch let error as DecodingError {
            throw OutputError("\(path): is not COCO's layout: \(Self.sentence(error))")
        } catch {
            throw OutputError("\(path): cannot be read")
        }
        let sorted = file.categories.sorted { $0.id < $1.id }
        let labels = Dictionary(sorted.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
        guard labels.count == sorted.count else { throw OutputError("\(path): two categories have one id") }
        var places: [Int: Int] = [:]
        var entries: [Entry] = []
        for image in file.images {
            guard places.updateValue(entries.count, forKey: image.id) == nil else {
                throw OutputError("\(path): two images have the id \(image.id)")
            }
            let folders = [folder, folder + "/images", folder + "/" + split, folder + "/" + split + "2017"]
            let candidates = folders.map { $0 + "/" + image.file_name }
            guard let found = candidates.first(where: { FileManager.default.fileExists(atPath: $0) }) else {
                throw OutputError(
                    "\(path): \(image.file_name): there is no such picture in \(folder) or its images folder")
            }
            let size = image.width.flatMap { width in image.height.map { (width, $0) } }
            entries.append(Entry(path: found, size: size))
        }
        for (index, item) in file.annotations.enumerated() {
            guard let place = places[item.image_id] else {
                throw OutputError("\(path): annotations[\(index)]: there is no image \(item.image_id)")
            }
            guard let label = labels[item.category_id] else {
                throw OutputError("\(path): annotations[\(index)]: there is no category \(item.category_id)")
            }
            guard item.bbox.count == 4, item.bbox.allSatisfy(\.isFinite), item.bbox[2] >= 0, item.bbox[3] >= 0 else {
                throw OutputError(
                    "\(path): annotations[\(index)]: a bbox is x, y, width and height (got \(item.bbox))")
            }
            let box = Box(x: item.bbox[0], y: item.bbox[1], width: item.bbox[2], height: item.bbox[3])
            entries[place].objects.append(
                .init(box: box, label: label, area: item.area ?? box.area, isCrowd: item.iscrowd ?? 0 != 0))
        }
        guard !entries.isEmpty else { throw OutputError("\(path): has no images") }
        guard !sorted.isEmpty else { throw OutputError("\(path): has no categories") }
        self.entries = entries
        categories = sorted.map(\.name)
    }

    // MARK: - The file

    /// The parts of COCO's layout that are read; its names are its own.
    private struct File: Decodable {
        struct Image: Decodable {
            let id: Int
            let file_name: String
            let width: Int?
            let height: Int?
        }
        struct Annotation: Decodable {
            let image_id: Int
            let category_id: Int
            let bbox: [Float]
            let area: Float?
            let iscrowd: Int?
        }
        struct Category: Decodable {
            let id: Int
            let name: String
        }
        let images: [Image]
        let annotations: [Annotation]
        let categories: [Category]
    }

    private static func file(_ folder: String, _ split: String) throws -> String {
        let found = [folder, folder + "/annotations"].flatMap { place in
            ((try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []).sorted()
                .filter { $0.hasSuffix(".json") }.map { place + "/" + $0 }
        }
        guard let first = found.first(where: { $0.dropFirst(folder.count).contains(split) }) ?? found.first else {
            throw OutputError(
                "\(folder): no labels; a JSON file in COCO's layout (images, annotations, categories) is expected there "
                    + "or in its annotations folder")
        }
        return first
    }

    private static func sentence(_ error: DecodingError) -> String {
        func at(_ path: [any CodingKey]) -> String {
            path.map { key in key.intValue.map { "[\($0)]" } ?? "." + key.stringValue }.joined()
        }
        switch error {
        case .keyNotFound(let key, let context): return "\(at(context.codingPath)) has no \"\(key.stringValue)\""
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            return "\(at(context.codingPath)): \(context.debugDescription)"
        case .dataCorrupted(let context): return "\(at(context.codingPath)) \(context.debugDescription)"
        @unknown default: return "\(error)"
        }
    }
}
