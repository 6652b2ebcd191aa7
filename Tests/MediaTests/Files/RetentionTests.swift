// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import TestSupport
import Testing

@testable import Media

@Suite struct RetentionTests {
    private let now = WallTime(seconds: 1_800_000_000)
    private let scratch: Scratch
    private let pattern: FileNamePattern

    init() throws {
        scratch = try Scratch()
        pattern = try FileNamePattern(scratch.file("rec-%H.mp4"))
    }

    /// Files of 100 bytes, `ages` seconds old, called rec-00, rec-01 ...
    private func store(_ ages: [Double]) throws {
        for (index, age) in ages.enumerated() {
            let path = scratch.file("rec-0\(index).mp4")
            try Data(count: 100).write(to: URL(fileURLWithPath: path))
            WholeFile.date(path, WallTime(seconds: now.seconds - age))
        }
    }

    private func left() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: scratch.path).sorted()
    }

    private func rules(_ change: (inout RetentionRules) -> Void) -> RetentionRules {
        var rules = RetentionRules()
        change(&rules)
        return rules
    }

    @Test func `deletes by age`() throws {
        try store([500, 50, 5])
        Retention(pattern, rules { $0.seconds = 100 }).sweep(now: now)
        #expect(try left() == ["rec-01.mp4", "rec-02.mp4"])
    }

    @Test func `deletes by bytes, oldest first, counting what is being written`() throws {
        try store([10, 500, 50, 5])
        let retention = Retention(pattern, rules { $0.bytes = 300 })
        #expect(retention.sweep(now: now, written: 50).map { $0.suffix(9) } == ["ec-01.mp4", "ec-02.mp4"])
        #expect(retention.statistics.deleted == 2 && retention.statistics.bytes == 200)
        #expect(retention.sweep(now: now, written: 100) == [])
    }

    @Test func `deletes for free space, and no more than that takes`() throws {
        try store([40, 30, 20, 10])
        let folder = scratch.path
        let retention = Retention(pattern, rules { $0.freeBytes = 300 }) { _ in
            500 - Int64((try? FileManager.default.contentsOfDirectory(atPath: folder).count) ?? 0) * 100
        }
        #expect(retention.isScarce)
        retention.sweep(now: now)
        #expect(try left() == ["rec-02.mp4", "rec-03.mp4"])
        #expect(!retention.isScarce)
    }

    @Test func `spares what is younger than promised`() throws {
        try store([500, 400, 50, 5])
        Retention(pattern, rules { ($0.freeBytes, $0.sparedSeconds) = (1, 100) }) { _ in 0 }.sweep(now: now)
        #expect(try left() == ["rec-02.mp4", "rec-03.mp4"])
    }

    @Test func `never deletes what is being written, nor what it could not have named`() throws {
        try store([500, 400])
        try Data(count: 9).write(to: URL(fileURLWithPath: scratch.file("holiday.mp4")))
        let written = try OutputFile(scratch.file("rec-09.mp4"))
        try Data(count: 9).write(to: URL(fileURLWithPath: scratch.file("rec-08.mp4")))
        for name in ["rec-08.mp4", "rec-09.mp4", "holiday.mp4"] {
            WholeFile.date(scratch.file(name), WallTime(seconds: now.seconds - 9_000))
        }
        let retention = Retention(pattern, rules { $0.bytes = 1 })
        retention.sweep(now: now)
        #expect(try left() == ["holiday.mp4", "rec-09.mp4"])
        withExtendedLifetime(written) {}
    }

    @Test func `what a clock without a battery dated is not old`() throws {
        try store([1_800_000_000 - 60, 20])
        Retention(pattern, rules { $0.seconds = 100 }).sweep(now: now)
        #expect(try left().count == 2)
    }

    @Test func `takes emptied folders of dates along`() throws {
        let dated = try FileNamePattern(scratch.file("keep/%Y/%m/a.mp4"))
        for name in ["keep/2025/11", "keep/2025/12"] {
            try FileManager.default.createDirectory(atPath: scratch.file(name), withIntermediateDirectories: true)
            try Data(count: 100).write(to: URL(fileURLWithPath: scratch.file(name + "/a.mp4")))
            WholeFile.date(scratch.file(name + "/a.mp4"), WallTime(seconds: now.seconds - 1000))
        }
        try Data(count: 100).write(to: URL(fileURLWithPath: scratch.file("keep/2025/12/other")))
        Retention(dated, rules { $0.seconds = 100 }).sweep(now: now)
        #expect(
            try FileManager.default.subpathsOfDirectory(atPath: scratch.path).sorted()
                == ["keep", "keep/2025", "keep/2025/12", "keep/2025/12/other"])
    }
}
