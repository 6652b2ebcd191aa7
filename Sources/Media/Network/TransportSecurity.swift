// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg

/// Whom connections over TLS believe: the system's authorities, one certificate by name, or anybody.
public struct TransportSecurity: Sendable, Hashable {
    /// Whether the other side's certificate has to be valid for its host.
    public var verifies: Bool
    /// PEM file of the only certificate or authority to believe; nil is the system's.
    public var certificate: String?

    /// Believes the system's authorities unless told otherwise.
    public init(verifies: Bool = true, certificate: String? = nil) {
        self.verifies = verifies
        self.certificate = certificate
    }

    /// Options of FFmpeg's protocols; those without TLS do not know them.
    var options: [String: String] {
        guard verifies else { return [:] }
        return certificate.map { ["tls_verify": "1", "ca_file": $0] } ?? ["tls_verify": "1"]
    }

    /// A sentence for the report on a connection to `address`; nil where there is nothing to say.
    public func note(on address: StreamAddress) -> String? {
        guard address.isEncrypted else { return nil }
        if !verifies { return "the certificate of \(address.host) was not verified: \"tlsVerify\" is false" }
        return certificate.map { "the certificate of \(address.host) was verified against \($0) alone" }
    }
}

/// How FFmpeg opens an input and what an input opens in turn: segments of a playlist, what a redirect leads to.
///
/// FFmpeg verifies no certificate unless asked, and its playlists do not hand the request on, so every opening passes
/// here. Confined to the reader's thread.
final class InputOpening {
    typealias Opener =
        @convention(c) (
            UnsafeMutablePointer<AVFormatContext>?, UnsafeMutablePointer<UnsafeMutablePointer<AVIOContext>?>?,
            UnsafePointer<CChar>?, Int32, UnsafeMutablePointer<OpaquePointer?>?
        ) -> Int32

    typealias Closer =
        @convention(c) (UnsafeMutablePointer<AVFormatContext>?, UnsafeMutablePointer<AVIOContext>?) -> Int32

    /// No picture of a stream is larger, and none of a recording that a server has.
    private static let largestBytes: (streamed: Int64, seekable: Int64) = (64 << 20, 512 << 20)

    private let location: String
    private let isRemote: Bool
    private let security: TransportSecurity
    private let interrupt: Interrupt
    private var original: Opener?
    private var originalClose: Closer?
    /// Why something was not opened, in place of FFmpeg's word for it.
    private(set) var refusal: MediaError?

    /// Demuxers that are lists of other files, and the endings of a local file that may be one.
    private static let lists = [
        "hls": ["m3u8", "m3u"], "concat": ["ffconcat", "concat", "txt"], "dash": ["mpd"], "imf": ["xml"],
    ]

    init(_ location: String, _ security: TransportSecurity, _ interrupt: Interrupt) {
        self.location = location
        self.security = security
        self.interrupt = interrupt
        isRemote = StreamAddress(location) != nil
    }

    /// Has the interrupt count what is read from `io`, where that is a server's.
    func watch(_ io: UnsafeMutablePointer<AVIOContext>?) {
        guard isRemote else { return }
        let canSeek = io.map { $0.pointee.seekable & AVIO_SEEKABLE_NORMAL != 0 } ?? false
        interrupt.watch(io, largest: canSeek ? Self.largestBytes.seekable : Self.largestBytes.streamed)
    }

    /// Sees to everything that `context` opens; `self` outlives it.
    ///
    /// - Throws: `unsupportedFormat` where FFmpeg has no way to verify what the location asks for.
    func install(on context: UnsafeMutablePointer<AVFormatContext>, options: inout [String: String])
        throws(MediaError)
    {
        original = context.pointee.io_open
        context.pointee.opaque = Unmanaged.passUnretained(self).toOpaque()
        context.pointee.io_open = { context, io, url, flags, options in
            guard let context, let url, let opaque = context.pointee.opaque else { return vpipe_averror_exit() }
            return Unmanaged<InputOpening>.fromOpaque(opaque).takeUnretainedValue()
                .open(context, io, url, flags, options)
        }
        originalClose = context.pointee.io_close2
        context.pointee.io_close2 = { context, io in
            guard let context, let opaque = context.pointee.opaque else { return vpipe_averror_exit() }
            let opening = Unmanaged<InputOpening>.fromOpaque(opaque).takeUnretainedValue()
            if opening.interrupt.watches(io) { opening.watch(context.pointee.pb) }
            return opening.originalClose?(context, io) ?? vpipe_averror_exit()
        }
        guard security.verifies, let address = StreamAddress(location) else { return }
        switch address.scheme {
        // These hand the request on to the connection beneath them.
        case "http", "https", "tls", "rtmp", "rtmps", "rtsp": break
        case "rtsps":
            guard Self.demuxer("rtsp", knows: "tls_verify") else { throw Self.unverifiable(address) }
            options.merge(security.options) { $1 }
        default:
            if Self.mayNest.contains(where: address.scheme.hasPrefix) {
                context.pointee.protocol_blacklist = av_strdup("tls")
                if address.isEncrypted { throw Self.unverifiable(address) }
            }
        }
    }

    /// Protocols that open others without handing anything on.
    private static let mayNest = [
        "rtmpt", "ffrtmphttp", "httpproxy", "gophers", "concat", "async", "cache", "crypto", "subfile", "icecast",
    ]

    static func unverifiable(_ address: StreamAddress) -> MediaError {
        MediaError(
            .untrusted, operation: "tls",
            detail:
                "this FFmpeg cannot verify certificates over \(address.scheme)://; \"tlsVerify\": false goes on without"
        )
    }

    private static func demuxer(_ name: String, knows option: String) -> Bool {
        guard let found = av_find_input_format(name), var info = found.pointee.priv_class else { return false }
        return withUnsafeMutablePointer(to: &info) {
            av_opt_find($0, option, nil, 0, AV_OPT_SEARCH_FAKE_OBJ) != nil
        }
    }

    private func open(
        _ context: UnsafeMutablePointer<AVFormatContext>,
        _ io: UnsafeMutablePointer<UnsafeMutablePointer<AVIOContext>?>?, _ url: UnsafePointer<CChar>, _ flags: Int32,
        _ options: UnsafeMutablePointer<OpaquePointer?>?
    ) -> Int32 {
        if let format = context.pointee.iformat, isDisguised(String(cString: format.pointee.name)) {
            return vpipe_averror_exit()
        }
        var own: OpaquePointer?
        defer { av_dict_free(&own) }
        return withUnsafeMutablePointer(to: &own) { own in
            let options = options ?? own
            let added = security.options
            for (key, value) in added { av_dict_set(options, key, value, AV_DICT_DONT_OVERWRITE) }
            defer { for key in added.keys { av_dict_set(options, key, nil, 0) } }
            let status = original?(context, io, url, flags, options) ?? vpipe_averror_exit()
            // Segments and the like; what a demuxer has not begun to read yet is known to it alone.
            if status >= 0, context.pointee.iformat != nil { watch(io?.pointee) }
            return status
        }
    }

    /// Whether a local file names others although its own name is that of a media file.
    private func isDisguised(_ format: String) -> Bool {
        let kind = format.split(separator: ",").first.map(String.init) ?? format
        guard let endings = Self.lists[kind], StreamAddress(location) == nil else { return false }
        guard !endings.contains(where: { location.lowercased().hasSuffix("." + $0) }) else { return false }
        refusal = MediaError(
            .notMedia, operation: "open",
            detail: "is a list of other files (\(kind)), not a media file; if that is meant, call it .\(endings[0])")
        return true
    }
}
