// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// Who may ask: the right host name, no foreign page, and the token where there is one.
///
/// - **Host**: a page of another site that has its own name point to this machine (DNS rebinding) comes with that name.
///   Numeric addresses, `localhost`, the machine's own name and the names given are taken.
/// - **Origin**: a browser says which site's page asks; it must be this one.
/// - **Token**: in a cookie, as `Authorization: Bearer`, or once as `?token=`, which is exchanged for the cookie.
///
/// Everything is always checked, and the token in constant time, so that a refusal tells nothing.
package struct AccessRule: Sendable {
    /// The answer to a request.
    enum Verdict: Equatable {
        case allowed
        case refused
        /// The token stands in the address: hand over the cookie and have the browser ask for the same without it.
        case login(cookie: String)
    }

    private let token: [UInt8]?
    private let names: Set<String>
    private let cookie: String

    /// - Parameters:
    ///   - token: what a viewer has to know; nil asks for none.
    ///   - hosts: names by which the server is reached besides its own, such as that of a proxy.
    ///   - port: makes the cookie's name, so that two servers of one machine do not share it.
    package init(token: String?, hosts: [String], port: UInt16) {
        self.token = token.map { Array($0.utf8) }
        let name = Self.machineName.lowercased()
        names = Set(hosts.map { $0.lowercased() } + ["localhost", name, name + ".local"])
        cookie = "vpipe_\(port)"
    }

    func verdict(on request: HTTPRequest) -> Verdict {
        let host = request.header("host") ?? ""
        let isHost = isOwn(host)
        let isOrigin = request.header("origin").map { Self.site(of: $0) == host.lowercased() } ?? true
        let bearer = request.header("authorization").flatMap {
            $0.lowercased().hasPrefix("bearer ") ? String($0.dropFirst(7)) : nil
        }
        let given = request.query.first { $0.name == "token" }?.value
        let isKnown = [bearer, request.cookie(cookie)].map(matches).contains(true)
        let isGiven = matches(given)
        guard isHost, isOrigin, token == nil || isKnown || isGiven else { return .refused }
        guard token != nil, isGiven, let given, request.path == "/" else { return .allowed }
        return .login(cookie: "\(cookie)=\(given); HttpOnly; SameSite=Strict; Path=/")
    }

    /// In the same time wherever the first difference is.
    private func matches(_ text: String?) -> Bool {
        guard let token else { return false }
        let bytes = Array((text ?? "").utf8)
        var difference = UInt8(bytes.count == token.count ? 0 : 1)
        for index in token.indices { difference |= token[index] ^ (index < bytes.count ? bytes[index] : 0xFF) }
        return difference == 0
    }

    private func isOwn(_ host: String) -> Bool {
        var name = host.lowercased()
        if name.hasPrefix("[") {
            guard let end = name.firstIndex(of: "]") else { return false }
            return ListenAddress.isNumeric(String(name[name.index(after: name.startIndex)..<end]))
        }
        if let colon = name.firstIndex(of: ":") { name = String(name[..<colon]) }
        return names.contains(name) || ListenAddress.isNumeric(name)
    }

    /// `http://a:1` -> `a:1`; nil for what is no site, such as `null`.
    private static func site(of origin: String) -> String? {
        for scheme in ["http://", "https://"] where origin.lowercased().hasPrefix(scheme) {
            return String(origin.lowercased().dropFirst(scheme.count))
        }
        return nil
    }
}

extension AccessRule {
    /// The name of this machine.
    static var machineName: String {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// A token nobody guesses: 128 random bits.
    package static func makeToken() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<2).map { _ in
            let text = String(generator.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }.joined()
    }

    /// What a token given by hand must be: it travels in addresses and cookies as it is.
    package static func isUsable(token: String) -> Bool {
        token.utf8.count >= 8 && token.utf8.count <= 128
            && token.utf8.allSatisfy { byte in
                UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
                    || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || byte == UInt8(ascii: "-")
                    || byte == UInt8(ascii: "_")
            }
    }
}
