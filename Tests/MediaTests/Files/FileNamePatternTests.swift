// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import TestSupport
import Testing

@testable import Media

@Suite struct `Names that hold the date` {
    /// 2026-03-09 08:05:07 UTC, a Monday, the 68th day.
    private let time = WallTime(nanoseconds: 1_773_043_507_120_000_000)

    @Test(arguments: [
        ("door.mp4", 1, "door.mp4"), ("door.mp4", 3, "door-3.mp4"), ("a.b/door", 2, "a.b/door-2"),
        ("a/.hidden", 2, "a/.hidden-2"), ("rec-%Y%m%d-%H%M%S.mp4", 1, "rec-20260309-080507.mp4"),
        ("%Y-%m-%d/%H%M.mkv", 2, "2026-03-09/0805-2.mkv"), ("100%%.mp4", 1, "100%.mp4"), ("%j%%%y", 1, "068%26"),
    ]) func `are the date of the first picture, and a number`(pattern: String, number: Int, name: String) throws {
        #expect(try FileNamePattern(pattern, zone: .utc).path(at: time, number: number) == name)
    }

    @Test(arguments: ["%.mp4", "a%", "%Q", "%1d.png", "%/x"]) func `refuse what is no date`(text: String) {
        let error = #expect(throws: MediaError.self) { try FileNamePattern(text) }
        #expect(error?.code == .invalidSetting && error?.detail.contains("is no part of a date; use %Y") == true)
    }

    @Test(arguments: [
        ("rec-%Y%m%d.mp4", "rec-20260309.mp4", true), ("rec-%Y%m%d.mp4", "rec-20260309-2.mp4", true),
        ("rec-%Y%m%d.mp4", "rec-20260309-02.mp4", false), ("rec-%Y%m%d.mp4", "rec-2026039.mp4", false),
        ("rec-%Y%m%d.mp4", "holiday.mp4", false), ("rec-%Y%m%d.mp4", "rec-20260309.mp4.bak", false),
        ("rec-%Y%m%d.mp4", ".rec-20260309.mp4.12-0.tmp", false), ("%Y/%m/r.mkv", "2026/03/r.mkv", true),
        ("%Y/%m/r.mkv", "2026/03/04/r.mkv", false), ("/a/%Y.mkv", "a/2026.mkv", false),
        ("door.mp4", "door-12.mp4", true),
        ("%b %d.mp4", "Mar 09.mp4", true), ("door.mp4", "front-door.mp4", false),
    ]) func `know their own`(pattern: String, name: String, isOne: Bool) throws {
        #expect(try FileNamePattern(pattern).matches(name) == isOne)
    }

    @Test(arguments: [
        ("clips/{rule}-%H%M.mp4", "clips/at the_door-0805.mp4", true),
        ("{id}.mp4", "1773043507120-at the_door.mp4", true),
        ("{rule}/{id}.mp4", "at the_door/1773043507120-at the_door.mp4", true),
        ("{rule}.mp4", "at the_door.mp4", false),
        ("{other}.mp4", "_.mp4", false), ("a.mp4", "a.mp4", true),
    ]) func `may hold what is known of a file`(text: String, name: String, isOwn: Bool) throws {
        let pattern = try FileNamePattern(text, zone: .utc, fields: ["id", "rule", "other"])
        let fields = ["rule": "at the/door", "id": "1773043507120-at the/door"]
        #expect(pattern.path(at: time, fields: fields) == name)
        #expect(pattern.matches(name) && pattern.matches(pattern.path(at: time, number: 7, fields: fields)))
        #expect(pattern.isOwn == isOwn)
        #expect(!pattern.matches("holiday/1.txt"))
        // Braces are braces where nothing is said of them.
        #expect(try FileNamePattern("{rule}.mp4").path(at: time) == "{rule}.mp4")
    }

    @Test func `fields of ids are no other files, and odd texts are names all the same`() throws {
        let pattern = try FileNamePattern("{id}.mp4", fields: ["id"])
        #expect(!pattern.matches("holiday.mp4") && !pattern.matches("2026-door.mp4"))
        for text in ["", "..", "../../etc", "a\nb", String(repeating: "ä", count: 500)] {
            let name = pattern.path(at: time, fields: ["id": text])
            #expect(!name.contains("/") && !name.hasPrefix(".") && name.utf8.count <= 90 && !name.contains("\n"))
        }
        for wrong in ["{ids}.mp4", "{id.mp4", "{}.mp4"] {
            let error = #expect(throws: MediaError.self) { try FileNamePattern(wrong, fields: ["id"]) }
            #expect(error?.detail.contains("is nothing a name can hold; use {id}") == true)
        }
    }

    @Test func `read back what they write`() throws {
        for text in ["%Y%m%d-%H%M%S", "%a-%b-%y", "%F_%H.%M", "%s", "%G-%V-%u", "%I%p-%z"] {
            let pattern = try FileNamePattern("x-" + text + ".mp4")
            var seed = SeededGenerator(seed: 7)
            for _ in 0..<200 {
                let time = WallTime(seconds: Double.random(in: 0...4e9, using: &seed))
                #expect(
                    pattern.matches(pattern.path(at: time, number: Int.random(in: 1...99, using: &seed))), "\(text)")
            }
        }
    }

    @Test func `find the files that exist`() throws {
        let scratch = try Scratch()
        for name in [
            "2025-12-31/a-1.mp4", "2026-01-01/a-1.mp4", "2026-01-01/a-1-2.mp4", "2026-01-01/b.mp4", "x/a-1.mp4",
        ] {
            let url = URL(fileURLWithPath: scratch.file(name))
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data([1]).write(to: url)
        }
        let found = try FileNamePattern(scratch.file("%Y-%m-%d/a-%u.mp4")).files()
        #expect(
            found.map { $0.split(separator: "/").suffix(2).joined(separator: "/") }.sorted()
                == ["2025-12-31/a-1.mp4", "2026-01-01/a-1-2.mp4", "2026-01-01/a-1.mp4"])
    }

    @Test(arguments: [0, 1, 1_773_043_507.12, 4_102_444_799.999, -1.5]) func `instants are RFC 3339, both ways`(
        seconds: Double
    ) {
        let time = WallTime(nanoseconds: Int64((seconds * 1000).rounded()) * 1_000_000)
        let format = ISO8601DateFormatter()
        format.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
        #expect(time.rfc3339 == format.string(from: Date(timeIntervalSince1970: time.seconds)))
        #expect(WallTime(rfc3339: time.rfc3339) == time)
    }

    @Test(arguments: ["", "2026-03-09", "2026-03-09T08:05:07", "2026-03-09T08:05:07+01:00", "2026-0x-09T08:05:07Z"])
    func `other texts are none`(text: String) { #expect(WallTime(rfc3339: text) == nil) }

    @Test func `a step of the clock is told, a drift is not`() {
        var steps = ClockSteps()
        let second: Int64 = 1_000_000_000
        #expect(steps.look(monotonic: 0, wall: WallTime(nanoseconds: 100 * second)) == nil)
        #expect(steps.look(monotonic: 10_000_000_000, wall: WallTime(nanoseconds: 110 * second + 5_000_000)) == nil)
        let step = steps.look(monotonic: 20_000_000_000, wall: WallTime(nanoseconds: 60 * second))
        #expect(step.map { abs($0 + 60.005) < 1e-6 } == true)
        #expect(steps.look(monotonic: 21_000_000_000, wall: WallTime(nanoseconds: 61 * second)) == nil)
    }
}
