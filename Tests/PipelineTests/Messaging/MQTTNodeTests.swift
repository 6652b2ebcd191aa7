// SPDX-License-Identifier: Apache-2.0
import Annotations
import Basics
import Dataflow
import Foundation
import InferenceTestSupport
import Media
import MediaTestSupport
import TestPeers
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage

/// A broker of our own, and what everybody is told.
final class Broker {
    static let program =
        Peer.find("mosquitto")
        ?? (FileManager.default.isExecutableFile(atPath: "/usr/sbin/mosquitto") ? "/usr/sbin/mosquitto" : nil)
    let port: Int
    let securePort: Int?
    let certificate: String
    private let scratch: Scratch
    private var peer: Peer?
    private var listener: Process?

    /// With `tls`, of a certificate of its own, `certificate`, at a second port.
    init(tls: Bool = false) throws {
        scratch = try Scratch()
        port = try LocalSocket.freePort()
        certificate = scratch.file("broker.pem")
        // What a session has not had yet outlives the broker.
        var lines = [
            "listener \(port) 127.0.0.1", "allow_anonymous true", "persistence true",
            "persistence_location \(scratch.path)/", "user root",
        ]
        securePort = tls ? try LocalSocket.freePort() : nil
        if let securePort {
            try Tool.run(
                Peer.openssl,
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                    certificate, "-out", certificate, "-subj", "/CN=127.0.0.1", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-days", "2",
                ])
            lines += ["listener \(securePort) 127.0.0.1", "certfile \(certificate)", "keyfile \(certificate)"]
        }
        try (lines.joined(separator: "\n") + "\n").write(
            toFile: scratch.file("conf"), atomically: true, encoding: .utf8)
    }

    deinit {
        // It heeds no gentler signal while it waits for its broker.
        if let listener, listener.isRunning {
            Foundation.kill(listener.processIdentifier, SIGKILL)
            listener.waitUntilExit()
        }
    }

    func start() throws {
        // A test's thread holds signals back, which a child takes over; this one is to end orderly.
        let script =
            "import os, signal, sys; signal.pthread_sigmask(signal.SIG_SETMASK, []); os.execv(sys.argv[1], sys.argv[1:])"
        let program = try #require(Self.program)
        peer = try Peer(Peer.python, ["-c", script, program, "-c", scratch.file("conf")])
        try wait { (try? connects()) == true }
        guard listener == nil else { return }
        // It comes back with the broker by itself.
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Peer.find("mosquitto_sub") ?? "/usr/bin/mosquitto_sub")
        process.arguments = [
            "-h", "127.0.0.1", "-p", "\(port)", "-t", "#", "-q", "1", "-c", "-i", "listener", "-F", "%t %r %p",
        ]
        FileManager.default.createFile(atPath: scratch.file("heard"), contents: nil)
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: scratch.file("heard")))
        process.standardError = FileHandle.nullDevice
        try process.run()
        listener = process
        usleep(500_000)
    }

    /// Ends the broker.
    func end() {
        peer?.interrupt()
        peer?.wait()
        peer = nil
    }

    private func connects() throws -> Bool {
        let socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    /// What was heard so far: topic, whether it was retained, text.
    var heard: [(topic: String, isRetained: Bool, text: String)] {
        let text = String(
            decoding: FileManager.default.contents(atPath: scratch.file("heard")) ?? Data(), as: UTF8.self)
        return text.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: " ", maxSplits: 2)
            return parts.count == 3 ? (String(parts[0]), parts[1] == "1", String(parts[2])) : nil
        }
    }

    func wait(seconds: Double = 60, _ isDone: () throws -> Bool) throws {
        let deadline = Date().addingTimeInterval(seconds)
        while try !isDone() {
            guard Date() < deadline else { throw Late() }
            usleep(20_000)
        }
    }
    struct Late: Error {}
}

