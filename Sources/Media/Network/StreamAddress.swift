// SPDX-License-Identifier: Apache-2.0

/// An address on the network, and what FFmpeg wants to be told about its protocol.
public struct StreamAddress: Sendable, Hashable {
    /// What carries RTSP's media.
    public enum Transport: String, Sendable, CaseIterable {
        /// Inside the RTSP connection: passes firewalls, loses nothing.
        case tcp
        /// Datagrams beside it: the least delay, losses show.
        case udp
    }

    /// The address as given, secrets and all.
    public let url: String
    /// Lower case, without `://`.
    let scheme: String

    /// Reads an address; nil for paths of files, and for schemes that only read them.
    public init?(_ url: String) {
        guard let scheme = url.firstRange(of: "://").map({ url[..<$0.lowerBound].lowercased() }) else { return nil }
        guard !["file", "concat", "subfile", "data", "cache", "crypto"].contains(scheme) else { return nil }
        self.url = url
        self.scheme = scheme
    }

    /// The address without host, query and fragment, in lower case.
    private var path: Substring {
        let rest = url.lowercased().dropFirst(scheme.count + 3)
        guard let slash = rest.firstIndex(of: "/") else { return "" }
        return rest[slash...].prefix { $0 != "?" && $0 != "#" }
    }

    /// Whether TLS is spoken there, as far as the address tells.
    var isEncrypted: Bool {
        ["https://", "tls://", "rtsps://", "rtmps://", "rtmpts://", "gophers://"].contains { part in
            url.prefix { $0 != "?" && $0 != "#" }.lowercased().contains(part)
        }
    }
    /// The host and its port, for messages.
    var host: String {
        let rest = url.dropFirst(scheme.count + 3).prefix { !"/?#".contains($0) }
        return String(rest.lastIndex(of: "@").map { rest[rest.index(after: $0)...] } ?? rest)
    }
    /// Whether a user name or password before the host holds characters that end the host's part of an address.
    var hasRawSecret: Bool {
        let rest = url.dropFirst(scheme.count + 3)
        guard let end = rest.firstIndex(where: { "/?#".contains($0) }), !rest[..<end].contains("@"),
            let colon = rest[..<end].firstIndex(of: ":"), rest[end...].contains("@")
        else { return false }
        // What follows the colon would be a port.
        return !rest[rest.index(after: colon)..<end].allSatisfy(\.isNumber)
    }
    var isHTTP: Bool { scheme == "http" || scheme == "https" }
    var isRTSP: Bool { scheme == "rtsp" || scheme == "rtsps" }
    var isRTMP: Bool { scheme.hasPrefix("rtmp") }
    /// Whether it names a playlist of HTTP Live Streaming.
    var isPlaylist: Bool { path.hasSuffix(".m3u8") }

    /// Whether it names a recording on a web server, which is read as a file is: all of it, at any speed.
    public var isRecording: Bool {
        isHTTP
            && ["mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg", "mpeg"].contains { path.hasSuffix("." + $0) }
    }

    /// Options for reading, by FFmpeg's names.
    ///
    /// - Parameters:
    ///   - connect: seconds until a connection must stand.
    ///   - silence: seconds without data after which it counts as lost.
    func inputOptions(transport: Transport, connect: Double, silence: Double) -> [String: String] {
        var options: [String: String] = [:]
        if !isRecording {
            // Streams that announce what they never send would otherwise be waited for longer.
            options["analyzeduration"] = "1000000"
        }
        switch scheme {
        case "rtsp", "rtsps":
            options["rtsp_transport"] = transport.rawValue
            options["timeout"] = Self.microseconds(max(connect, silence))
        case "http", "https":
            options["rw_timeout"] = Self.microseconds(max(connect, silence))
            if isRecording {
                // A recording goes on where it was cut.
                options["reconnect"] = "1"
                options["reconnect_delay_max"] = String(Int(max(1, min(silence, 60))))
            }
        case "rtmp", "rtmps", "rtmpt", "rtmpts", "rtmpe":
            options["rw_timeout"] = Self.microseconds(max(connect, silence))
        case "srt": options.merge(Self.srt(connect: connect, silence: silence)) { $1 }
        case "tcp": options["timeout"] = Self.microseconds(max(connect, silence))
        case "udp": options["overrun_nonfatal"] = "1"
        default: break
        }
        return options
    }

    private static func srt(connect: Double, silence: Double) -> [String: String] {
        ["connect_timeout": String(Int(connect * 1000)), "timeout": microseconds(silence)]
    }

    /// Whole microseconds; FFmpeg keeps some of them in 32 bits.
    private static func microseconds(_ seconds: Double) -> String {
        String(Int32(clamping: Int(min(max(seconds, 0.001), 2000) * 1e6)))
    }
}
