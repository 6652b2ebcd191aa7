// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Foundation
internal import PipelineLanguage

/// YOLO's labels, laid out as Ultralytics and CVAT read them: https://docs.ultralytics.com/datasets/detect/.
///
/// `labels/train/NAME.txt` has a row `class x y width height` for each box: the class from 0, then the middle and the extent
/// as parts of the picture's width and height. `classes.txt` and `data.yaml` name the classes, `train.txt` the pictures, which
/// belong in `images/train`.
struct YOLOExport: ExportWriter {
    private let summary: RecordSummary
    private let folder: String
    private let list: ExportFile
    private var sizes: PictureSizes
    private var names: [String: Int] = [:]

    init(_ summary: RecordSummary, at path: String) throws(ExportFault) {
        self.summary = summary
        folder = path
        sizes = PictureSizes(summary, for: .yolo)
        for folder in [path + "/labels", path + "/labels/train"] {
            guard mkdir(FileName.bytes(folder), 0o777) == 0 else {
                throw ExportFault("\(folder): \(String(cString: strerror(errno)))")
            }
        }
        list = try ExportFile(path + "/train.txt")
    }

    mutating func add(_ frame: RecordFrame) throws {
        // The last part of a photograph's path: what comes from outside never leads out of the folder.
        let picture = frame.file.map { FilePath.split($0).name } ?? RecordSummary.frameName(frame.number) + ".png"
        let dot = picture.lastIndex(of: ".").flatMap { $0 > picture.startIndex ? $0 : nil }
        let name = String(picture[..<(dot ?? picture.endIndex)])
        guard !name.isEmpty, !name.hasPrefix("."), !name.contains(where: { $0.isNewline || $0 == "\0" }) else {
            throw ExportError("\(summary.path):\(frame.line): file: \"\(shortened(picture))\" cannot name a picture")
        }
        if let line = names.updateValue(frame.line, forKey: name) {
            throw ExportError(
                "\(summary.path):\(frame.line): the labels of two pictures would both be \(name).txt (the other is of line "
                    + "\(line)); name the pictures apart, or take one run with --run")
        }
        let size = frame.found.isEmpty ? (width: 1, height: 1) : try sizes.size(of: frame)
        let (width, height) = (Double(size.width), Double(size.height))
        let file = try ExportFile("\(folder)/labels/train/\(name).txt")
        for found in frame.found {
            let numbers = [
                (found.x + found.width / 2) / width, (found.y + found.height / 2) / height, found.width / width,
                found.height / height,
            ]
            let text = numbers.map { numeral($0, places: 7) }.joined(separator: " ")
            try file.write("\(summary.index(of: found.label)) \(text)\n")
        }
        try file.close(isDurable: false)
        try list.write("images/train/\(picture)\n")
    }

    mutating func finish() throws {
        try list.close()
        let classes = try ExportFile(folder + "/classes.txt")
        for label in summary.labels { try classes.write(label + "\n") }
        try classes.close()
        let data = try ExportFile(folder + "/data.yaml")
        try data.write("path: .\ntrain: train.txt\nval: train.txt\nnames:\n")
        // A JSON string is one of YAML's.
        for (index, label) in summary.labels.enumerated() { try data.write("  \(index): \(quoted(label))\n") }
        try data.close()
    }
}
