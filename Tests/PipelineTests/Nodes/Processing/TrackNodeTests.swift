// SPDX-License-Identifier: Apache-2.0
import Annotations
import Foundation
import Media
import MediaTestSupport
import TestSupport
import Testing

@testable import Dataflow
@testable import Pipeline

@Suite struct TrackNodeTests {
    private func made(_ parameters: String = "") throws -> TrackNode {
        let run = try pipeline(
            """
            "bars": {"type": "testpattern"},
            "track": {"type": "track", "input": "bars"\(parameters)},
            "end": {"type": "null", "input": "track"}
            """)
        return TrackNode("track", try #require(run["track"]).settings)
    }

    private func frame(
        _ number: Int, _ picture: Picture? = nil, rate: Int32 = 25, hasSignal: Bool = true,
        _ annotations: FrameAnnotations = FrameAnnotations()
    ) -> Frame {
        let base = Rational(1, rate)
        return Frame(
            ticket: Ticket(source: 0, sequence: UInt64(number), capturedAt: 0),
            picture: picture ?? somePicture(width: 64, height: 64, format: .gray8, color: .assumed(height: 64)),
            pts: MediaTime(ticks: Int64(number), base: base), duration: MediaTime(ticks: 1, base: base),
            stream: StreamInfo(source: "s", frameRate: Rational(rate, 1), hasSignal: hasSignal),
            annotations: annotations)
    }

    private func face(_ x: Float, score: Float = 0.9) -> Face {
        Face(box: Box(x: x, y: 10, width: 20, height: 20), score: score)
    }

    /// The true faces of a sample, each with a number of its own that it keeps.
    private func truth(_ sample: String) throws -> [[(person: Int, box: Box)]] {
        struct Line: Decodable {
            struct TrueFace: Decodable { var box: [Float] }
            var faces: [TrueFace]
        }
        var (frames, people): ([[(person: Int, box: Box)]], Int) = ([], 0)
        for line in try String(contentsOfFile: packageRoot + "/samples/\(sample).jsonl", encoding: .utf8)
            .split(separator: "\n")
        {
            let faces = try JSONDecoder().decode(Line.self, from: Data(line.utf8)).faces
            frames.append(
                faces.map { face in
                    let box = Box(x: face.box[0], y: face.box[1], width: face.box[2], height: face.box[3])
                    if let known = frames.last?.first(where: { $0.box.iou(box) > 0.6 }) { return (known.person, box) }
                    people += 1
                    return (people, box)
                })
        }
        return frames
    }

    /// The share of all faces' lives in which the person's own track lies on the face.
    private func kept(_ sample: String, frames limit: Int, every: Int, _ predict: String) throws -> Double {
        let node = try made(#", "predict": "\#(predict)""#)
        let reader = try VideoReader(packageRoot + "/samples/\(sample).mp4")
        let truth = try truth(sample)
        var ids: [Int: [Int: Int]] = [:]
        var (lives, number) = (0, 0)
        while number < min(limit, truth.count), let decoded = try reader.read() {
            let isLook = number % every == 0
            let seen = truth[isLook ? number : number - number % every].map { Face(box: $0.box, score: 0.9) }
            let annotations = FrameAnnotations().adding(
                seen, by: "faces", age: isLook ? nil : Double(number % every) / 25)
            let tracks = node.tracked(frame(number, decoded.picture, annotations)).annotations(Track.self)
            // The first look makes nobody known.
            if number >= every {
                for face in truth[number] {
                    lives += 1
                    if let track = tracks.first(where: { $0.box.iou(face.box) >= 0.5 }) {
                        ids[face.person, default: [:]][track.id, default: 0] += 1
                    }
                }
            }
            number += 1
        }
        let own = ids.values.reduce(0) { $0 + ($1.values.max() ?? 0) }
        return Double(own) / Double(lives)
    }

    @Test(arguments: [("faces", "flow"), ("faces", "constant"), ("demo", "flow"), ("demo", "constant")])
    func `faces looked at every fifth frame keep their ids`(sample: String, predict: String) throws {
        let all = ProcessInfo.processInfo.environment["VPIPE_FIGURES"] != nil
        let share = try kept(sample, frames: all ? 1000 : 40, every: 5, predict)
        if all { print("\(sample), \(predict): \(share)") }
        #expect(share >= 0.95)
    }

    @Test func `frames between looks have the tracks, marked and moved`() throws {
        let node = try made(#", "predict": "constant", "confirm": "30ms", "trail": "0s""#)
        var seen: [(x: Float, age: Double?)] = []
        for number in 0..<12 {
            let look = number - number % 3
            let annotations = FrameAnnotations().adding(
                [face(10 + 2 * Float(look))], by: "faces", age: number == look ? nil : Double(number - look) / 25)
            let entry = node.tracked(frame(number, nil, annotations)).annotations["track"]
            guard let track = entry?.list.items(Track.self)?.first else { continue }
            #expect(track.id == 1 && track.name == "face" && track.state == .seen)
            seen.append((track.box.x, entry?.age))
        }
        // From the second look on.
        #expect(seen.map { Int((($0.age ?? 0) * 25).rounded()) } == [0, 1, 2, 0, 1, 2, 0, 1, 2])
        for (index, track) in seen.enumerated() { #expect(abs(track.x - (16 + 2 * Float(index))) < 2.5) }
    }

    @Test func `what is followed can be chosen, and lost tracks say so`() throws {
        let node = try made(#", "of": "objects", "classes": ["cat"], "predict": "constant", "lost": "200ms""#)
        var states: [[String]] = []
        for number in 0..<16 {
            let objects = (number < 8 ? ["cat", "dog"] : ["dog"]).map {
                Detection(
                    box: Box(x: $0 == "cat" ? 0 : 100, y: 0, width: 30, height: 30), score: 0.9, label: 0, name: $0)
            }
            let annotations = FrameAnnotations().adding([face(300)], by: "faces").adding(objects, by: "objects")
            states.append(
                node.tracked(frame(number, nil, annotations)).annotations(Track.self).map {
                    "\($0.name) \($0.id) \($0.state.rawValue)"
                })
        }
        #expect(states[0].isEmpty)
        #expect(states[1...7].allSatisfy { $0 == ["cat 1 seen"] })
        #expect(states[8...12].allSatisfy { $0 == ["cat 1 lost"] })
        #expect(states[15].isEmpty)
    }

    @Test func `a picture without signal has no tracks, and a trail is the way that was gone`() throws {
        let node = try made(#", "predict": "constant", "trail": "400ms""#)
        func step(_ number: Int, hasSignal: Bool = true) -> Frame {
            let faces = FrameAnnotations().adding([face(Float(number))], by: "faces")
            return node.tracked(frame(number, nil, hasSignal: hasSignal, hasSignal ? faces : FrameAnnotations()))
        }
        var last: Track?
        for number in 0..<30 { last = step(number).annotations(Track.self).first }
        let trail = try #require(last?.trail)
        #expect(trail.count > 10 && trail.count <= 16)
        #expect(trail.allSatisfy { abs($0.y - 20) < 0.5 } && zip(trail, trail.dropFirst()).allSatisfy { $0.x < $1.x })
        #expect(step(30, hasSignal: false).annotations.isEmpty)
        #expect(step(31).annotations(Track.self).first?.id == 1)
    }

    @Test func `a track is a record`() {
        let track = Track(
            id: 7, box: Box(x: 1, y: 2, width: 3, height: 4), score: 0.5, name: "person", state: .lost,
            duration: 1.23456, velocity: Point(x: 3, y: -4))
        var record = JSONWriter()
        _ = FrameAnnotations().adding([track], by: "t").write(to: &record)
        #expect(
            record.withBytes { String(decoding: $0, as: UTF8.self) }
                == #""tracks":[{"id":7,"box":[1,2,3,4],"score":0.5,"class":"person","state":"lost","duration":1.235,"#
                + #""velocity":[3,-4],"speed":5}],"carried":false"#)
    }
}
