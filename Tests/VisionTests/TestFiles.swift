// SPDX-License-Identifier: Apache-2.0
import Foundation
import Media

/// Files beside the tests: the package's own, and published weights where this machine has them.
enum TestFiles {
    static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// `../shared/weights` as seen from the package, or from the folder of work trees it is in.
    private static let weights: String? = [
        package.deletingLastPathComponent(), package.deletingLastPathComponent().deletingLastPathComponent(),
    ]
    .map { $0.appendingPathComponent("shared/weights").path }
    .first { FileManager.default.fileExists(atPath: $0) }

    static func model(_ name: String) -> String { package.appendingPathComponent("models/\(name)").path }

    /// A published weights file, or nil where it is absent.
    static func published(_ name: String) -> String? {
        guard let path = weights.map({ "\($0)/\(name)" }), FileManager.default.fileExists(atPath: path) else {
            return nil
        }
        return path
    }
}

/// A sample clip's chosen frames with what is known to be in them.
struct SampleClip {
    struct Truth: Decodable {
        struct TrueFace: Decodable { var box: [Float] }
        struct TrueLine: Decodable {
            var from: [Float]
            var to: [Float]
        }
        var faces: [TrueFace]
        var lines: [TrueLine]?
    }

    var frames: [(picture: Picture, truth: Truth)] = []

    /// Reads every `step`th frame of `samples/NAME.mp4`, `count` of them.
    init(_ name: String, every step: Int, count: Int) throws {
        let folder = TestFiles.package.appendingPathComponent("samples")
        let lines = try String(contentsOf: folder.appendingPathComponent("\(name).jsonl"), encoding: .utf8)
            .split(separator: "\n")
        let reader = try VideoReader(folder.appendingPathComponent("\(name).mp4").path)
        var index = 0
        while frames.count < count, index < lines.count, let decoded = try reader.read() {
            if index % step == 0 {
                let truth = try JSONDecoder().decode(Truth.self, from: Data(lines[index].utf8))
                frames.append((decoded.picture, truth))
            }
            index += 1
        }
    }
}
