// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Synchronization

/// A web server on this machine that keeps what is sent to it by PUT as files of a folder.
public final class PutServer: Sendable {
    private struct State {
        var open = 0
        var faults: [String] = []
    }

    private let socket: LocalSocket
    private let folder: String
    private let state = Mutex(State())

    /// Listens from now on, at a port of its own.
    public init(into folder: String) throws {
        socket = try LocalSocket(listens: true)
        self.folder = folder
        Thread.detachNewThread { [self] in
            while let connection = socket.accept() {
                state.withLock { $0.open += 1 }
                Thread.detachNewThread { [self] in
                    let fault = serve(Connection(connection))
                    close(connection)
                    state.withLock { state in
                        state.open -= 1
                        if let fault { state.faults.append(fault) }
                    }
                }
            }
        }
    }

    /// Where it listens.
    public var port: Int { socket.port }
    /// What was wrong with requests.
    public var faults: [String] { state.withLock { $0.faults } }
    /// Whether nobody is sending.
    public var isIdle: Bool { state.withLock { $0.open == 0 } }

    /// Takes no more connections.
    public func stop() { socket.hangUp() }

    /// Answers requests until the other side has no more; what is wrong with one, if anything.
    private func serve(_ connection: Connection) -> String? {
        while let first = connection.line() {
            var lines = [first]
            while let line = connection.line(), !line.isEmpty { lines.append(line) }
            if let fault = answer(lines, connection) { return fault }
        }
        return nil
    }

    private func answer(_ lines: [String], _ connection: Connection) -> String? {
        let request = lines[0].split(separator: " ")
        guard request.count == 3 else { return "no request: \(lines)" }
        // Files of one folder: no other parts of the path are of interest.
        let path = folder + "/" + (request[1].split(separator: "/").last ?? "index")
        switch request[0] {
        case "PUT":
            let headers = lines.map { $0.lowercased() }
            guard let body = connection.body(headers) else { return "cut short: \(lines)" }
            guard (try? body.write(to: URL(fileURLWithPath: path), options: .atomic)) != nil else { return "not kept" }
        case "DELETE": try? FileManager.default.removeItem(atPath: path)
        default: return "refused: \(lines)"
        }
        connection.say("HTTP/1.1 204 No Content\r\n\r\n")
        return nil
    }
}

/// What comes over a socket.
private final class Connection {
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var next = 0

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    private func byte() -> UInt8? {
        if next == buffer.count {
            let room = 65_536
            buffer = [UInt8](repeating: 0, count: room)
            next = 0
            let count = recv(descriptor, &buffer, room, 0)
            buffer.removeLast(room - max(0, count))
        }
        guard next < buffer.count else { return nil }
        defer { next += 1 }
        return buffer[next]
    }

    /// A line without its end; nil where the other side stops before.
    func line() -> String? {
        var bytes: [UInt8] = []
        while let byte = byte() {
            if byte == UInt8(ascii: "\n") { return String(decoding: bytes, as: UTF8.self) }
            if byte != UInt8(ascii: "\r") { bytes.append(byte) }
        }
        return nil
    }

    private func bytes(_ count: Int) -> Data? {
        var data = Data(capacity: count)
        while data.count < count {
            guard let byte = byte() else { return nil }
            data.append(byte)
        }
        return data
    }

    /// What follows `headers`, which are in lower case; nil where the other side stops before its end.
    func body(_ headers: [String]) -> Data? {
        guard headers.contains("transfer-encoding: chunked") else {
            let length = headers.first { $0.hasPrefix("content-length:") }?.split(separator: " ").last
            return length.flatMap { Int($0) }.flatMap(bytes)
        }
        var data = Data()
        while let length = line().flatMap({ Int($0, radix: 16) }) {
            guard let chunk = bytes(length), line() == "" else { return nil }
            if length == 0 { return data }
            data += chunk
        }
        return nil
    }

    func say(_ text: String) { _ = send(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL)) }
}
