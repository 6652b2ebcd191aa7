// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// One connection of a server, from the first byte to the last.
///
///     reading a head --> answering --> waiting for the client to close
///                   \--> WebSocket
///
/// Confined to the server's thread.
final class Connection {
    private enum Phase {
        case head
        case answering
        /// All is sent; closing at once would take back what the client has not read yet.
        case lingering
        case webSocket(any WebSocketSession)
        case over
    }

    let descriptor: Int32
    private(set) var deadline: Double
    private var phase = Phase.head
    private var inbox: [UInt8] = []
    /// What is being sent, and how much of its first part has left.
    private var outbox: [[UInt8]] = []
    private var sent = 0
    /// Set by a close frame of either side: nothing follows what is in the outbox.
    private var isClosing = false
    /// Frames that answer the client's, which go before the next message.
    private var replies: [UInt8] = []

    init(_ descriptor: Int32, deadline: Double) {
        self.descriptor = descriptor
        self.deadline = deadline
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        // What lies in the kernel is old before it is seen: room for two pictures.
        var room: Int32 = 128 * 1024
        setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &room, socklen_t(MemoryLayout<Int32>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &one, socklen_t(MemoryLayout<Int32>.size))
    }

    var isReadingHead: Bool { if case .head = phase { true } else { false } }
    var isWebSocket: Bool { if case .webSocket = phase { true } else { false } }
    var isOver: Bool { if case .over = phase { true } else { false } }

    /// What the connection waits for, as `poll` asks.
    var interest: Int16 {
        switch phase {
        case .head, .lingering: Int16(POLLIN)
        case .answering: Int16(POLLOUT)
        case .webSocket: Int16(POLLIN) | (outbox.isEmpty ? 0 : Int16(POLLOUT))
        case .over: 0
        }
    }

    /// Ends it when its time is over; true then.
    func expire(_ now: Double) -> Bool {
        if now >= deadline { end() }
        return isOver
    }

    func end() {
        if case .over = phase { return }
        let session: (any WebSocketSession)? = if case .webSocket(let session) = phase { session } else { nil }
        phase = .over
        session?.ended()
        close(descriptor)
    }

    // MARK: Reading

    /// Takes what has come; false when nothing more is to be done with it.
    func receive() -> Bool {
        var isFresh = false
        while !isOver {
            let count = withUnsafeTemporaryAllocation(byteCount: 16 * 1024, alignment: 16) { buffer in
                let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
                if count > 0, !isLingering { inbox.append(contentsOf: buffer[..<count]) }
                return count
            }
            if count > 0 {
                isFresh = true
                if case .webSocket(let session) = phase { takeMessages(session) }
                if inbox.count > HTTPRequest.limit, isReadingHead { break }
                continue
            }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { break }
            end()
        }
        return isFresh && isReadingHead
    }

    private var isLingering: Bool { if case .lingering = phase { true } else { false } }

    /// The head of the request, once it is complete or too long.
    func takeHead() -> ArraySlice<UInt8>? {
        guard let end = Self.endOfHead(inbox) else {
            guard inbox.count > HTTPRequest.limit else { return nil }
            answer(
                HTTPResponse(HTTPRequest.Fault.tooLarge.rawValue, text: "431\n").bytes(hasBody: true),
                deadline: deadline)
            return nil
        }
        defer { inbox.removeFirst(end) }
        return inbox[..<end]
    }

    private static func endOfHead(_ bytes: [UInt8]) -> Int? {
        var index = 3
        while index < min(bytes.count, HTTPRequest.limit) {
            if bytes[index] == 0x0A, bytes[index - 1] == 0x0D, bytes[index - 2] == 0x0A, bytes[index - 3] == 0x0D {
                return index + 1
            }
            index += 1
        }
        return nil
    }

    private func takeMessages(_ session: any WebSocketSession) {
        while !isClosing {
            switch WebSocket.next(&inbox) {
            case .incomplete: return
            case .message(.text, let body): session.received(String(decoding: body, as: UTF8.self))
            case .message(.ping, let body) where replies.count < 1024:
                replies += WebSocket.head(.pong, count: body.count) + body
            case .message(.close, let body): sayClose(Array(body.prefix(2)))
            case .message: break
            case .fault(let code): sayClose([UInt8(code >> 8), UInt8(code & 0xFF)])
            }
        }
    }

    private func sayClose(_ code: [UInt8]) {
        isClosing = true
        inbox = []
        replies += WebSocket.head(.close, count: code.count) + code
        // The client may not take it.
        deadline = HTTPServer.now() + 2
    }

    // MARK: Sending

    /// Sends an answer, then closes.
    func answer(_ bytes: [UInt8], deadline: Double) {
        phase = .answering
        inbox = []
        outbox = [bytes]
        self.deadline = deadline
    }

    /// Goes over to a WebSocket.
    func upgrade(to session: any WebSocketSession, key: String) {
        phase = .webSocket(session)
        deadline = .infinity
        let head =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Accept: \(WebSocket.accept(key))\r\n\r\n"
        outbox = [Array(head.utf8)]
    }

    /// Sends as much as the client takes.
    func send() {
        while !isOver {
            guard let part = outbox.first else {
                guard refill() else { return }
                continue
            }
            let count = part.withUnsafeBytes { bytes in
                // Never empty: empty parts are left out.
                Glibc.send(
                    descriptor, bytes.baseAddress.map { $0 + sent }, bytes.count - sent,
                    Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if count < 0 {
                if errno == EINTR { continue }
                if errno != EAGAIN { end() }
                return
            }
            sent += count
            guard sent == part.count else { return }
            outbox.removeFirst()
            sent = 0
        }
    }

    /// Fetches what is to be sent next; false when there is nothing.
    private func refill() -> Bool {
        switch phase {
        case .answering:
            shutdown(descriptor, Int32(SHUT_WR))
            phase = .lingering
            deadline = HTTPServer.now() + 2
            return false
        case .webSocket(let session):
            if !replies.isEmpty {
                outbox = [replies]
                replies = []
                return true
            }
            if isClosing {
                end()
                return false
            }
            switch session.next() {
            case nil: return false
            case .text(let bytes): outbox = [WebSocket.head(.text, count: bytes.count), bytes]
            case .binary(let parts):
                outbox =
                    [WebSocket.head(.binary, count: parts.reduce(0) { $0 + $1.count })] + parts.filter { !$0.isEmpty }
            }
            return true
        case .head, .lingering, .over: return false
        }
    }
}