/// With Debian's mosquitto at the other end, which `scripts/deps` installs.
@Suite(.serialized, .enabled(if: Broker.program != nil, "mosquitto is not installed: run `make deps`"))
struct MQTTNodeTests {
    private func made(_ broker: Broker, _ parameters: String = "") throws -> MQTTNode {
        let run = try pipeline(
            """
            "bars": {"type": "testpattern"}, "track": {"type": "track", "input": "bars"},
            "zones": {"type": "zones", "input": "track", "zones": {
                "door": {"line": [[0.5, 0], [0.5, 1]]}, "the yard": {"polygon": [[0, 0], [1, 0], [1, 1]]}}},
            "events": {"type": "events", "input": "zones", "rules": {"visitor": {"class": "person"}}},
            "mqtt": {"type": "mqtt", "input": "events", "url": "mqtt://127.0.0.1:\(broker.port)", "topic": "house/cam",
                "retryMax": "200ms"\(parameters)}
            """)
        let context = BuildContext(pipeline: run, options: .init(), engine: try noEngine())
        guard case .node(let node) = try MQTTNode.make(try #require(run["mqtt"]), in: context) else {
            throw OutputError("a sink is a node")
        }
        return try #require(node as? MQTTNode)
    }

    private func event(_ number: Int, _ phase: Event.Phase = .new) -> Event {
        let now = Event.Instant(wall: WallTime(nanoseconds: 1_772_352_000_000_000_000), pts: Double(number))
        return Event(id: "\(number)", rule: "visitor", source: "bars", phase: phase, now: now, start: now, isBest: true)
    }

    private func frame(_ number: Int, _ events: [Event], zones: [Zone] = []) -> Frame {
        let base = Rational(1, 25)
        return Frame(
            ticket: Ticket(source: 0, sequence: UInt64(number), capturedAt: 0),
            picture: somePicture(width: 32, height: 32, format: .gray8, color: .assumed(height: 32)),
            pts: MediaTime(ticks: Int64(number), base: base), duration: MediaTime(ticks: 1, base: base),
            stream: StreamInfo(source: "bars", frameRate: Rational(25, 1)),
            annotations: FrameAnnotations().adding(events, by: "events").adding(zones, by: "zones"))
    }

