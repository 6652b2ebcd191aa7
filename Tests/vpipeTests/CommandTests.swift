// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@Suite struct CommandTests {
    @Test(arguments: [
        (["run"], "Missing expected argument"), (["fly"], "Unexpected argument 'fly'"),
        (["rum"], "did you mean \"run\"?"),
        (["run", "nowhere.json"], "nowhere.json: error: no such pipeline file"),
        (["run", "pipelines/demo.json", "--set", "lines.treshold=1"], "did you mean"),
        (["run", "pipelines/demo.json", "--set", "lines.threshold=7"], "lines.threshold"),
        (["nodes", "retinafase"], "did you mean \"retinaface\""),
        (["models", "info", "yolo"], "there are mlsd, retinaface, "),
        (["g2g"], "name a v4l2loopback device with --show"),
        (["g2g", "--show", "/dev/null", "--rate", "0"], "--rate must be 0.1...240"),
    ])
    func `a user's mistake exits with 2 and says what to do`(_ arguments: [String], _ text: String) throws {
        let outcome = try Program.run(arguments)
        #expect(outcome.status == 2, "\(outcome.errors)")
        #expect(outcome.errors.contains(text), "\(outcome.errors)")
        #expect(outcome.output.isEmpty)
    }

    @Test(arguments: [
        (["--help"], "SUBCOMMANDS"), (["--version"], "0."), (["nodes"], "retinaface"),
        (["nodes", "mlsd"], "threshold"),
        (["schema"], "2020-12"), (["graph", "pipelines/demo.json"], "digraph"),
        (["graph", "pipelines/demo.json", "--format", "mermaid"], "flowchart"),
        (["validate", "pipelines/demo.json"], "ok, 6 nodes"), (["models", "list"], "619,280"),
        (["models", "info", "mlsd"], "4.191 G"),
    ])
    func `a command prints what was asked for`(_ arguments: [String], _ text: String) throws {
        let outcome = try Program.run(arguments)
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.output.contains(text), "\(outcome.output)")
    }

    @Test(arguments: [[:], ["VPIPE_FFMPEG_LOG": "1"]])
    func `credentials of a camera are printed nowhere`(_ log: [String: String]) throws {
        let environment = ["CAMERA": "rtsp://me:hid%40den@127.0.0.1:1/a?token=hidden"].merging(log) { $1 }
        let outcome = try Program.run(["run", "pipelines/rtsp.json"], environment: environment)
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("rtsp://me:***@127.0.0.1:1/a?token=***: nothing listens"), "\(outcome.errors)")
        #expect(!(outcome.errors + outcome.output).contains("hid"))
    }

    @Test func `a missing input exits with 2, its place and what helps`() throws {
        let outcome = try Program.run(["run", "pipelines/faces.json", "--set", "video.url=/nowhere.mp4", "--overwrite"])
        #expect(outcome.status == 2)
        #expect(
            outcome.errors.hasPrefix(
                "pipelines/faces.json:4:5: error: nodes.video.url: no such file (found \"/nowhere.mp4\")"),
            "\(outcome.errors)")
        #expect(outcome.errors.split(separator: "\n").count == 2)
    }
}

@Suite struct ModelsEvalTests {
    @Test(arguments: [
        (["yolo", "--data", "/tmp"], "no evaluation for \"yolo\""),
        (["ddrnet", "--data", "/nowhere"], "/nowhere/val: no such folder; pictures are expected in /nowhere/val"),
    ])
    func `what cannot be measured is said`(_ arguments: [String], _ text: String) throws {
        let outcome = try Program.run(["models", "eval"] + arguments)
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains(text), "\(outcome.errors)")
    }

    @Test func `mistakes in a file of classes are reported by place and exit with 2`() throws {
        let path = NSTemporaryDirectory() + "/vpipe-classes-\(UUID().uuidString).json"
        try Data(##"{ "classes": [ { "name": "road", "colour": "#102030" }, { "name": "road" } ] }"##.utf8)
            .write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let outcome = try Program.run(["run", "pipelines/segment.json", "--set", "road.classes=\(path)", "--overwrite"])
        #expect(outcome.status == 2)
        #expect(outcome.errors.contains("\(path):1:34: error: classes[0].colour: unknown key"), "\(outcome.errors)")
        #expect(outcome.errors.contains("is the name of classes[0], too"), "\(outcome.errors)")
    }
}

@Suite(.serialized) struct RunTests {
    private let scratch: String

    init() throws {
        scratch = NSTemporaryDirectory() + "/vpipe-run-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
    }

