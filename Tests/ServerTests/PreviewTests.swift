// SPDX-License-Identifier: Apache-2.0
import Annotations
import Dataflow
import Foundation
import Media
import Synchronization
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage
@testable import Server

/// Writes the frame's number into the picture, as 16 bright or dark blocks, and into a result: the x of a face.
struct Stamp: FrameProcessor {
    static let contract = Contract(
        "stamp", .processing, summary: "Numbers frames", outputs: [OutputPort(adds: [.faces])], parameters: [offset])
    static let offset = Param.number(
        "offset", default: 0, range: 0...100, changeable: false, doc: "Where the faces are")
    private let pool = PicturePool()

    init(_ settings: Settings, _ context: BuildContext) {}

    mutating func process(_ frame: Frame) throws -> Frame? {
        let number = frame.ticket.sequence
        let picture = try pool.writableCopy(of: frame.picture)
        let plane = picture.mutablePlane(0)
        for y in 0..<16 {
            let row = plane.row(y)
            for x in 0..<256 { row[x] = number >> UInt64(x / 16) & 1 == 1 ? 220 : 30 }
        }
        let box = Box(x: Float(number), y: 20, width: 10, height: 10)
        return frame.replacing(picture: picture).adding([Face(box: box, score: 1)], by: "stamp")
    }

    /// The number in a picture.
    static func number(in picture: Picture) -> UInt64 {
        let row = picture.plane(0).row(8)
        return (0..<16).reduce(0) { $0 | (row[$1 * 16 + 8] > 128 ? 1 << UInt64($1) : 0) }
    }
}

/// A picture as it reached a viewer.
struct Shot {
    let view: UInt8
    let serial: UInt32
    let frame: UInt64
    let results: JSONNode
    let jpeg: [UInt8]

    init(_ bytes: [UInt8]) {
        func number(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
        view = bytes[1]
        let length = Int(number(2..<4))
        serial = UInt32(number(4..<8))
        frame = number(8..<16)
        results = JSONTree(bytes: Array(bytes[24..<24 + length])).root ?? JSONNode(.null)
        jpeg = Array(bytes[(24 + length)...])
    }
}

extension Client {
    /// The next picture, other messages passed to `text`.
    func shot(_ text: (JSONNode) -> Void = { _ in }) throws -> Shot {
        while true {
            let frame = try frame()
            if frame.opcode == 2 { return Shot(frame.body) }
            if frame.opcode == 1, let message = JSONTree(bytes: frame.body).root { text(message) }
            if frame.opcode == 8 { throw Failed() }
        }
    }

    /// The next message of a type.
    func message(_ type: String) throws -> JSONNode {
        while true {
            let frame = try frame()
            if frame.opcode == 8 { throw Failed() }
            guard frame.opcode == 1, let message = JSONTree(bytes: frame.body).root else { continue }
            if message["type"]?.string == type { return message }
        }
    }