    @Test(.timeLimit(.minutes(5)), arguments: ["3.1.1", "5"])
    func `events, states and counts reach a broker, and the end is orderly`(version: String) throws {
        let broker = try Broker()
        try broker.start()
        let node = try made(broker, #", "version": "\#(version)", "pictures": true, "discovery": "homeassistant""#)
        var yard = Zone(name: "the yard", number: 0, shape: .polygon([]))
        yard.inside = [.init(track: 1, name: "person", dwell: 1)]
        node.tell(of: frame(0, [event(1)], zones: [yard]))
        node.tell(of: frame(1, [], zones: [yard]))
        node.finish()
        try broker.wait { broker.heard.contains { $0.text == "stopped" } }
        let heard = broker.heard
        #expect(heard.filter { $0.topic == "house/cam/status" }.map(\.text) == ["online", "stopped"])
        let events = try heard.filter { $0.topic == "house/cam/events" }.map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.text.utf8)) as? [String: Any])
        }
        // The event is still open, and over with the run.
        #expect(events.map { $0["type"] as? String } == ["new", "end"])
        #expect(events.allSatisfy { $0["id"] as? String == "1" && $0["redelivered"] == nil })
        #expect(heard.filter { $0.topic == "house/cam/rules/visitor" }.map(\.text) == ["ON", "OFF"])
        #expect(
            heard.filter { $0.topic == "house/cam/zones/the_yard" }.map(\.text) == [#"{"in":0,"out":0,"occupancy":1}"#])
        #expect(heard.contains { $0.topic == "house/cam/rules/visitor/picture" })
        let config = try #require(
            heard.first { $0.topic.hasPrefix("homeassistant/device/") && $0.topic.hasSuffix("/config") })
        let device = try #require(try JSONSerialization.jsonObject(with: Data(config.text.utf8)) as? [String: Any])
        let parts = try #require(device["cmps"] as? [String: [String: Any]])
        #expect(
            Set(parts.keys) == [
                "rule_visitor", "zone_door_in", "zone_door_out", "zone_the_yard_in", "zone_the_yard_out",
                "zone_the_yard_occupancy",
            ])
        for (key, part) in parts {
            #expect(part["unique_id"] as? String != nil && part["name"] as? String != nil)
            #expect(part["p"] as? String == (key == "rule_visitor" ? "binary_sensor" : "sensor"))
            let topic = try #require(part["state_topic"] as? String)
            #expect(
                topic == "house/cam/rules/visitor" || topic == "house/cam/zones/door"
                    || topic == "house/cam/zones/the_yard")
        }
        #expect((device["dev"] as? [String: Any])?["ids"] as? String != nil)
        #expect(((device["availability"] as? [[String: Any]])?.first)?["topic"] as? String == "house/cam/status")
    }

    @Test(.timeLimit(.minutes(10))) func `a broker that goes gets everything when it is back, in order`() throws {
        let broker = try Broker()
        try broker.start()
        let node = try made(broker)
        var number = 0
        func tell(_ count: Int) {
            for _ in 0..<count {
                number += 1
                node.tell(of: frame(number, [event(number), event(number, .end)]))
                usleep(10_000)
            }
        }
        tell(20)
        try broker.wait { broker.heard.count { $0.topic == "house/cam/events" } == 40 }
        broker.end()
        tell(60)
        try broker.start()
        tell(20)
        try broker.wait {
            node.notes.first == "mqtt://127.0.0.1:\(broker.port): \(node.counts.taken) messages delivered"
        }
        node.finish()
        // Everything, in order; what came twice says so.
        var last = 0
        var seen: Set<Int> = []
        func check(_ from: Int) throws {
            for message in broker.heard where message.topic == "house/cam/events" {
                let object = try #require(
                    try JSONSerialization.jsonObject(with: Data(message.text.utf8)) as? [String: Any])
                let id = try #require((object["id"] as? String).flatMap { Int($0) })
                if object["redelivered"] == nil {
                    #expect(id >= last)
                    last = id
                }
                seen.insert(id)
            }
        }
        try broker.wait {
            seen = []
            last = 0
            try check(0)
            return seen.count == number
        }
        #expect(seen == Set(1...number))
        #expect(node.counts.overflowed == 0 && node.counts.expired == 0 && node.counts.waiting == 0)
        #expect(node.notes.contains { $0.contains("recovered once") })
    }

    @Test(.timeLimit(.minutes(5))) func `a broker that is away costs no more than the spool, told exactly`() throws {
        let broker = try Broker()
        let node = try made(broker, #", "spoolBytes": 20000"#)
        for number in 1...1000 { node.tell(of: frame(number, [event(number)])) }
        let counts = node.counts
        #expect(counts.bytes <= 20_000 && counts.waiting > 20)
        #expect(counts.taken == counts.overflowed + counts.waiting)
        node.finish(within: 0)
        #expect(node.notes.contains("\(node.counts.overflowed) messages lost for want of room in the spool"))
        #expect(node.notes.contains { $0.hasPrefix("lost once (unreachable)") })
    }

    /// A connection of its own to the broker.
    private func transport(_ address: String, authorities: String? = nil, seconds: Double = 10) throws -> MQTTTransport
    {
        var settings = MQTTTransport.Settings(
            address: try #require(MQTTAddress(address)), clientID: "test", statusTopic: "box/status")
        settings.authorities = authorities
        settings.connectSeconds = seconds
        return try MQTTTransport(settings, library: try Mosquitto()) { [] }
    }

    @Test(.timeLimit(.minutes(5))) func `the broker tells of a connection that broke: the last will`() throws {
        let broker = try Broker()
        try broker.start()
        let connection = try transport("mqtt://127.0.0.1:\(broker.port)")
        try connection.open()
        try broker.wait { broker.heard.contains { $0 == ("box/status", false, "online") } }
        connection.close(isOrderly: false)
        try broker.wait { broker.heard.last.map { $0 == ("box/status", false, "offline") } ?? false }
    }

    @Test(.timeLimit(.minutes(5)), .enabled(if: Peer.openssl != nil, "openssl is not installed"))
    func `a broker's certificate is verified`() throws {
        let broker = try Broker(tls: true)
        try broker.start()
        let port = try #require(broker.securePort)
        let trusting = try transport("mqtts://127.0.0.1:\(port)", authorities: broker.certificate)
        try trusting.open()
        trusting.close(isOrderly: true)
        try broker.wait { broker.heard.map(\.text) == ["online", "stopped"] }
        // Nobody here signed it; and it is of another name.
        for (host, authorities) in [("127.0.0.1", nil), ("localhost", broker.certificate)] {
            let doubting = try transport("mqtts://\(host):\(port)", authorities: authorities)
            #expect(throws: MessageError.self) { try doubting.open() }
            doubting.close(isOrderly: false)
        }
        #expect(broker.heard.count == 2)
    }

    @Test(.timeLimit(.minutes(5))) func `a host that never answers holds up no end`() throws {
        let silent = try LocalSocket(listens: true)
        let courier = try Courier(
            try MessageSpool(bytes: 1 << 20, age: 60),
            over: try transport("mqtt://user:secret@127.0.0.1:\(silent.port)", seconds: 3600), first: 1_000_000,
            longest: 1_000_000, seed: 1)
        courier.send(Message(topic: "t", payload: [1], time: .now))
        while !silent.isCalled { usleep(1000) }
        courier.finish(within: 0)
        #expect(courier.spool.counts.waiting == 1 && courier.connections == 0)
        silent.hangUp()
    }

    @Test(arguments: [
        (#""url": "http://h""#, #"url: is no broker's address"#),
        (#""url": "mqtt://h", "topic": "a/#""#, "topic: cannot be sent to"),
        (#""url": "mqtt://h", "key": "k.pem""#, "key: a certificate and its key go together"),
    ])
    func `settings that cannot work are refused`(parameters: String, message: String) {
        let check = PipelineFile(
            name: "p.json",
            text: #"{"nodes":{"a":{"type":"testpattern"},"m":{"type":"mqtt","input":"a",\#(parameters)}}}"#
        ).check(against: NodeRegistry.builtIn.contracts)
        let errors = check.diagnostics.filter { $0.severity == .error }.map(\.description)
        #expect(errors.count == 1 && errors.first?.contains("nodes.m.\(message)") == true, "\(errors)")
    }

    @Test func `formats are those that others read`() throws {
        var event = event(7, .end)
        event.end = Event.Instant(wall: WallTime(nanoseconds: 1_772_352_010_000_000_000), pts: 10)
        event.subjects = [.init(track: 3, name: "person", score: 0.5, box: Box(x: 1, y: 2, width: 30, height: 40))]
        func object(_ format: EventFormat) throws -> [String: Any] {
            try #require(try JSONSerialization.jsonObject(with: Data(format.message(event))) as? [String: Any])
        }
        let frigate = try object(.frigate)
        #expect(frigate["type"] as? String == "end")
        let after = try #require(frigate["after"] as? [String: Any])
        #expect(
            after["id"] as? String == "7" && after["camera"] as? String == "bars"
                && after["label"] as? String == "person")
        #expect(after["box"] as? [Int] == [1, 2, 31, 42] && after["end_time"] as? Double == 1_772_352_010)
        let stream = try object(.deepstream)
        #expect(stream["mdsversion"] as? String == "1.0" && stream["sensorId"] as? String == "bars")
        let box = ((stream["objects"] as? [[String: Any]])?.first)?["bbox"] as? [String: Double]
        #expect(box == ["topleftx": 1, "toplefty": 2, "bottomrightx": 31, "bottomrighty": 42])
    }
}