    @Test(.timeLimit(.minutes(15))) func `lines and faces of the small sample are found, drawn and recorded`() throws {
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let outcome = try Program.run(
            ["run", "pipelines/demo.json", "--set", "lines.size=256x256"],
            environment: [
                "INPUT": "samples/tiny.mp4", "OUTPUT": scratch + "/a.mp4", "RESULTS": scratch + "/a.jsonl",
                "XDG_CACHE_HOME": scratch,
            ])
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.errors.contains("video: 50 frames in = 50 delivered + 0 dropped"))
        let found = try records(scratch + "/a.jsonl")
        let truth = try records(Program.root + "/samples/tiny.jsonl")
        #expect(found.count == truth.count)
        var hits = 0
        var lines = 0
        for (record, true_) in zip(found, truth) {
            #expect(record["frame"] as? Int == true_["frame"] as? Int)
            hits += boxes(true_).count { wanted in boxes(record).contains { overlap($0, wanted) >= 0.5 } }
            lines += (record["lines"] as? [Any])?.count ?? 0
        }
        // One face a frame; the default weights find it in all of them.
        #expect(hits >= 45, "\(hits) of 50 faces")
        #expect(lines > 50, "\(lines) lines")
        #expect(try Data(contentsOf: URL(fileURLWithPath: scratch + "/a.mp4")).count > 10_000)
    }

    @Test(.timeLimit(.minutes(15))) func `an interrupt delivers what is under way and exits with 0`() throws {
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let file = scratch + "/a.jsonl"
        let text = """
            {"nodes":{"bars":{"type":"testpattern","size":"64x64","frames":0,"realtime":true},
            "video":{"type":"file","input":"bars","path":"\(scratch)/a.mp4"},
            "text":{"type":"jsonl","input":"bars","path":"\(file)"}}}
            """
        try Data(text.utf8).write(to: URL(fileURLWithPath: scratch + "/p.json"))
        let outcome = try Program.run(["run", scratch + "/p.json"]) {
            ((try? Data(contentsOf: URL(fileURLWithPath: file)))?.count ?? 0) > 1500
        }
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.errors.contains("stopping"))
        #expect(outcome.errors.contains("frames of libx264 in mp4"))
        let bytes = try Data(contentsOf: URL(fileURLWithPath: scratch + "/a.mp4"))
        // Finalised: the index stands in front of the pictures.
        let index = bytes.range(of: Data("moov".utf8))?.lowerBound ?? .max
        #expect(index < bytes.range(of: Data("mdat".utf8))?.lowerBound ?? 0)
    }

    private func records(_ path: String) throws -> [[String: Any]] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").filter { $0.contains("\"frame\":") }
            .map { line in
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
                return try #require(object as? [String: Any])
            }
    }

    private func boxes(_ record: [String: Any]) -> [[Double]] {
        (record["faces"] as? [[String: Any]] ?? []).compactMap { face in
            (face["box"] as? [NSNumber])?.map(\.doubleValue)
        }
    }

    private func overlap(_ a: [Double], _ b: [Double]) -> Double {
        let width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
        let height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
        guard width > 0, height > 0 else { return 0 }
        return width * height / (a[2] * a[3] + b[2] * b[3] - width * height)
    }
}

@Suite(.serialized) struct ServiceTests {
    /// Datagrams that arrive at a socket of the service manager's kind.
    private final class Manager {
        let path: String
        private let descriptor: Int32

        init() throws {
            path = NSTemporaryDirectory() + "/vpipe-\(UInt32.random(in: 0...UInt32.max)).sock"
            descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            let name = Array(path.utf8)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
            let status = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            try #require(status == 0)
        }

        deinit {
            close(descriptor)
            unlink(path)
        }

        /// Everything that has come so far.
        func messages() -> [String] {
            var messages: [String] = []
            var buffer = [UInt8](repeating: 0, count: 4096)
            while case let count = recv(descriptor, &buffer, buffer.count, 0), count > 0 {
                messages.append(String(decoding: buffer[..<count], as: UTF8.self))
            }
            return messages
        }
    }

