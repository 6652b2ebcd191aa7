// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Media
internal import Pipeline

/// Pictures to calibrate on: some of a folder's, or frames of a video, evenly spread.
struct CalibrationPictures {
    /// In the order of the folder or the video.
    let pictures: [Picture]

    /// Reads at most `limit` pictures.
    ///
    /// - Parameter path: a folder of pictures, also in a part of it (`val`), or a video.
    /// - Throws: a sentence that names what cannot be read.
    init(_ path: String, limit: Int) throws {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw OutputError("\(path): no such folder or video")
        }
        guard isFolder.boolValue else {
            pictures = try Self.frames(of: path, limit: limit)
            return
        }
        let part = ["val", "images", "WIDER_val/images"].map { path + "/" + $0 }.first {
            FileManager.default.fileExists(atPath: $0)
        }
        let paths = try ImageReader(part ?? path).paths
        pictures = try Self.spread(paths.count, limit).map { try ImageReader.read(paths[$0]) }
    }

    private static func frames(of path: String, limit: Int) throws -> [Picture] {
        // Pictures are the decoder's own buffers: twice as many are kept at most, and every second one given back.
        var (kept, step, index) = ([Picture](), 1, 0)
        let reader = try VideoReader(path)
        while let decoded = try reader.read() {
            if index % step == 0 { kept.append(decoded.picture) }
            index += 1
            guard kept.count == 2 * limit else { continue }
            kept = kept.indices.filter { $0.isMultiple(of: 2) }.map { kept[$0] }
            step *= 2
        }
        guard !kept.isEmpty else { throw OutputError("\(path): has no pictures") }
        return spread(kept.count, limit).map { kept[$0] }
    }

    /// `limit` of `count` positions, evenly.
    static func spread(_ count: Int, _ limit: Int) -> [Int] {
        count <= limit ? Array(0..<count) : (0..<limit).map { $0 * count / limit }
    }
}
