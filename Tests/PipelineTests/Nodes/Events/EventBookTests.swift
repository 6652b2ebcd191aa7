// SPDX-License-Identifier: Apache-2.0
import Annotations
import Basics
import Dataflow
import Foundation
import Media
import MediaTestSupport
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage

@Suite struct EventBookTests {
    /// 1 March 2026, 08:00 UTC.
    private static let epoch: Int64 = 1_772_352_000

    private func rules(_ text: String) throws -> (rules: [EventRule], problems: [SettingsProblem]) {
        EventRule.read(try #require(JSONTree(bytes: Array(text.utf8)).root))
    }

    private func book(_ text: String, _ change: (inout EventBook.Options) -> Void = { _ in }) throws -> EventBook {
        var options = EventBook.Options()
        change(&options)
        return EventBook(try rules(text).rules, options) { "\($1)@\(NumberText.decimal($0.pts))" }
    }

    private func instant(_ pts: Double) -> Event.Instant {
        Event.Instant(wall: WallTime(nanoseconds: Self.epoch * 1_000_000_000 + Int64(pts * 1e9)), pts: pts)
    }

    private func person(_ id: Int = 1, score: Float = 0.5, size: Float = 10) -> Track {
        Track(id: id, box: Box(x: 0, y: 0, width: size, height: size), score: score, name: "person")
    }

    /// Shows a book a frame every tenth of a second; what it tells, as "type id time".
    private func run(
        _ book: inout EventBook, from start: Double = 0, to end: Double, _ frame: (Double) -> FrameAnnotations
    ) -> [String] {
        var told: [String] = []
        for step in Int((start * 10).rounded())...Int((end * 10).rounded()) {
            let time = Double(step) / 10
            for event in book.update(EventSight(frame(time)), source: "door", at: instant(time)) {
                told.append("\(event.phase.rawValue) \(event.id) \(NumberText.decimal(time))")
            }
        }
        return told
    }

    private func tracks(_ tracks: [Track]) -> FrameAnnotations { FrameAnnotations().adding(tracks, by: "t") }

    @Test func `an event begins after hold, ends after release, and begins again after rearm`() throws {
        var book = try book(#"{"visitor": {"class": "person"}}"#) { ($0.hold, $0.release, $0.rearm) = (0.5, 1, 3) }
        let told = run(&book, to: 20) { time in
            // A blink; a visit with a gap; another one at once, and one later.
            let visits: [ClosedRange<Double>] = [1...1.3, 3...3.95, 4.55...6, 7.5...9, 12...13]
            let isThere = visits.contains { $0.contains(time) }
            return self.tracks(isThere ? [self.person()] : [])
        }
        #expect(
            told
                == [
                    "new visitor@3 3.5", "end visitor@3 7", "new visitor@7.5 10", "end visitor@7.5 10",
                    "new visitor@12 12.5", "end visitor@12 14",
                ].filter { !$0.contains("7.5") })
        #expect(book.begun == 2)
    }

    @Test func `an event that goes on is told of now and then, and when it shows better`() throws {
        var book = try book(#"{"visitor": {"class": "person"}}"#) { ($0.hold, $0.update) = (0, 10) }
        var news: [Event] = []
        for step in 0...250 {
            let time = Double(step) / 10
            let track = person(score: time >= 4 && time < 4.05 ? 0.9 : 0.5, size: time >= 7 ? 40 : 10)
            news += book.update(EventSight(tracks([track])), source: "door", at: instant(time))
        }
        #expect(news.map(\.phase) == [.new, .update, .update, .update])
        #expect(news.map { NumberText.decimal($0.now.pts) } == ["0", "4", "7", "17"])
        #expect(news.map(\.isBest) == [true, true, true, false])
        #expect(Set(news.map(\.id)).count == 1)
    }

    @Test func `areas count who is in them for long enough, lines tell each passage at once`() throws {
        var book = try book(
            #"{"full": {"zone": "yard", "atLeast": 2, "dwell": "2s"}, "in": {"line": "door", "direction": "in", "class": ["person"]}}"#
        ) { ($0.hold, $0.release) = (0, 0.5) }
        let told = run(&book, to: 9) { time in
            var yard = Zone(name: "yard", number: 0, shape: .polygon([]))
            if time < 6 {
                yard.inside = [
                    .init(track: 1, name: "person", dwell: time), .init(track: 2, name: "dog", dwell: max(0, time - 1)),
                ]
            }
            var door = Zone(name: "door", number: 1, shape: .line(from: Point(x: 0, y: 0), to: Point(x: 1, y: 1)))
            if time == 5 {
                door.passages = [
                    .init(track: 1, name: "person", direction: .in, time: 4.7),
                    .init(track: 3, name: "person", direction: .out, time: 4.8),
                    .init(track: 2, name: "dog", direction: .in, time: 4.9),
                ]
            }
            return self.tracks([self.person()]).adding([yard, door], by: "z")
        }
        #expect(told == ["new full@3 3", "new in@4.7 5", "end in@4.7 5", "end full@3 6.4"])
    }

    @Test func `an event knows both clocks, who took part and where`() throws {
        var book = try book(#"{"in": {"line": "door"}}"#)
        var door = Zone(name: "door", number: 1, shape: .line(from: Point(x: 0, y: 0), to: Point(x: 1, y: 1)))
        door.passages = [.init(track: 7, name: "person", direction: .out, time: 4.75)]
        let frame = tracks([person(7, score: 0.9)]).adding([door], by: "z")
        let news = book.update(EventSight(frame), source: "cam", at: instant(5))
        var record = JSONWriter()
        _ = FrameAnnotations().adding(news, by: "e").write(to: &record)
        let text = record.withBytes { String(decoding: $0, as: UTF8.self) }
        let common =
            #""rule":"in","source":"cam","time":"2026-03-01T08:00:05.000Z","pts":5,"#
            + #""startTime":"2026-03-01T08:00:04.750Z","startPts":4.75,"#
        let objects = #"[{"track":7,"class":"person","score":0.9,"box":[0,0,10,10]}]"#
        #expect(
            text == #""events":[{"id":"in@4.75","type":"new","# + common
                + #""zone":"door","direction":"out","count":1,"most":1,"best":true,"objects":"# + objects
                + #"},{"id":"in@4.75","type":"end","# + common
                + #""endTime":"2026-03-01T08:00:04.750Z","endPts":4.75,"zone":"door","direction":"out","count":0,"most":1,"#
                + #""best":false,"objects":[]}],"carried":false"#)
    }

    @Test func `rules can change, and a film that starts over ends what was open`() throws {
        var book = try book(
            #"{"a": {"class": "person"}, "b": {}}"#.replacingOccurrences(of: "{}", with: #"{"class": "person"}"#)
        ) {
            $0.hold = 0
        }
        let always = { (_: Double) in self.tracks([self.person()]) }
        #expect(run(&book, to: 1, always).count == 2)
        book.change(to: try rules(#"{"b": {"class": "person"}, "c": {"class": "dog"}}"#).rules, book.options)
        #expect(run(&book, from: 1.1, to: 9, always).map { $0.prefix(5) } == ["end a"])
        #expect(run(&book, from: 0, to: 1, always).map { $0.prefix(5) } == ["end b", "new b"])
    }

    @Test(arguments: [
        (#"{}"#, "names no rule"),
        (#"{"a": {}}"#, "a: says neither class, zone nor line"),
        (#"{"a": {"class": 3}}"#, #"a: "class" is neither a text nor a list of texts"#),
        (#"{"a": {"class": ["x", 3]}}"#, #"a: "class" is neither a text nor a list of texts"#),
        (#"{"a": {"class": "x", "atLeast": 0}}"#, #"a: "atLeast" is no count of 1 or more"#),
        (#"{"a": {"class": "x", "score": 2}}"#, #"a: "score" is not between 0 and 1"#),
        (#"{"a": {"class": "x", "dwell": "2s"}}"#, #"a: "dwell" says nothing of a rule about a class"#),
        (#"{"a": {"zone": "y", "dwell": 2}}"#, #"a: "dwell" is no duration such as "10s""#),
        (#"{"a": {"line": "y", "direction": "up"}}"#, #"a: "direction" is neither "in" nor "out""#),
        (#"{"a": {"line": true}}"#, #"a: "line" is no text"#),
    ])
    func `a rule that says nothing is refused, with what is wrong`(text: String, message: String) throws {
        let read = try rules(text)
        #expect(read.problems.map(\.message) == [message])
        #expect(read.rules.isEmpty)
    }

    @Test func `the node tells when frames were captured, with ids of their own`() throws {
        let run = try pipeline(
            """
            "bars": {"type": "testpattern"},
            "events": {"type": "events", "input": "bars", "hold": 0, "rules": {"a": {"class": "face"}, "b": {"class": "face"}}},
            "end": {"type": "null", "input": "events"}
            """)
        let node = EventsNode("events", try #require(run["events"]).settings) {
            WallTime(nanoseconds: Self.epoch * 1_000_000_000 + Int64($0.capturedAt))
        }
        let base = Rational(1, 25)
        func frame(_ number: UInt64) -> Frame {
            Frame(
                ticket: Ticket(source: 0, sequence: number, capturedAt: number * 40_000_000),
                picture: somePicture(width: 4, height: 4, format: .gray8, color: .assumed(height: 4)),
                pts: MediaTime(ticks: Int64(number), base: base), duration: MediaTime(ticks: 1, base: base),
                stream: StreamInfo(source: "s", frameRate: Rational(25, 1)),
                annotations: FrameAnnotations().adding(
                    [Face(box: Box(x: 0, y: 0, width: 1, height: 1), score: 1)], by: "f"))
        }
        let news = node.judged(frame(1)).annotations(Event.self)
        #expect(news.map(\.id) == ["1772352000040-a", "1772352000040-b"])
        #expect(node.judged(frame(2)).annotations["events"]?.list.isEmpty == true)
    }
}

@Suite struct CSVNodeTests {
    private func table(_ rows: CSVNode.Rows, _ annotations: FrameAnnotations) throws -> [String] {
        let scratch = try Scratch()
        let path = scratch.file("t.csv")
        let node = CSVNode(try LineFile(.init(name: FileNamePattern(path, zone: .utc))), rows)
        let base = Rational(1, 25)
        let frame = Frame(
            ticket: Ticket(source: 0, sequence: 3, capturedAt: 0),
            picture: try PicturePool().make(width: 4, height: 4, format: .gray8, color: .assumed(height: 4)),
            pts: MediaTime(ticks: 3, base: base), duration: MediaTime(ticks: 1, base: base),
            stream: StreamInfo(source: "s", frameRate: Rational(25, 1)), annotations: annotations)
        try node.write(frame, taken: .now)
        try node.finish()
        return try scratch.lines("t.csv")
    }

    private let box = Box(x: 1, y: 2.255, width: 3, height: 4)

    @Test func `boxes, passages and events are rows, with texts quoted where they must be`() throws {
        let boxes = FrameAnnotations()
            .adding([Face(box: box, score: 0.98766)], by: "f", age: 0.04)
            .adding([Detection(box: box, score: 0.5, label: 0, name: "a \"b\", c")], by: "o")
            .adding([Track(id: 7, box: box, score: 1, name: "face")], by: "t")
            .adding([LineSegment(from: Point(x: 0, y: 0), to: Point(x: 1, y: 1), score: 1)], by: "l")
        #expect(
            try table(.boxes, boxes) == [
                "source,frame,pts,kind,id,class,score,x,y,width,height,age",
                "s,3,0.12,faces,,face,0.9877,1,2.26,3,4,0.04",
                #"s,3,0.12,objects,,"a ""b"", c",0.5,1,2.26,3,4,"#,
                "s,3,0.12,tracks,7,face,1,1,2.26,3,4,",
            ])
        var zone = Zone(name: "do,or", number: 0, shape: .line(from: Point(x: 0, y: 0), to: Point(x: 1, y: 1)))
        zone.passages = [.init(track: 7, name: "face", direction: .in, time: 0.1)]
        #expect(
            try table(.passages, FrameAnnotations().adding([zone], by: "z")) == [
                "source,frame,pts,zone,direction,track,class", #"s,3,0.1,"do,or",in,7,face"#,
            ])
        let start = Event.Instant(wall: WallTime(nanoseconds: 1_772_352_000_000_000_000), pts: 1)
        var event = Event(id: "1-a", rule: "a", source: "s", phase: .new, now: start, start: start)
        event.most = 2
        var end = event
        (end.phase, end.end) = (.end, Event.Instant(wall: WallTime(nanoseconds: 1_772_352_003_500_000_000), pts: 4.5))
        #expect(
            try table(.events, FrameAnnotations().adding([event, end], by: "e")) == [
                "source,id,rule,start,end,startPts,endPts,zone,direction,most",
                "s,1-a,a,2026-03-01T08:00:00.000Z,2026-03-01T08:00:03.500Z,1,4.5,,,2",
            ])
    }
}
