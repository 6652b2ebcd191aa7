// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// A TCP socket at a port of this machine that nobody else uses; closed with its owner.
public final class LocalSocket {
    /// The system gives no socket.
    public struct Refused: Error {}

    /// Where it is bound.
    public let port: Int
    private let descriptor: Int32

    /// With `listens`, the system takes connections that nobody ever answers.
    public init(listens: Bool = false) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && (!listens || listen(descriptor, 4) == 0)
                    && getsockname(descriptor, address, &length) == 0
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        guard isBound else { throw Refused() }
    }

    deinit { close(descriptor) }

    /// A port that nobody listens on.
    public static func freePort() throws -> Int { try LocalSocket().port }
}