    @Test(.timeLimit(.minutes(15))) func `the service manager hears ready, alive, reloading and stopping`() throws {
        let manager = try Manager()
        let file = NSTemporaryDirectory() + "/vpipe-service-\(UUID().uuidString).json"
        defer { try? FileManager.default.removeItem(atPath: file) }
        func write(_ fps: String) throws {
            try """
            {"nodes":{"bars":{"type":"testpattern","size":"64x64","frames":0,"realtime":true},
            "thin":{"type":"rate","input":"bars","fps":\(fps)},"end":{"type":"null","input":"thin"}}}
            """.write(toFile: file, atomically: true, encoding: .utf8)
        }
        try write("20")
        var heard: [String] = []
        var step = 0
        let outcome = try Program.run(
            ["run", file], environment: ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "400000"],
            signalWhen: {
                heard += manager.messages()
                switch step {
                case 0 where heard.contains { $0.hasPrefix("WATCHDOG=1") }:
                    step = 1
                    try? write("10")
                    return SIGHUP
                case 1 where heard.filter { $0.hasPrefix("READY=1") }.count == 2:
                    step = 2
                    try? write("oops")
                    return SIGHUP
                case 2 where heard.filter { $0.hasPrefix("READY=1") }.count == 3:
                    step = 3
                    return SIGTERM
                default: return nil
                }
            })
        heard += manager.messages()
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(heard.first?.hasPrefix("READY=1") == true)
        #expect(heard.contains { $0.hasPrefix("RELOADING=1\nMONOTONIC_USEC=") })
        #expect(heard.last?.hasPrefix("STOPPING=1") == true || heard.contains { $0.hasPrefix("STOPPING=1") })
        #expect(outcome.errors.contains("reloaded: thin.fps: 20 -> 10"))
        #expect(outcome.errors.contains("nothing was reloaded: the file has errors"))
    }

    @Test(.timeLimit(.minutes(15))) func `told to programs, every line is an object`() throws {
        let scratch = NSTemporaryDirectory() + "/vpipe-told-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let file = scratch + "/told.json"
        let records = scratch + "/a.jsonl"
        // Nobody reads `idle`, and `text` has nothing to write: a warning each.
        try """
        {"nodes":{"bars":{"type":"testpattern","size":"64x64","frames":0,"realtime":true},
        "idle":{"type":"rate","input":"bars","fps":5},
        "text":{"type":"jsonl","input":"bars","path":"\(records)"}}}
        """.write(toFile: file, atomically: true, encoding: .utf8)
        var step = 0
        let outcome = try Program.run(
            ["run", file, "--log-format", "json"],
            signalOn: { errors in
                switch step {
                // Some frames are through: it runs.
                case 0 where ((try? Data(contentsOf: URL(fileURLWithPath: records)))?.count ?? 0) > 1500:
                    step = 1
                    try? "oops".write(toFile: file, atomically: true, encoding: .utf8)
                    return SIGHUP
                case 1 where errors.contains("nothing was reloaded"):
                    step = 2
                    return SIGTERM
                default: return nil
                }
            })
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(
            try events(outcome.errors) == ["warning", "warning", "reload", "reload", "stopping", "report"],
            "\(outcome.errors)")
        let wrong = try Program.run(["run", file, "--log-format", "json"])
        #expect(wrong.status == 2)
        #expect(try events(wrong.errors) == ["error"])
        let failed = try Program.run(
            ["run", "pipelines/faces.json", "--log-format", "json", "--set", "video.url=/nowhere.mp4", "--overwrite"])
        #expect(failed.status == 2)
        #expect(try events(failed.errors) == ["error"])
    }

    @Test(.timeLimit(.minutes(15))) func `a reload asked for while the pipeline is still being set up is not lost`()
        throws
    {
        let scratch = NSTemporaryDirectory() + "/vpipe-early-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let file = scratch + "/early.json"
        func write(_ fps: String) throws {
            try """
            {"nodes":{"bars":{"type":"testpattern","size":"64x64","frames":0,"realtime":true},
            "thin":{"type":"rate","input":"bars","fps":\(fps)},
            "first":{"type":"jsonl","input":"thin","path":"\(scratch)/first.jsonl"},
            "second":{"type":"jsonl","input":"thin","path":"\(scratch)/pipe","overwrite":true}}}
            """.write(toFile: file, atomically: true, encoding: .utf8)
        }
        try write("20")
        // Opening it for writing takes until somebody reads: the set-up of `second` lasts as long as the test wants.
        try #require(mkfifo(scratch + "/pipe", 0o600) == 0)
        var reader: Int32 = -1
        defer { if reader >= 0 { close(reader) } }
        var step = 0
        let outcome = try Program.run(
            ["run", file],
            signalOn: { errors in
                switch step {
                case 0 where FileManager.default.fileExists(atPath: scratch + "/first.jsonl"):
                    step = 1
                    try? write("10")
                    return SIGHUP
                case 1:
                    step = 2
                    reader = open(scratch + "/pipe", O_RDONLY | O_NONBLOCK)
                case 2:
                    var buffer = [UInt8](repeating: 0, count: 1 << 16)
                    while read(reader, &buffer, buffer.count) > 0 {}
                    guard errors.contains("reloaded: thin.fps: 20 -> 10") else { return nil }
                    step = 3
                    return SIGTERM
                default: break
                }
                return nil
            })
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(step == 3, "\(outcome.errors)")
    }

    /// The kind of each line, frames lost on a busy machine left out; a line that is no object is an error.
    private func events(_ text: String) throws -> [String?] {
        try text.split(separator: "\n").map { line in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return object?["event"] as? String
        }
        .filter { $0 != "dropped" && $0 != "progress" }
    }
}
