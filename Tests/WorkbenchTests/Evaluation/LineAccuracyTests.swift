// SPDX-License-Identifier: Apache-2.0
import Annotations
import Foundation
import Testing

@testable import Workbench

@Suite struct LineAccuracyTests {
    private func line(_ x1: Float, _ y1: Float, _ x2: Float, _ y2: Float, _ score: Float = 1) -> LineSegment {
        LineSegment(from: Point(x: x1, y: y1), to: Point(x: x2, y: y2), score: score)
    }

    @Test func `lines are near by both ends in the better order, in a square of 128`() {
        #expect(LineAccuracy.distance(line(0, 0, 10, 0), line(10, 1, 0, 2)) == 1 + 4)
        var accuracy = LineAccuracy()
        // 256 by 512: a pixel is half of one across and a quarter down.
        accuracy.add(
            found: [line(0, 0, 100, 0)], truth: [line(4, 0, 100, 0)], width: 256, height: 512)
        #expect(accuracy.averagePrecisions == [1, 1, 1])
        accuracy.add(found: [line(0, 0, 100, 0)], truth: [line(6, 0, 100, 0)], width: 256, height: 512)
        #expect(accuracy.averagePrecisions[0] < 1 && accuracy.averagePrecisions[1] == 1)
    }

    @Test func `a labelled line is found once, the best first`() {
        var accuracy = LineAccuracy()
        accuracy.add(
            found: [line(1, 0, 50, 0, 0.2), line(0, 0, 50, 0, 0.9), line(0, 90, 50, 90, 0.5)],
            truth: [line(0, 0, 50, 0), line(0, 60, 50, 60)], width: 128, height: 128)
        // Hit, miss, miss: precision 1 up to a recall of a half.
        #expect(accuracy.averagePrecisions == [0.5, 0.5, 0.5])
        accuracy.add(found: [line(0, 0, 9, 9, 0.95)], truth: [], width: 128, height: 128)
        #expect(accuracy.averagePrecisions == [0.25, 0.25, 0.25])
        #expect(accuracy.lines == 2)
        #expect(LineAccuracy().averagePrecisions == [0, 0, 0])
    }

    @Test func `lines kept are those with another one near`() {
        let all = [line(0, 0, 50, 0), line(0, 60, 50, 60)]
        #expect(LineAccuracy.kept(all, by: [line(50, 1, 1, 1)], width: 128, height: 128) == 1)
        #expect(LineAccuracy.kept(all, by: [], width: 128, height: 128) == 0)
    }

    @Test func `labels are read in parts, and mistakes in them are one sentence`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("vpipe-lines-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func write(_ text: String) throws {
            try Data(text.utf8).write(to: folder.appendingPathComponent("lines.json"))
        }
        func message(_ split: String = "all") -> String {
            do {
                return "\(try LabelledLines(folder: folder.path, split: split).entries.count) entries"
            } catch {
                return "\(error)".replacing(folder.path, with: "DATA")
            }
        }
        #expect(message().hasPrefix("DATA/lines.json: no such file"))
        try write("[1]")
        #expect(message() == "DATA/lines.json: is not {\"NAME\": [[x1, y1, x2, y2], ...]}")
        try write(#"{"p": [[1, 2, 3, 4]]}"#)
        #expect(message() == "DATA/lines.json: p: there is no such picture beside it")
        for index in 0..<7 { try Data().write(to: folder.appendingPathComponent("p\(index).jpg")) }
        try write(#"{"p0": [[1, 2, 3]]}"#)
        #expect(message() == "DATA/lines.json: p0: a line is four numbers (got [1.0, 2.0, 3.0])")
        try write("{" + (0..<7).map { #""p\#($0)": [[1, 2, 3, 4]]"# }.joined(separator: ",") + "}")
        #expect(message() == "7 entries")
        #expect(message("train") == "5 entries")
        #expect(message("held") == "2 entries")
    }

    @Test func `calibration takes pictures evenly`() {
        #expect(CalibrationPictures.spread(3, 60) == [0, 1, 2])
        #expect(CalibrationPictures.spread(100, 4) == [0, 25, 50, 75])
    }
}
