// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import Glibc

/// The files that FFmpeg's HLS muxer writes: sent whole to a server, whose answer is read, or kept on the disk, where each
/// is checked when it is closed.
///
/// The muxer itself takes whatever happens for success. Confined to the thread of the muxer.
final class PlaylistOutput {
    private let target: StreamTarget
    private let interrupt: Interrupt
    private var original: InputOpening.Opener?
    private var originalClose: InputOpening.Closer?
    /// Files on their way to a server, by the memory that the muxer writes them to.
    private var uploads: [UnsafeMutablePointer<AVIOContext>: (url: String, method: String)] = [:]
    /// Files on the disk that are being written, by what they are written through.
    private var files: [UnsafeMutablePointer<AVIOContext>: String] = [:]
    /// What went wrong first.
    private(set) var failure: MediaError?
    /// Segments that arrived.
    private(set) var segments = 0

    init(_ target: StreamTarget, interrupt: Interrupt) {
        self.target = target
        self.interrupt = interrupt
    }

    /// Sees to everything that `context` opens; `self` outlives it.
    func install(on context: UnsafeMutablePointer<AVFormatContext>) {
        original = context.pointee.io_open
        originalClose = context.pointee.io_close2
        context.pointee.opaque = Unmanaged.passUnretained(self).toOpaque()
        context.pointee.io_open = { context, io, url, flags, options in
            guard let context, let io, let url, let opaque = context.pointee.opaque else { return vpipe_averror_exit() }
            return Unmanaged<PlaylistOutput>.fromOpaque(opaque).takeUnretainedValue()
                .open(context, io, url, flags, options)
        }
        context.pointee.io_close2 = { context, io in
            guard let context, let io, let opaque = context.pointee.opaque else { return vpipe_averror_exit() }
            return Unmanaged<PlaylistOutput>.fromOpaque(opaque).takeUnretainedValue().close(context, io)
        }
    }

    /// Proves that a server takes the playlist, by one that is empty so far, or that there is a folder to write to.
    ///
    /// - Throws: what the server or the system says.
    func announce() throws(MediaError) {
        guard target.isRemote else { return try target.prepare() }
        let text = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:\(StreamTarget.segmentSeconds)\n"
        let status = text.utf8CString.withUnsafeBufferPointer { bytes in
            bytes.withMemoryRebound(to: UInt8.self) { send($0.baseAddress, text.utf8.count, "PUT", target.url) }
        }
        guard status < 0 else { return }
        throw failure ?? MediaError(status: status, operation: "announce")
    }

    private func open(
        _ context: UnsafeMutablePointer<AVFormatContext>,
        _ io: UnsafeMutablePointer<UnsafeMutablePointer<AVIOContext>?>, _ url: UnsafePointer<CChar>, _ flags: Int32,
        _ options: UnsafeMutablePointer<OpaquePointer?>?
    ) -> Int32 {
        guard target.isRemote else {
            let status = original?(context, io, url, flags, options) ?? vpipe_averror_exit()
            if status < 0 { note(MediaError(status: status, operation: "open")) }
            if status >= 0, let opened = io.pointee { files[opened] = String(cString: url) }
            return status
        }
        let status = avio_open_dyn_buf(io)
        guard status >= 0, let opened = io.pointee else { return status }
        let method = options.flatMap { av_dict_get($0.pointee, "method", nil, 0) }.map {
            String(cString: $0.pointee.value)
        }
        uploads[opened] = (String(cString: url), method ?? "PUT")
        return status
    }

    private func close(
        _ context: UnsafeMutablePointer<AVFormatContext>, _ io: UnsafeMutablePointer<AVIOContext>
    ) -> Int32 {
        guard let upload = uploads.removeValue(forKey: io) else {
            let path = files.removeValue(forKey: io)
            avio_flush(io)
            var status = io.pointee.error
            let closed = originalClose?(context, io) ?? vpipe_averror_exit()
            if status >= 0 { status = closed }
            if status < 0 {
                note(MediaError(status: status, operation: "write"))
                // The muxer would put what it could not write in the place of the last whole playlist.
                if let path, path.hasSuffix(".m3u8.tmp") { unlink(path) }
            } else {
                segments += 1
            }
            return status
        }
        var bytes: UnsafeMutablePointer<UInt8>?
        let count = Int(avio_close_dyn_buf(io, &bytes))
        defer { av_free(bytes) }
        guard upload.method == "PUT" else {
            // What is not taken away is the server's to keep.
            let before = failure
            _ = send(nil, 0, upload.method, upload.url)
            failure = before
            return 0
        }
        let status = send(bytes, count, upload.method, upload.url)
        if status >= 0 { segments += 1 }
        return status
    }

    /// Makes one request and reads the answer.
    private func send(_ bytes: UnsafePointer<UInt8>?, _ count: Int, _ method: String, _ url: String) -> Int32 {
        let path = url.prefix { $0 != "?" }.lowercased()
        let request = HTTPRequest(
            method, url, contentType: path.hasSuffix(".m3u8") ? "application/vnd.apple.mpegurl" : "video/mp2t",
            security: target.security)
        do {
            try request.send(UnsafeBufferPointer(start: bytes, count: count), interrupt: interrupt)
            return 0
        } catch {
            note(error)
            return error.underlying < 0 ? error.underlying : vpipe_averror_exit()
        }
    }

    private func note(_ error: MediaError) { failure = failure ?? error }
}
