// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// Where a server listens: a numeric address of this machine and a port.
package struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
    /// What an address must be, for messages.
    package static let expected = "an address such as \"127.0.0.1:8475\", \"[::1]:8475\" or a port alone"
    /// The port where none is given.
    package static let defaultPort: UInt16 = 8475

    /// The address in numbers, without brackets.
    package let host: String
    /// The port; 0 lets the system choose.
    package let port: UInt16

    /// An address of this machine that no other machine reaches.
    package static func loopback(port: UInt16 = defaultPort) -> ListenAddress {
        ListenAddress(host: "127.0.0.1", port: port)
    }

    private init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Reads `HOST:PORT`, `HOST` or `PORT`, on loopback where no host is given; nil for names and anything else.
    package init?(_ text: String) {
        if let port = UInt16(text) {
            self = .loopback(port: port)
            return
        }
        var (host, port) = (Substring(text), Substring(String(Self.defaultPort)))
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.first == ":" else { return nil }
            if !rest.isEmpty { port = rest.dropFirst() }
        } else if text.filter({ $0 == ":" }).count == 1, let colon = text.firstIndex(of: ":") {
            (host, port) = (text[..<colon], text[text.index(after: colon)...])
        }
        if host == "localhost" { host = "127.0.0.1" }
        guard port.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let number = UInt16(port),
            Self.isNumeric(String(host))
        else { return nil }
        self.init(host: String(host), port: number)
    }

    /// The same with another port.
    func at(port: UInt16) -> ListenAddress { ListenAddress(host: host, port: port) }

    /// Whether no other machine reaches it.
    package var isLoopback: Bool { host.hasPrefix("127.") || host == "::1" }

    var isIPv6: Bool { host.contains(":") }

    /// As it stands in a URL.
    package var description: String { isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Whether a text is an IPv4 or IPv6 address in numbers.
    static func isNumeric(_ text: String) -> Bool {
        var room = in6_addr()
        return inet_pton(AF_INET, text, &room) == 1 || inet_pton(AF_INET6, text, &room) == 1
    }

    /// Calls `body` with the address as the system wants it.
    func withSocketAddress<Value>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Value) -> Value {
        func call<Address>(_ address: Address) -> Value {
            withUnsafePointer(to: address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<Address>.size))
                }
            }
        }
        if isIPv6 {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            inet_pton(AF_INET6, host, &address.sin6_addr)
            return call(address)
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, host, &address.sin_addr)
        return call(address)
    }
}
