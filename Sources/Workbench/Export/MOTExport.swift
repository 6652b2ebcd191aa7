// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Foundation

/// MOTChallenge's truth (arXiv:1603.00831), as CVAT imports it: `gt/gt.txt` and `gt/labels.txt`.
///
/// A row is `frame,id,x,y,width,height,1,class,visibility`; frames, ids and classes count from 1. A track out of sight has
/// visibility 0. What is not followed has an id of its own in every frame: -1 for all would make them one in many readers.
struct MOTExport: ExportWriter {
    private let summary: RecordSummary
    private let folder: String
    private let file: ExportFile
    private var nextID: Int

    init(_ summary: RecordSummary, at path: String) throws(ExportFault) {
        self.summary = summary
        folder = path + "/gt"
        guard mkdir(FileName.bytes(folder), 0o777) == 0 else {
            throw ExportFault("\(folder): \(String(cString: strerror(errno)))")
        }
        file = try ExportFile(folder + "/gt.txt")
        nextID = summary.highestID + 1
    }

    mutating func add(_ frame: RecordFrame) throws {
        for found in frame.found {
            let box = [found.x, found.y, found.width, found.height].map(pixels).joined(separator: ",")
            try file.write(
                "\(frame.number + 1),\(found.id ?? nextID),\(box),1,\(summary.index(of: found.label) + 1),"
                    + "\(found.isSeen ? 1 : 0)\n")
            if found.id == nil { nextID += 1 }
        }
    }

    mutating func finish() throws {
        try file.close()
        let labels = try ExportFile(folder + "/labels.txt")
        for label in summary.labels { try labels.write(label + "\n") }
        try labels.close()
    }
}
