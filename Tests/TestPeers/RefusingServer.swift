// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Synchronization

/// A web server on this machine that answers every request alike once it has granted some: with a status, or by hanging up.
public final class RefusingServer: Sendable {
    private let socket: LocalSocket
    private let granted: Mutex<Int>

    /// Listens from now on, at a port of its own.
    ///
    /// - Parameters:
    ///   - answer: status and words, or `hang up`.
    ///   - granted: requests that are answered by 204 before.
    public init(_ answer: String, after granted: Int = 0) throws {
        socket = try LocalSocket(listens: true)
        self.granted = Mutex(granted)
        Thread.detachNewThread { [self] in
            while let connection = socket.accept() {
                Thread.detachNewThread { [self] in
                    serve(connection, answer)
                    close(connection)
                }
            }
        }
    }

    /// Where it listens.
    public var port: Int { socket.port }

    /// Takes no more connections.
    public func stop() { socket.hangUp() }

    private func serve(_ connection: Int32, _ answer: String) {
        var head: [UInt8] = []
        var byte: UInt8 = 0
        while !head.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            guard recv(connection, &byte, 1, 0) == 1 else { return }
            head.append(byte)
        }
        let isGranted = granted.withLock { left in
            left -= 1
            return left >= 0
        }
        guard isGranted || answer != "hang up" else { return }
        let text =
            "HTTP/1.1 \(isGranted ? "204 No Content" : answer)\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        _ = send(connection, text, text.utf8.count, Int32(MSG_NOSIGNAL))
        // What was sent along is taken, or the answer would be lost with it.
        shutdown(connection, Int32(SHUT_WR))
        while recv(connection, &byte, 1, 0) == 1 {}
    }
}
