// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// A TCP socket at a port of this machine; closed with its owner.
public final class LocalSocket: Sendable {
    /// The system gives no socket.
    public struct Refused: Error {}

    /// Where it is bound.
    public let port: Int
    private let descriptor: Int32

    /// At a port that nobody uses, or a certain one.
    ///
    /// With `listens`, the system takes connections, which nobody answers unless `accept` does.
    public init(port: Int = 0, listens: Bool = false) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && (!listens || listen(descriptor, 16) == 0)
                    && getsockname(descriptor, address, &length) == 0
            }
        }
        self.port = Int(UInt16(bigEndian: address.sin_port))
        guard isBound else { throw Refused() }
    }

    /// The next connection, waited for; nil after `hangUp`.
    public func accept() -> Int32? {
        let connection = Foundation.accept(descriptor, nil, nil)
        return connection < 0 ? nil : connection
    }

    /// Whether a connection waits to be taken.
    public var isCalled: Bool {
        var call = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&call, 1, 0) > 0
    }

    /// Takes no more connections; those that nobody took are reset.
    public func hangUp() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    deinit { close(descriptor) }

    /// A port that nobody listens on.
    public static func freePort() throws -> Int { try LocalSocket().port }
}
