// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import Glibc

/// Where a stream is pushed to: a server, a peer, or a folder that a web server hands out (HLS).
public struct StreamTarget: Sendable, Hashable {
    /// Seconds of video in a segment of HLS; it begins with a keyframe.
    static let segmentSeconds = 2

    /// The address or path as given, secrets and all.
    public let url: String
    /// FFmpeg's name of the muxer.
    let format: String
    private let address: StreamAddress?
    private let transport: StreamAddress.Transport
    /// Whom a connection over TLS believes.
    public let security: TransportSecurity

    /// What can be pushed to, for messages.
    public static let expected =
        "rtsp://, rtmp://, srt://, udp://, tcp:// or the path or http:// address of an .m3u8 playlist"

    /// Reads an address; nil where nothing can be pushed to it.
    public init?(
        _ url: String, transport: StreamAddress.Transport = .tcp, security: TransportSecurity = TransportSecurity()
    ) {
        self.url = url
        self.transport = transport
        self.security = security
        address = StreamAddress(url)
        guard let address else {
            guard url.lowercased().hasSuffix(".m3u8"), url.firstRange(of: "://") == nil else { return nil }
            format = "hls"
            return
        }
        switch address.scheme {
        case "rtsp", "rtsps": format = "rtsp"
        case "rtmp", "rtmps": format = "flv"
        case "srt", "udp", "tcp": format = "mpegts"
        case "http", "https":
            guard address.isPlaylist else { return nil }
            format = "hls"
        default: return nil
        }
    }

    /// The same with nobody at the other end, for trial runs: what is pushed is muxed and thrown away.
    package var discarded: StreamTarget { StreamTarget(url: url, format: "null", address: nil, transport: transport) }

    private init(url: String, format: String, address: StreamAddress?, transport: StreamAddress.Transport) {
        self.url = url
        self.format = format
        self.address = address
        self.transport = transport
        security = TransportSecurity()
    }

    /// Whether it is a playlist with files beside it (HLS).
    var isPlaylist: Bool { format == "hls" }

    /// Makes the folder of a local playlist where it is missing.
    ///
    /// - Throws: why there is none that can be written to.
    public func prepare() throws(MediaError) {
        guard isPlaylist, !isRemote else { return }
        try OutputFolder.make(for: url)
        let folder = url.lastIndex(of: "/").map { String(url[...$0]) } ?? "."
        guard access(folder, W_OK) == 0 else { throw MediaError(errno: errno, operation: "access").of(folder) }
    }

    /// - Throws: `untrusted` where certificates are to be verified and this FFmpeg does not verify them there.
    func checkTrust() throws(MediaError) {
        guard security.verifies, let address, address.isEncrypted else { return }
        guard ["https", "rtmps", "tls"].contains(address.scheme) else { throw InputOpening.unverifiable(address) }
    }

    /// A sentence for the report; nil where there is nothing to say.
    public var securityNote: String? { address.flatMap { security.note(on: $0) } }

    /// Whether it is on the network, where time passes for everybody.
    public var isRemote: Bool { address != nil }

    /// Options of the protocol, by FFmpeg's names.
    var connectionOptions: [String: String] {
        switch address?.scheme {
        case "srt": ["pkt_size": "1316", "connect_timeout": "5000"]
        case "udp": ["pkt_size": "1316"]
        case "rtmps": security.options
        default: [:]
        }
    }

    /// Options of the muxer, by FFmpeg's names.
    var muxerOptions: [String: String] {
        switch format {
        case "rtsp": ["rtsp_transport": transport.rawValue]
        case "flv": ["flvflags": "no_duration_filesize"]
        case "hls":
            [
                "hls_time": String(Self.segmentSeconds), "hls_list_size": "6",
                "hls_flags": "delete_segments+independent_segments" + (isRemote ? "" : "+temp_file"),
                // Numbers go on over a restart, so that players do not take old segments for new ones.
                "hls_start_number_source": "epoch",
            ].merging(isRemote ? ["method": "PUT"] : [:]) { $1 }
        default: [:]
        }
    }

    /// Whether the muxer takes streams of `codec`.
    func holds(_ codec: AVCodecID) -> Bool {
        // What FFmpeg writes there by its own extension few servers read.
        if format == "flv" { return [AV_CODEC_ID_H264, AV_CODEC_ID_AAC, AV_CODEC_ID_MP3].contains(codec) }
        if format == "hls" || format == "mpegts" {
            return [
                AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_MPEG4, AV_CODEC_ID_AAC, AV_CODEC_ID_MP3,
                AV_CODEC_ID_MP2,
                AV_CODEC_ID_AC3, AV_CODEC_ID_EAC3, AV_CODEC_ID_OPUS,
            ].contains(codec)
        }
        return [
            AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_MPEG4, AV_CODEC_ID_AAC, AV_CODEC_ID_OPUS,
            AV_CODEC_ID_PCM_ALAW, AV_CODEC_ID_PCM_MULAW,
        ].contains(codec)
    }

    /// Whether video of `codec` can be pushed.
    public func holds(_ codec: VideoCodec) -> Bool { holds(codec.id) }

    var needsGlobalHeader: Bool {
        av_guess_format(format, nil, nil).map { $0.pointee.flags & AVFMT_GLOBALHEADER != 0 } ?? false
    }

    /// What audio may come along.
    var audio: AudioCopy.Acceptance {
        AudioCopy.Acceptance(
            name: format, holds: { holds($0) }, headers: format == "mpegts" || format == "hls" ? .kept : .refused)
    }
}
