// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Glibc
internal import Synchronization

/// A WebSocket as the server hands it to who answers; called on the server's thread only.
package protocol WebSocketSession: AnyObject {
    /// A text message has come.
    func received(_ text: String)
    /// The next message to send; nil when there is none for now.
    ///
    /// Asked when the last one has left, and after `HTTPServer.wake()`: so nothing queues up behind a slow viewer.
    func next() -> WebSocketMessage?
    /// The connection is gone.
    func ended()
}

/// A message to a viewer; its parts are sent one after the other as they are.
package enum WebSocketMessage: Sendable {
    case text([UInt8])
    case binary([[UInt8]])
}

/// How a request is answered.
package enum Reply {
    case response(HTTPResponse)
    /// The request's WebSocket is taken on by this session.
    case webSocket(any WebSocketSession)
}

/// A server of a few fixed pages and WebSockets, on one thread.
///
///     accepted --head within 5 s--> checked --> answered, closed
///                                          \--> WebSocket: session asked for the next message whenever the last has left
///
/// What a hostile client can hold is bounded: connections, bytes of a head, seconds for it. At the limit of connections the
/// oldest that has not sent its head gives way. Nothing is read but heads and messages, no file, no body.
/// A library's server would need this front door, too, and little of HTTP is left behind it.
/// - Note: Thread-safety: thread-safe. The handler is called on the server's thread.
package final class HTTPServer: @unchecked Sendable {
    // Invariant of @unchecked Sendable: `connections` and what hangs on them belong to the server's thread; descriptors are
    // immutable; the rest is atomic.

    /// The bounds on what clients may hold.
    package struct Limits: Sendable {
        /// Connections at once.
        package var connections = 64
        /// WebSockets among them.
        package var webSockets = 16
        /// Seconds until the head of a request is complete.
        package var headSeconds = 5.0
        /// Seconds until an answer has left.
        package var answerSeconds = 10.0

        /// The usual bounds.
        package init() {}
    }

    /// Where it listens, with the port that it got.
    package let address: ListenAddress
    private let access: AccessRule
    private let limits: Limits
    private let handler: @Sendable (HTTPRequest) -> Reply
    private let listener: Int32
    /// A pipe: a byte in it has the thread look at every session.
    private let wakeup: (read: Int32, write: Int32)
    private let isStopping = Atomic<Bool>(false)
    private var connections: [Connection] = []
    /// Accepting pauses until then, when the system has no descriptors left.
    private var acceptsFrom = 0.0

    /// Listens, and answers from now on.
    ///
    /// - Parameters:
    ///   - orFreePort: takes another port where somebody listens there already.
    ///   - access: makes the rule for the port that the server got.
    ///   - handler: answers what the rule lets through.
    /// - Throws: `ServerError` when the address cannot be had.
    package init(
        _ wanted: ListenAddress, orFreePort: Bool = false, access: (_ port: UInt16) -> AccessRule,
        limits: Limits = Limits(), handler: @escaping @Sendable (HTTPRequest) -> Reply
    ) throws(ServerError) {
        let listener = socket(
            wanted.isIPv6 ? AF_INET6 : AF_INET,
            Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard listener >= 0 else { throw ServerError(address: wanted, code: errno) }
        var one: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        func take(_ address: ListenAddress) -> Bool {
            address.withSocketAddress { bind(listener, $0, $1) } == 0 && listen(listener, 128) == 0
        }
        guard take(wanted) || orFreePort && errno == EADDRINUSE && take(wanted.at(port: 0)) else {
            let code = errno
            close(listener)
            throw ServerError(address: wanted, code: code)
        }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            let code = errno
            close(listener)
            throw ServerError(address: wanted, code: code)
        }
        self.listener = listener
        for end in ends { Self.prepare(end) }
        wakeup = (ends[0], ends[1])
        let port = Self.port(of: listener)
        address = wanted.at(port: port)
        self.access = access(port)
        self.limits = limits
        self.handler = handler
        let code = SystemThread.start { self.serve() }
        guard code == 0 else { throw ServerError(address: wanted, code: code) }
    }

    deinit { close(wakeup.write) }

    /// Ends all connections and the thread; nothing is answered any more.
    package func stop() {
        isStopping.store(true, ordering: .releasing)
        wake()
    }

    /// Has every session asked for its next message.
    package func wake() {
        var byte: UInt8 = 1
        // A full pipe wakes it as well.
        _ = write(wakeup.write, &byte, 1)
    }

    /// Neither blocks nor is handed to programs that are started.
    private static func prepare(_ descriptor: Int32) {
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    private static func port(of socket: Int32) -> UInt16 {
        var address = sockaddr_in6()
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        _ = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &length) }
        }
        // The port lies at the same place in addresses of both families.
        return UInt16(bigEndian: address.sin6_port)
    }

    // MARK: The thread

    private func serve() {
        while !isStopping.load(ordering: .acquiring) {
            let now = Self.now()
            connections.removeAll { $0.expire(now) }
            let accepts = now >= acceptsFrom
            var polled = [
                pollfd(fd: wakeup.read, events: Int16(POLLIN), revents: 0),
                pollfd(fd: accepts ? listener : -1, events: Int16(POLLIN), revents: 0),
            ]
            polled += connections.map { pollfd(fd: $0.descriptor, events: $0.interest, revents: 0) }
            let isIdle = accepts && connections.allSatisfy { $0.deadline == .infinity }
            if poll(&polled, nfds_t(polled.count), isIdle ? -1 : 250) < 0, errno != EINTR { break }
            if polled[0].revents != 0 {
                withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) { bytes in
                    while read(wakeup.read, bytes.baseAddress, bytes.count) == bytes.count {}
                }
            }
            for (index, connection) in connections.enumerated() {
                let events = polled[index + 2].revents
                if events & Int16(POLLIN | POLLHUP | POLLERR) != 0 { readFrom(connection) }
                connection.send()
            }
            connections.removeAll { $0.isOver }
            if polled[1].revents != 0 { acceptAll() }
        }
        close(listener)
        for connection in connections { connection.end() }
        connections = []
        // The writing end stays: somebody may be about to wake the thread, and its number must not mean another file.
        close(wakeup.read)
    }

    private func acceptAll() {
        for _ in 0..<limits.connections {
            let socket = accept(listener, nil, nil)
            guard socket >= 0 else {
                if errno != EAGAIN, errno != EINTR, errno != ECONNABORTED { acceptsFrom = Self.now() + 0.25 }
                return
            }
            Self.prepare(socket)
            if connections.count >= limits.connections {
                guard let oldest = connections.firstIndex(where: \.isReadingHead) else {
                    close(socket)
                    continue
                }
                connections.remove(at: oldest).end()
            }
            connections.append(Connection(socket, deadline: Self.now() + limits.headSeconds))
        }
    }

    private func readFrom(_ connection: Connection) {
        guard connection.receive(), let head = connection.takeHead() else { return }
        let answer: HTTPResponse
        var isHead = false
        do throws(HTTPRequest.Fault) {
            let request = try HTTPRequest(head: head)
            isHead = request.method == "HEAD"
            switch access.verdict(on: request) {
            case .refused: answer = HTTPResponse(403, text: "403: open the address that vpipe printed\n")
            case .login(let cookie): answer = .redirect(to: "/", cookie: cookie)
            case .allowed:
                switch handler(request) {
                case .response(let response): answer = response
                case .webSocket(let session):
                    guard let key = request.webSocketKey else {
                        answer = HTTPResponse(426, text: "426: this is a WebSocket\n")
                        break
                    }
                    guard connections.count(where: \.isWebSocket) < limits.webSockets else {
                        answer = HTTPResponse(503, text: "503: too many viewers\n")
                        break
                    }
                    return connection.upgrade(to: session, key: key)
                }
            }
        } catch {
            answer = HTTPResponse(error.rawValue, text: "\(error.rawValue)\n")
        }
        connection.answer(answer.bytes(hasBody: !isHead), deadline: Self.now() + limits.answerSeconds)
    }

    static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}

/// Why a server cannot listen.
package struct ServerError: Error, CustomStringConvertible {
    /// Where it was to listen.
    package let address: ListenAddress
    /// The system's `errno`.
    package let code: Int32

    /// Whether somebody else listens there.
    package var isTaken: Bool { code == EADDRINUSE }

    /// One line for the user.
    package var description: String {
        let remedy =
            switch code {
            case EADDRINUSE: "; port 0 takes a free one"
            case EACCES: "; ports below 1024 are the system's, use a higher one"
            case EADDRNOTAVAIL: "; it is no address of this machine"
            default: ""
            }
        return "cannot listen on \(address): \(String(cString: strerror(code)))\(remedy)"
    }
}
