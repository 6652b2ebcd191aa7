// SPDX-License-Identifier: Apache-2.0

/// An answer, whole and in memory.
package struct HTTPResponse: Sendable {
    var status: UInt16
    var headers: [(String, String)]
    var body: [UInt8]

    /// An answer with a body.
    package init(_ status: UInt16 = 200, type: String, body: [UInt8]) {
        self.status = status
        self.body = body
        headers = [("Content-Type", type)]
    }

    /// An answer of plain text.
    package init(_ status: UInt16 = 200, text: String) {
        self.init(status, type: "text/plain; charset=utf-8", body: Array(text.utf8))
    }

    /// Sends the browser on, with a cookie.
    static func redirect(to path: String, cookie: String) -> HTTPResponse {
        var response = HTTPResponse(303, text: "")
        response.headers += [("Location", path), ("Set-Cookie", cookie)]
        return response
    }

    /// What every answer says: nothing is kept, nothing is guessed, nothing foreign is loaded, nobody frames it.
    private static let common = [
        ("Connection", "close"), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"), ("Cross-Origin-Resource-Policy", "same-origin"),
        (
            "Content-Security-Policy",
            "default-src 'self'; media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        ),
    ]

    private static let reasons: [UInt16: String] = [
        200: "OK", 303: "See Other", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
        408: "Request Timeout", 413: "Content Too Large", 426: "Upgrade Required",
        431: "Request Header Fields Too Large", 503: "Service Unavailable", 505: "HTTP Version Not Supported",
    ]

    /// The bytes that go over the connection.
    ///
    /// - Parameter hasBody: false answers a `HEAD`.
    func bytes(hasBody: Bool) -> [UInt8] {
        var head = "HTTP/1.1 \(status) \(Self.reasons[status] ?? "Status")\r\nContent-Length: \(body.count)\r\n"
        for (name, value) in headers + Self.common { head += "\(name): \(value)\r\n" }
        return Array((head + "\r\n").utf8) + (hasBody ? body : [])
    }
}
