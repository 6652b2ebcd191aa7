// SPDX-License-Identifier: Apache-2.0
import Annotations
import Basics
import Dataflow
import Foundation
import InferenceTestSupport
import Media
import MediaTestSupport
import Synchronization
import TestPeers
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage

/// A web server that answers as a test says, one connection at a time.
private final class Hook: Sendable {
    struct Request: Sendable {
        var head: [String]
        var body: String
        var status: Int
    }
    let port: Int
    private let socket: LocalSocket
    private let requests = Mutex<[Request]>([])

    /// - Parameter answer: the status for the request of a number, counted from 0; 0 hangs up without an answer.
    init(_ answer: @escaping @Sendable (Int, String) -> Int) throws {
        let socket = try LocalSocket(listens: true)
        self.socket = socket
        port = socket.port
        Thread.detachNewThread { [weak self] in
            while let connection = socket.accept() {
                self?.serve(connection, answer)
                close(connection)
            }
        }
    }

    deinit { socket.hangUp() }

    var heard: [Request] { requests.withLock { $0 } }

    /// The bodies that were taken, in order.
    var taken: [String] { heard.filter { $0.status == 204 }.map(\.body) }

    private func serve(_ connection: Int32, _ answer: (Int, String) -> Int) {
        var bytes: [UInt8] = []
        func read() -> Bool {
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = recv(connection, &buffer, buffer.count, 0)
            bytes += buffer.prefix(max(0, count))
            return count > 0
        }
        let end = Array("\r\n\r\n".utf8)
        while bytes.firstRange(of: end) == nil { guard read() else { return } }
        guard let split = bytes.firstRange(of: end) else { return }
        let head = String(decoding: bytes[..<split.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        let length = head.first { $0.lowercased().hasPrefix("content-length:") }.flatMap {
            Int($0.split(separator: " ").last ?? "")
        }
        while bytes.count - split.upperBound < length ?? 0 { guard read() else { return } }
        let body = String(decoding: bytes[split.upperBound...], as: UTF8.self)
        let status = answer(heard.count, body)
        requests.withLock { $0.append(Request(head: head, body: body, status: status)) }
        guard status > 0 else { return }
        let text = "HTTP/1.1 \(status) Word\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        _ = send(connection, text, text.utf8.count, Int32(MSG_NOSIGNAL))
    }
}

@Suite(.serialized) struct WebhookNodeTests {
    private func made(_ parameters: String) throws -> WebhookNode {
        let run = try pipeline(
            """
            "bars": {"type": "testpattern"}, "track": {"type": "track", "input": "bars"},
            "events": {"type": "events", "input": "track", "rules": {"visitor": {"class": "person"}}},
            "hook": {"type": "webhook", "input": "events", "retryMax": "100ms", \(parameters)}
            """)
        let context = BuildContext(pipeline: run, options: .init(), engine: try noEngine())
        guard case .node(let node) = try WebhookNode.make(try #require(run["hook"]), in: context) else {
            throw OutputError("a sink is a node")
        }
        return try #require(node as? WebhookNode)
    }

    private func frame(_ number: Int) -> Frame {
        let now = Event.Instant(wall: WallTime.now, pts: Double(number))
        let event = Event(
            id: "\(number)", rule: "visitor", source: "bars", phase: .end, now: now, start: now, isBest: true)
        let base = Rational(1, 25)
        return Frame(
            ticket: Ticket(source: 0, sequence: UInt64(number), capturedAt: 0),
            picture: somePicture(width: 32, height: 32, format: .gray8, color: .assumed(height: 32)),
            pts: MediaTime(ticks: Int64(number), base: base), duration: MediaTime(ticks: 1, base: base),
            stream: StreamInfo(source: "bars", frameRate: Rational(25, 1)),
            annotations: FrameAnnotations().adding([event], by: "events"))
    }

    private func ids(_ bodies: [String]) throws -> [String] {
        try bodies.map { body in
            let object = try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any]
            return try #require(object?["id"] as? String)
        }
    }

    @Test(.timeLimit(.minutes(5))) func `events are posted in order, over failures, and say when they came before`()
        throws
    {
        // The third and fourth requests fail, the sixth is heard but not answered.
        let hook = try Hook { number, _ in number == 2 || number == 3 ? 503 : number == 5 ? 0 : 204 }
        setenv("VPIPE_TEST_TOKEN", "open-sesame", 1)
        let node = try made(
            #""url": "http://me:secret@127.0.0.1:\#(hook.port)/a?b=c", "tokenVariable": "VPIPE_TEST_TOKEN""#)
        for number in 1...8 { node.tell(of: frame(number)) }
        node.finish(within: 60)
        #expect(try ids(hook.taken) == (1...8).map { "\($0)" })
        let first = try #require(hook.heard.first)
        #expect(first.head.first == "POST /a?b=c HTTP/1.1")
        #expect(first.head.contains("Authorization: Bearer open-sesame"))
        #expect(first.head.contains("Content-Type: application/json"))
        let again = hook.taken.enumerated().filter { $0.element.hasPrefix(#"{"redelivered":true"#) }.map(\.offset)
        #expect(again == [2, 3] && node.counts.redelivered == 3)
        #expect(node.counts.delivered == 8 && node.counts.waiting == 0)
        #expect(node.notes.contains { $0.hasPrefix("lost twice") || $0.contains("recovered") }, "\(node.notes)")
        #expect(!node.notes.contains { $0.contains("secret") || $0.contains("sesame") }, "\(node.notes)")
    }

    @Test(.timeLimit(.minutes(5))) func `what a server refuses is given up, counted, and holds up nothing`() throws {
        let hook = try Hook { _, body in body.contains(#""id":"2""#) ? 422 : 204 }
        let node = try made(#""url": "http://127.0.0.1:\#(hook.port)/""#)
        for number in 1...4 { node.tell(of: frame(number)) }
        node.finish(within: 60)
        #expect(try ids(hook.taken) == ["1", "3", "4"])
        #expect(hook.heard.count { $0.status == 422 } == 5)
        #expect(node.counts.refused == 1 && node.notes.contains("1 messages lost, refused by the receiver"))
    }

    @Test(.timeLimit(.minutes(5))) func `a server that never answers holds up no end`() throws {
        let silent = try LocalSocket(listens: true)
        let node = try made(#""url": "http://127.0.0.1:\#(silent.port)/", "timeout": "1h""#)
        node.tell(of: frame(1))
        while !silent.isCalled { usleep(1000) }
        node.finish(within: 0)
        #expect(node.counts.waiting == 1)
        silent.hangUp()
    }

    @Test func `a token that is not there is told by its variable's name`() {
        #expect {
            _ = try made(#""url": "http://127.0.0.1/", "tokenVariable": "VPIPE_TEST_NONE""#)
        } throws: { "\($0)".contains("the environment has no VPIPE_TEST_NONE") }
    }

    @Test func `another address is refused`() {
        let check = PipelineFile(
            name: "p.json",
            text: #"{"nodes":{"a":{"type":"testpattern"},"m":{"type":"webhook","input":"a","url":"ftp://h/x"}}}"#
        ).check(against: NodeRegistry.builtIn.contracts)
        let errors = check.diagnostics.filter { $0.severity == .error }.map(\.description)
        #expect(
            errors.count == 1 && errors.first?.contains("nodes.m.url: is no web server's address") == true, "\(errors)")
    }
}
