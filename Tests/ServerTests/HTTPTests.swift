// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

@testable import Server

@Suite struct HTTPRequestTests {
    private func request(_ head: String) throws(HTTPRequest.Fault) -> HTTPRequest {
        try HTTPRequest(head: Array(head.utf8)[...])
    }

    @Test func `a head is read`() throws {
        let request = try request(
            "GET /a?token=x&b HTTP/1.1\r\nHost: a:1\r\nX-Y:  z \r\nCookie: a=1; vpipe_1=t\r\n\r\n")
        #expect(request.path == "/a")
        #expect(request.query.map(\.name) == ["token", "b"])
        #expect(request.header("x-y") == "z")
        #expect(request.cookie("vpipe_1") == "t")
        #expect(request.cookie("vpipe") == nil)
        #expect(request.webSocketKey == nil)
    }

    @Test(arguments: [
        ("", 400), ("GET /\r\n\r\n", 400), ("GET  / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/2\r\nHost: a\r\n\r\n", 505),
        ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", 405), ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\n b: c\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\0\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", 413),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 413),
    ])
    func `a bad head is refused`(_ head: String, _ status: UInt16) throws {
        let fault = try #require(HTTPRequest.Fault(rawValue: status))
        #expect(throws: fault) { try request(head) }
    }

    @Test func `ten thousand damaged heads crash nothing`() {
        let good = Array(
            "GET /live?token=abc HTTP/1.1\r\nHost: 127.0.0.1:80\r\nCookie: a=b; c\r\nOrigin: x\r\n\r\n".utf8)
        var random = SeededGenerator(seed: 17)
        let rule = AccessRule(token: "secret-token", hosts: [], port: 1)
        for _ in 0..<10_000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let place = bytes.indices.randomElement(using: &random) ?? 0
                bytes[place] = UInt8.random(in: 0...255, using: &random)
            }
            guard let request = try? HTTPRequest(head: bytes[...]) else { continue }
            #expect(rule.verdict(on: request) == .refused)
        }
    }
}

@Suite struct AccessRuleTests {
    private let open = AccessRule(token: nil, hosts: ["cam.example"], port: 8475)
    private let closed = AccessRule(token: "a-token-of-ours", hosts: [], port: 8475)

    private func request(_ path: String = "/", _ headers: [String: String]) throws -> HTTPRequest {
        let lines = headers.map { "\($0): \($1)\r\n" }.joined()
        return try HTTPRequest(head: Array("GET \(path) HTTP/1.1\r\n\(lines)\r\n".utf8)[...])
    }

    @Test(arguments: [
        ("localhost:8475", true), ("LOCALHOST:9", true), ("127.0.0.1:8475", true), ("[::1]:8475", true),
        ("192.168.1.9", true), ("cam.example", true), ("CAM.example:443", true), ("evil.example", false),
        ("localhost.evil.example", false), ("127.0.0.1.evil.example", false), ("", false), ("[::1", false),
    ])
    func `a foreign host name is refused`(_ host: String, _ isAllowed: Bool) throws {
        #expect((open.verdict(on: try request("/", ["Host": host])) == .allowed) == isAllowed)
    }

    @Test(arguments: [
        ("http://localhost:8475", true), ("https://localhost:8475", true), ("http://localhost:8476", false),
        ("http://evil.example", false), ("null", false), ("", false), ("http://localhost:8475.evil.example", false),
    ])
    func `a foreign page is refused`(_ origin: String, _ isAllowed: Bool) throws {
        let headers = ["Host": "localhost:8475", "Origin": origin]
        #expect((open.verdict(on: try request("/live", headers)) == .allowed) == isAllowed)
    }

    @Test(arguments: [
        ("/metrics", ["Authorization": "Bearer a-token-of-ours"], true),
        ("/", ["Cookie": "vpipe_8475=a-token-of-ours"], true),
        ("/", ["Cookie": "vpipe_1=a-token-of-ours"], false), ("/", ["Cookie": "vpipe_8475=a-token-of-our"], false),
        ("/", ["Cookie": "vpipe_8475=a-token-of-ours2"], false),
        ("/", ["Authorization": "Basic a-token-of-ours"], false),
        ("/", [:], false), ("/metrics?token=a-token-of-ours", [:], true), ("/metrics?token=", [:], false),
    ])
    func `only who knows the token is let in`(_ path: String, _ headers: [String: String], _ isAllowed: Bool) throws {
        let request = try request(path, headers.merging(["Host": "127.0.0.1"]) { $1 })
        #expect((closed.verdict(on: request) == .allowed) == isAllowed)
    }

