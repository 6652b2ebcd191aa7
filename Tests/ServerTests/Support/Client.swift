// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A connection to a port of this machine, as a test drives it; closed with its owner.
final class Client {
    struct Failed: Error {}

    private let descriptor: Int32

    /// Connects; a read that waits for more than ten seconds fails.
    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let descriptor = descriptor
        let status = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw Failed() }
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func send(_ text: String) { send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    /// At most `count` bytes; empty at the end of the connection.
    func receive(_ count: Int = 65_536) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: count)
        while true {
            let got = recv(descriptor, &buffer, count, 0)
            if got < 0, errno == EINTR { continue }
            if got < 0, errno == ECONNRESET { return [] }
            guard got >= 0 else { throw Failed() }
            return Array(buffer[..<got])
        }
    }

    /// Exactly `count` bytes.
    func receive(exactly count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let more = try receive(count - bytes.count)
            guard !more.isEmpty else { throw Failed() }
            bytes += more
        }
        return bytes
    }

    /// Everything up to the end of the connection.
    func receiveAll() throws -> String {
        var bytes: [UInt8] = []
        while true {
            let more = try receive()
            if more.isEmpty { return String(decoding: bytes, as: UTF8.self) }
            bytes += more
        }
    }

    /// The whole answer to a request.
    static func get(_ path: String, port: UInt16, headers: [String: String] = [:]) throws -> String {
        let client = try Client(port: port)
        var head = "GET \(path) HTTP/1.1\r\n"
        for (name, value) in ["Host": "127.0.0.1:\(port)"].merging(headers, uniquingKeysWith: { $1 }) {
            head += "\(name): \(value)\r\n"
        }
        client.send(head + "\r\n")
        return try client.receiveAll()
    }

    // MARK: WebSocket

    /// Goes over to a WebSocket; the status line when the server would not.
    func upgrade(_ path: String, port: UInt16, headers: [String: String] = [:]) throws -> String {
        var head = "GET \(path) HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        head += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        for (name, value) in ["Host": "127.0.0.1:\(port)"].merging(headers, uniquingKeysWith: { $1 }) {
            head += "\(name): \(value)\r\n"
        }
        send(head + "\r\n")
        var answer: [UInt8] = []
        while !answer.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            let byte = try receive(1)
            if byte.isEmpty { break }
            answer += byte
        }
        return String(decoding: answer, as: UTF8.self)
    }

    /// A frame of a WebSocket.
    struct Received: Equatable {
        let opcode: UInt8
        let body: [UInt8]
    }

    /// The next frame.
    func frame() throws -> Received {
        let head = try receive(exactly: 2)
        var count = Int(head[1] & 0x7F)
        if count == 126 { count = try receive(exactly: 2).reduce(0) { $0 << 8 | Int($1) } }
        if count == 127 { count = try receive(exactly: 8).reduce(0) { $0 << 8 | Int($1) } }
        return Received(opcode: head[0] & 0x0F, body: try receive(exactly: count))
    }

    /// Sends a masked frame.
    func send(opcode: UInt8, _ body: [UInt8]) {
        let mask: [UInt8] = [1, 2, 3, 4]
        let length: [UInt8] =
            body.count < 126
            ? [0x80 | UInt8(body.count)] : [0x80 | 126, UInt8(body.count >> 8), UInt8(body.count & 255)]
        send([0x80 | opcode] + length + mask + body.enumerated().map { $1 ^ mask[$0 & 3] })
    }

    func say(_ text: String) { send(opcode: 1, Array(text.utf8)) }
}
