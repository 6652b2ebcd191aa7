// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Foundation
internal import Media

/// How large the pictures of a record are: a video's are all of its first line's size, photographs each of its own.
struct PictureSizes {
    private let summary: RecordSummary
    private let format: ExportFormat
    private var known: [String: (width: Int, height: Int)] = [:]

    init(_ summary: RecordSummary, for format: ExportFormat) {
        self.summary = summary
        self.format = format
    }

    /// In pixels.
    ///
    /// - Throws: `ExportError` where nothing says it.
    mutating func size(of frame: RecordFrame) throws(ExportError) -> (width: Int, height: Int) {
        if let file = frame.file {
            if let size = known[file] { return size }
            // The pipeline's folder is not in the record; people keep the record beside it.
            let besides = FilePath.split(summary.path).folder + "/" + file
            for path in [file, besides] {
                guard FileIdentity(file: path) != nil, let picture = try? ImageReader.read(path) else { continue }
                known[file] = (picture.width, picture.height)
                return (picture.width, picture.height)
            }
            throw ExportError(
                "\(summary.path):\(frame.line): \(file): \(format) needs every picture's size, and this one cannot be read; "
                    + "run vpipe export in the folder that the pipeline ran in")
        }
        guard let size = summary.start.size else {
            throw ExportError(
                "\(summary.path): \(format) needs the picture's size, and the record has no first line that says it "
                    + "(\"header\": false); add {\"vpipe\":1,\"size\":[width,height],\"fps\":25} as its first line")
        }
        return size
    }
}
