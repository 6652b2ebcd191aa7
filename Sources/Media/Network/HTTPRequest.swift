// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg

/// One HTTP request with a body, made by FFmpeg under the rules of TLS that streams have; the answer's status is read,
/// its body is not.
///
/// - Note: Thread-safety: a value; `send` blocks its thread, and the interrupt ends it from any.
package struct HTTPRequest: Sendable {
    /// `PUT`, `POST`, `DELETE`.
    package var method: String
    /// `http://` or `https://`; a user and a password in it are sent.
    package var url: String
    /// What the body is; nil says nothing.
    package var contentType: String?
    /// Lines of the header, without their ends.
    package var headers: [String] = []
    package var security: TransportSecurity

    package init(
        _ method: String, _ url: String, contentType: String? = nil, headers: [String] = [], security: TransportSecurity
    ) {
        self.method = method
        self.url = url
        self.contentType = contentType
        self.headers = headers
        self.security = security
    }

    /// Sends `body` and waits for the answer, `seconds` at most; nil leaves the interrupt's limit as it is.
    ///
    /// - Throws: what the server or the system says.
    package func send(_ body: UnsafeBufferPointer<UInt8>, within seconds: Double? = nil, interrupt: Interrupt)
        throws(MediaError)
    {
        var options = OptionDictionary(security.options)
        options.set("method", method)
        if !headers.isEmpty { options.set("headers", headers.map { $0 + "\r\n" }.joined()) }
        if !body.isEmpty {
            // FFmpeg takes a body that is known whole as hexadecimal digits; it is the one way in which it reads the answer.
            options.set("post_data", Self.hexadecimal(body))
            if let contentType { options.set("content_type", contentType) }
        }
        if let seconds {
            interrupt.rearm()
            interrupt.allow(seconds)
        }
        _ = FFmpegLog.takeHint()
        var io: UnsafeMutablePointer<AVIOContext>?
        var callback = interrupt.callback
        let status = options.consumeOptions { avio_open2(&io, url, AVIO_FLAG_READ, &callback, $0) }
        avio_closep(&io)
        if status == vpipe_averror_eof() {
            throw MediaError(
                .inputOutput, operation: "put", detail: "the server closed the connection without an answer",
                underlying: status)
        }
        if status < 0 { throw interrupt.explain(MediaError(status: status, operation: "put").withHint()) }
    }

    /// Whether the server answered that it does not want what it was sent: a status of 4xx.
    package static func isRefusal(_ error: MediaError) -> Bool {
        [400, 401, 403, 404, 499].contains { vpipe_averror_http($0) == error.underlying }
    }

    private static func hexadecimal(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(unsafeUninitializedCapacity: bytes.count * 2) { text in
            for (index, byte) in bytes.enumerated() {
                text[index * 2] = digits[Int(byte >> 4)]
                text[index * 2 + 1] = digits[Int(byte & 15)]
            }
            return bytes.count * 2
        }
    }
}