    @Test func `a token in the address is exchanged for a cookie`() throws {
        let request = try request("/?token=a-token-of-ours", ["Host": "127.0.0.1"])
        #expect(
            closed.verdict(on: request)
                == .login(cookie: "vpipe_8475=a-token-of-ours; HttpOnly; SameSite=Strict; Path=/"))
    }

    @Test func `tokens are long and never the same`() {
        let tokens = (0..<100).map { _ in AccessRule.makeToken() }
        #expect(Set(tokens).count == 100)
        #expect(tokens.allSatisfy { $0.count == 32 && AccessRule.isUsable(token: $0) })
        #expect(!AccessRule.isUsable(token: "short"))
        #expect(!AccessRule.isUsable(token: "with a space"))
    }
}

@Suite struct ListenAddressTests {
    @Test(arguments: [
        ("8080", "127.0.0.1:8080", true), ("127.0.0.1:1", "127.0.0.1:1", true), ("localhost:2", "127.0.0.1:2", true),
        ("0.0.0.0:80", "0.0.0.0:80", false), ("[::1]:3", "[::1]:3", true), ("[::]:3", "[::]:3", false),
        ("::1", "[::1]:8475", true), ("192.168.0.1", "192.168.0.1:8475", false), ("127.0.0.1:0", "127.0.0.1:0", true),
    ])
    func `an address is read`(_ text: String, _ shown: String, _ isLoopback: Bool) {
        let address = ListenAddress(text)
        #expect(address?.description == shown)
        #expect(address?.isLoopback == isLoopback)
    }

    @Test(arguments: [
        "", "cam.example", "cam.example:80", "1.2.3:4", "127.0.0.1:", "127.0.0.1:65536", "[::1", "[::1]x", "a:b",
    ])
    func `anything else is none`(_ text: String) { #expect(ListenAddress(text) == nil) }
}

@Suite struct WebSocketTests {
    @Test func `the handshake is that of the standard`() {
        #expect(WebSocket.accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        let hex = SHA1.hash(Array("abc".utf8)).map { String(format: "%02x", $0) }.joined()
        #expect(hex == "a9993e364706816aba3e25717850c26c9cd0d89d")
        let long = SHA1.hash(Array(repeating: 0x61, count: 1_000)).map { String(format: "%02x", $0) }.joined()
        #expect(long == "291e9a6c66994949b57ba5e650361e98fc36b1ba")
    }

    @Test func `frames are taken one by one`() {
        // The masked "Hello" of RFC 6455, 5.7.
        let hello: [UInt8] = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]
        var inbox = hello + hello[..<4]
        #expect(WebSocket.next(&inbox) == .message(.text, Array("Hello".utf8)))
        #expect(WebSocket.next(&inbox) == .incomplete)
        #expect(inbox.count == 4)
    }

    @Test(
        arguments: [
            ([0x81, 0x05, 1, 2, 3, 4, 5], 1002), ([0xC1, 0x80, 1, 2, 3, 4], 1002), ([0x01, 0x80, 1, 2, 3, 4], 1003),
            ([0x83, 0x80, 1, 2, 3, 4], 1003), ([0x81, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0], 1009),
            ([0x89, 0xFE, 0, 126], 1009),
        ] as [([UInt8], UInt16)])
    func `a frame against the rules is a fault`(_ bytes: [UInt8], _ code: UInt16) {
        var inbox = bytes
        #expect(WebSocket.next(&inbox) == .fault(code))
    }

    @Test(arguments: [(5, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)])
    func `lengths have three forms`(_ count: Int, _ size: Int) {
        let head = WebSocket.head(.binary, count: count)
        #expect(head.count == size)
        let value = head.count == 2 ? Int(head[1]) : head.dropFirst(2).reduce(0) { $0 << 8 | Int($1) }
        #expect(value == count)
    }
}
