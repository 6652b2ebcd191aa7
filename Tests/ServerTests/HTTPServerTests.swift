// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization
import Testing

@testable import Server

/// Says back what it is told.
private final class Echo: WebSocketSession {
    private var queue: [WebSocketMessage] = []
    let isOver: @Sendable () -> Void
    init(_ isOver: @escaping @Sendable () -> Void) { self.isOver = isOver }
    func received(_ text: String) { queue.append(.text(Array(text.utf8))) }
    func next() -> WebSocketMessage? { queue.isEmpty ? nil : queue.removeFirst() }
    func ended() { isOver() }
}

@Suite(.timeLimit(.minutes(5))) struct HTTPServerTests {
    private let ended = Mutexed(0)

    private func server(_ limits: HTTPServer.Limits = .init(), token: String? = nil) throws -> HTTPServer {
        try HTTPServer(.loopback(port: 0), access: Access(token: token).rule, limits: limits) { [ended] request in
            request.path == "/echo"
                ? .webSocket(Echo { ended.add(1) })
                : .response(HTTPResponse(request.path == "/" ? 200 : 404, text: String(repeating: "x", count: 200_000)))
        }
    }

    @Test func `answers are whole and carry the headers`() throws {
        let server = try server()
        defer { server.stop() }
        let answer = try Client.get("/", port: server.address.port)
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(answer.hasSuffix("\r\n\r\n" + String(repeating: "x", count: 200_000)))
        #expect(answer.contains("Content-Security-Policy: default-src 'self';"))
        #expect(try Client.get("/nothing", port: server.address.port).hasPrefix("HTTP/1.1 404 "))
    }

    @Test(arguments: [
        ["Host": "evil.example"], ["Origin": "http://evil.example"], ["Authorization": "Bearer wrong-token"], [:],
    ])
    func `who may not ask gets 403`(_ headers: [String: String]) throws {
        let server = try server(token: "the-right-token")
        defer { server.stop() }
        for path in ["/", "/echo", "/nothing"] {
            let answer = try Client.get(path, port: server.address.port, headers: headers)
            #expect(answer.hasPrefix("HTTP/1.1 403 "))
            #expect(!answer.contains("the-right-token"))
        }
    }

    @Test func `a WebSocket echoes, answers a ping, and closes as it is asked to`() throws {
        let server = try server()
        defer { server.stop() }
        let client = try Client(port: server.address.port)
        let answer = try client.upgrade("/echo", port: server.address.port)
        #expect(answer.hasPrefix("HTTP/1.1 101 "))
        #expect(answer.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
        client.say("one")
        #expect(try client.frame() == .init(opcode: 1, body: Array("one".utf8)))
        client.send(opcode: 9, [7])
        #expect(try client.frame() == .init(opcode: 10, body: [7]))
        client.say(String(repeating: "y", count: 40_000))
        #expect(try client.frame().body.count == 40_000)
        client.send(opcode: 8, [3, 0xE8])
        #expect(try client.frame() == .init(opcode: 8, body: [3, 0xE8]))
        #expect(try client.receive().isEmpty)
        #expect(ended.value == 1)
    }

    @Test func `a message without an end is a fault`() throws {
        let server = try server()
        defer { server.stop() }
        let client = try Client(port: server.address.port)
        _ = try client.upgrade("/echo", port: server.address.port)
        client.send([0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4])
        #expect(try client.frame() == .init(opcode: 8, body: [0x03, 0xF1]))
    }

    @Test func `a head that is too long or too slow ends`() throws {
        var limits = HTTPServer.Limits()
        limits.headSeconds = 0.3
        let server = try server(limits)
        defer { server.stop() }
        let long = try Client(port: server.address.port)
        long.send("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + String(repeating: "y", count: 17_000))
        #expect(try long.receiveAll().hasPrefix("HTTP/1.1 431 "))
        let slow = try Client(port: server.address.port)
        slow.send("GET / HT")
        #expect(try slow.receiveAll().isEmpty)
    }

    @Test func `five hundred connections that say nothing keep nobody out`() throws {
        let server = try server()
        defer { server.stop() }
        var idle: [Client] = []
        for number in 0..<500 {
            let client = try Client(port: server.address.port)
            if number % 2 == 0 { client.send("GET / HTTP/1.1\r\nHo") }
            idle.append(client)
            if number % 100 == 99 {
                #expect(try Client.get("/", port: server.address.port).hasPrefix("HTTP/1.1 200 "))
            }
        }
        #expect(idle.count == 500)
    }

    @Test func `an address that is taken is said to be`() throws {
        let server = try server()
        defer { server.stop() }
        let error = #expect(throws: ServerError.self) {
            try HTTPServer(server.address, access: Access().rule) { _ in .response(HTTPResponse(text: "")) }
        }
        #expect(error?.isTaken == true)
        #expect(error?.description.contains("port 0 takes a free one") == true)
    }
}

/// A number shared between threads.
final class Mutexed: Sendable {
    private let number: Mutex<Int>
    init(_ value: Int) { number = Mutex(value) }
    var value: Int { number.withLock { $0 } }
    func add(_ amount: Int) { number.withLock { $0 += amount } }
}