    func noteDrawn(_ shot: Shot) { say(#"{"drawn":[\#(shot.view),\#(shot.serial)]}"#) }
}

@Suite(.serialized, .timeLimit(.minutes(5))) struct PreviewTests {
    /// What a viewer is told of a change.
    private struct Answer: Equatable {
        let isDone: Bool
        let text: String
    }

    /// A run that goes on until it is stopped, with a preview on a port of its own.
    private final class Shown {
        let run: PipelineRun
        let preview: Preview
        let server: RunServer
        var port: UInt16 { server.address.port }

        init(_ nodes: String, fps: Double = 60, views: [String]? = nil) throws {
            var registry = NodeRegistry.builtIn
            try registry.register(Stamp.self)
            run = try PipelineRun(
                PipelineFile(name: "test.json", text: #"{"nodes":{\#(nodes)}}"#), registry: registry)
            var style = Preview.Style()
            style.fps = fps
            preview = Preview(run, nodes: views, style: style)
            server = try RunServer(at: .loopback(port: 0), access: Access())
            server.attach(run, preview: preview)
            try run.start()
        }

        func viewer() throws -> Client {
            let client = try Client(port: port)
            let answer = try client.upgrade("/live", port: port, headers: ["Origin": "http://127.0.0.1:\(port)"])
            #expect(answer.hasPrefix("HTTP/1.1 101 "))
            return client
        }

        func waitForItems(_ count: UInt64, at node: String) {
            let goal = (run.snapshot().node(node)?.items ?? 0) + count
            while (run.snapshot().node(node)?.items ?? 0) < goal { usleep(2000) }
        }

        deinit {
            run.stop()
            _ = run.waitUntilFinished()
            server.stop()
        }
    }

    private static let stamped = """
        "bars": {"type": "testpattern", "size": "320x180", "fps": 120, "frames": 0, "realtime": true},
        "stamp": {"type": "stamp", "input": "bars"},
        "end": {"type": "null", "input": "stamp"}
        """

    @Test func `the results are those of the picture, in a hundred of a hundred`() throws {
        let shown = try Shown(Self.stamped)
        let viewer = try shown.viewer()
        viewer.say(#"{"watch":["stamp"]}"#)
        let scratch = try Scratch()
        let path = scratch.file("a.jpg")
        var last: UInt64?
        for _ in 0..<100 {
            let shot = try viewer.shot()
            try Data(shot.jpeg).write(to: URL(fileURLWithPath: path))
            let picture = try ImageReader.read(path)
            #expect(Stamp.number(in: picture) == shot.frame & 0xFFFF)
            let layer = shot.results["results"]?.elements.first
            #expect(layer?["node"]?.string == "stamp")
            #expect(layer?["items"]?.elements.first?["box"]?.elements.first?.number == Double(shot.frame))
            if let last { #expect(shot.frame > last) }
            last = shot.frame
            viewer.noteDrawn(shot)
        }
        #expect(shown.preview.figures.drawn.count >= 99)
    }

    @Test func `the picture is the one from before the overlay drew on it, with all results`() throws {
        let kept = Mutex<[UInt64: (drawn: Picture, clean: Picture)]>([:])
        let stamped = Mutex<[UInt64: Picture]>([:])
        let shown = try Shown(
            """
            "bars": {"type": "testpattern", "size": "320x180", "fps": 60, "frames": 0, "realtime": true},
            "stamp": {"type": "stamp", "input": "bars"},
            "overlay": {"type": "overlay", "inputs": ["stamp"]},
            "end": {"type": "null", "input": "overlay"}
            """)
        shown.run.tap("stamp") { frame, clean in
            stamped.withLock { $0[frame.ticket.sequence] = clean }
            return true
        }
        shown.run.tap("overlay") { frame, clean in
            kept.withLock { $0[frame.ticket.sequence] = (frame.picture, clean) }
            return true
        }
        let viewer = try shown.viewer()
        let graph = try viewer.message("graph")
        #expect(graph["views"]?.elements.compactMap(\.string) == ["overlay"])
        #expect(graph["nodes"]?.elements.count == 4)
        viewer.say(#"{"watch":["overlay"]}"#)
        #expect(try viewer.shot().results["results"]?.elements.first?["kind"]?.string == "faces")
        shown.waitForItems(10, at: "end")
        let (pairs, made) = (kept.withLock { $0 }, stamped.withLock { $0 })
        #expect(pairs.count >= 10)
        for (number, pair) in pairs {
            #expect(pair.clean !== pair.drawn)
            if let picture = made[number] { #expect(pair.clean === picture) }
        }
    }

    @Test func `without a viewer nothing is encoded`() throws {
        let shown = try Shown(Self.stamped)
        shown.waitForItems(60, at: "end")
        #expect(shown.preview.figures.views.map(\.encoded) == [0])
        // Nor for one that looks elsewhere.
        let viewer = try shown.viewer()
        viewer.say(#"{"watch":["nothing"]}"#)
        shown.waitForItems(60, at: "end")
        #expect(shown.preview.figures.views.map(\.encoded) == [0])
        #expect(shown.preview.notes == ["nobody looked: no picture was encoded"])
    }

    @Test func `eight viewers share one encoder`() throws {
        let shown = try Shown(Self.stamped, fps: 20)
        let viewers = try (0..<8).map { _ in try shown.viewer() }
        for viewer in viewers { viewer.say(#"{"watch":["stamp"]}"#) }
        for _ in 0..<10 {
            for viewer in viewers { viewer.noteDrawn(try viewer.shot()) }
        }
        let figures = shown.preview.figures
        #expect(figures.viewers == 8)
        #expect(figures.sent >= 80)
        // Each was sent to several.
        #expect(figures.views[0].encoded * 2 < figures.sent, "\(figures)")
    }

    @Test func `a viewer that stops gets two pictures, and costs nothing after that`() throws {
        let shown = try Shown(Self.stamped)
        let viewer = try shown.viewer()
        viewer.say(#"{"watch":["stamp"]}"#)
        let shots = [try viewer.shot(), try viewer.shot()]
        shown.waitForItems(30, at: "end")
        let before = shown.preview.figures
        shown.waitForItems(60, at: "end")
        let after = shown.preview.figures
        #expect(after.sent == 2)
        #expect(after.views[0].encoded == before.views[0].encoded)
        #expect(after.skipped > before.skipped)
        // It goes on where it wakes up, with what is new.
        for shot in shots { viewer.noteDrawn(shot) }
        #expect(try viewer.shot().frame > shots[1].frame + 60)
    }

    @Test func `a setting changes as by a reload, and is told and reported`() throws {
        let shown = try Shown(
            """
            "bars": {"type": "testpattern", "size": "320x180", "fps": 60, "frames": 0, "realtime": true},
            "overlay": {"type": "overlay", "inputs": ["bars"]},
            "end": {"type": "null", "input": "overlay"}
            """)
        let viewer = try shown.viewer()
        func set(_ node: String, _ parameter: String, _ value: String) throws -> Answer {
            viewer.say(#"{"set":{"node":"\#(node)","parameter":"\#(parameter)","value":\#(value)}}"#)
            let answer = try viewer.message("set")
            return Answer(isDone: answer["ok"]?.boolean ?? false, text: answer["text"]?.string ?? "")
        }
        #expect(
            try set("overlay", "maskOpacity", "0.25") == Answer(isDone: true, text: "overlay.maskOpacity: 0.4 -> 0.25"))
        #expect(try set("overlay", "labels", "false") == Answer(isDone: true, text: "overlay.labels: true -> false"))
        let refused = try set("overlay", "maskOpacity", "7")
        #expect(!refused.isDone && refused.text.contains("between 0 and 1"), "\(refused)")
        #expect(try set("bars", "fps", "5") == Answer(isDone: false, text: "bars.fps cannot be changed while running"))
        #expect(try !set("nobody", "fps", "5").isDone)
        let notes = shown.run.notes().filter { $0.node == "changed while running" }.flatMap(\.lines)
        #expect(
            notes == [
                "overlay.maskOpacity: 0.4 -> 0.25 (preview)", "overlay.labels: true -> false (preview)",
            ])
        // Who comes later sees the values in force and what happened.
        let late = try shown.viewer()
        let overlay = try late.message("graph")["nodes"]?.elements.first { $0["id"]?.string == "overlay" }
        let opacity = overlay?["parameters"]?.elements.first { $0["name"]?.string == "maskOpacity" }
        #expect(opacity?["value"]?.number == 0.25)
        while true {
            let past = try shown.viewer().message("past")["events"]?.elements.compactMap { $0["text"]?.string }
            if past?.contains("maskOpacity: 0.4 -> 0.25 (preview)") == true { break }
            usleep(10_000)
        }
    }

    @Test func `nonsense from a viewer changes nothing and crashes nothing`() throws {
        let shown = try Shown(Self.stamped)
        let viewer = try shown.viewer()
        for text in [
            "", "{", "[]", "null", #"{"watch":7}"#, #"{"watch":[1,null,{}]}"#, #"{"drawn":[-1,1e99]}"#,
            #"{"drawn":[0,4294967295]}"#, #"{"drawn":["a"]}"#, #"{"set":{}}"#,
            #"{"set":{"node":"a=b","parameter":"","value":[]}}"#,
            #"{"error":"\#(String(repeating: "x", count: 5000))"}"#, String(repeating: "[", count: 10_000),
        ] { viewer.say(text) }
        viewer.say(#"{"watch":["stamp"]}"#)
        #expect(try viewer.shot().jpeg.prefix(2) == [0xFF, 0xD8])
        #expect(shown.preview.figures.problems.map(\.count) == [216])
    }

    @Test func `state comes four times a second and adds up`() throws {
        let shown = try Shown(Self.stamped)
        let viewer = try shown.viewer()
        _ = try viewer.message("state")
        let state = try viewer.message("state")
        #expect(state["nodes"]?.elements.map { $0.elements[0].string ?? "" } == ["bars", "stamp", "end"])
        #expect(state["edges"]?.elements.count == 2)
        #expect(state["binding"]?.string != nil)
        let rate = state["fps"]?.number ?? 0
        #expect(rate > 0 && rate < 200)
    }

    @Test func `no answer holds a secret`() throws {
        let shown = try Shown(
            """
            "bars": {"type": "testpattern", "size": "64x64", "fps": 60, "frames": 0, "realtime": true},
            "out": {"type": "stream", "input": "bars", "url": "rtmp://user:xyzzy42@127.0.0.1:1/live/xyzzy42"}
            """)
        let viewer = try shown.viewer()
        var said = ""
        for _ in 0..<4 { said += String(decoding: try viewer.frame().body, as: UTF8.self) }
        for path in ["/", "/metrics", "/readyz", "/page.js", "/nothing"] {
            said += try Client.get(path, port: shown.port)
        }
        #expect(said.contains("\"out\""))
        #expect(!said.contains("xyzzy42"))
    }
}

@Suite struct PageTests {
    @Test func `the page is small and asks nobody else`() throws {
        let files = [
            PackageResources.index_html, PackageResources.page_css, PackageResources.page_js, PackageResources.icon_svg,
        ]
        #expect(files.reduce(0) { $0 + $1.count } <= 100_000)
        for file in files {
            let text = String(decoding: file, as: UTF8.self).replacing("http://www.w3.org/2000/svg", with: "")
            for foreign in ["http://", "https://", "//cdn", "@import", "<script>", "style=\"", "onclick=\"", "eval("] {
                #expect(!text.contains(foreign), "\(foreign)")
            }
        }
    }
}

@Suite struct PreviewNodeTests {
    private func problems(_ parameters: String) -> [String] {
        let text = #"{"nodes":{"bars":{"type":"testpattern"},"page":{"type":"preview","input":"bars"\#(parameters)}}}"#
        return PipelineFile(name: "p.json", text: text).check(against: NodeRegistry.complete.contracts)
            .diagnostics.map(\.description)
    }

    @Test(arguments: [
        (#","address":"0.0.0.0:80""#, "add \"token\""), (#","address":"cam.example""#, "is no address to listen on"),
        (#","address":"[::]:80","token":"short""#, "must be 8 to 128 letters"), (#","size":1"#, "between 64 and 4096"),
    ])
    func `what is unsafe or wrong is said before anything is opened`(_ parameters: String, _ text: String) {
        let found = problems(parameters)
        #expect(found.count == 1 && found[0].contains(text), "\(found)")
    }

    @Test(arguments: ["", #","address":"[::1]:0""#, #","address":"0.0.0.0:0","token":"long-enough-token""#])
    func `what is safe is valid`(_ parameters: String) { #expect(problems(parameters).isEmpty) }

    @Test(.timeLimit(.minutes(5))) func `the node serves its inputs until the run ends`() throws {
        let text = """
            {"nodes":{"bars":{"type":"testpattern","size":"64x64","frames":0,"realtime":true},
            "page":{"type":"preview","input":"bars","address":"127.0.0.1:0"}}}
            """
        let run = try PipelineRun(PipelineFile(name: "p.json", text: text), registry: .complete)
        try run.start()
        let line = try #require(run.announcements.first)
        let port = try #require(line.split(separator: ":").last.flatMap { UInt16($0.dropLast()) })
        #expect(try Client.get("/", port: port).contains("<title>vpipe</title>"))
        let viewer = try Client(port: port)
        #expect(try viewer.upgrade("/live", port: port).hasPrefix("HTTP/1.1 101 "))
        viewer.say(#"{"watch":["bars"]}"#)
        #expect(try viewer.shot().jpeg.count > 100)
        run.stop()
        let report = run.waitUntilFinished()
        #expect(report.isBalanced)
        while let bytes = try? viewer.receive(), !bytes.isEmpty {}
        #expect(throws: Client.Failed.self) { try Client(port: port) }
    }
}
