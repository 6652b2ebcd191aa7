// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import Media

/// A program at the other end of a connection, on this machine; killed with its owner.
final class Peer {
    private let process = Process()

    init(_ program: String?, _ arguments: [String], in folder: String? = nil) throws {
        process.executableURL = URL(fileURLWithPath: try #require(program))
        process.arguments = arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
        try process.run()
    }

    deinit { kill() }

    /// As a crash does it; the program has gone when this returns.
    func kill() {
        guard process.isRunning else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Stands still, connections open.
    func freeze() { Foundation.kill(process.processIdentifier, SIGSTOP) }

    var isRunning: Bool { process.isRunning }

    /// ffmpeg sends a moving picture at its own pace.
    static func sending(_ output: [String]) throws -> Peer {
        try Peer(
            Tool.ffmpeg,
            [
                "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=s=64x48:r=25", "-c:v", "libx264", "-preset",
                "ultrafast", "-tune", "zerolatency", "-g", "5", "-pix_fmt", "yuv420p", "-t", "60",
            ] + output)
    }

    /// ffmpeg stores what it is sent.
    static func receiving(_ input: [String], to path: String) throws -> Peer {
        try Peer(
            Tool.ffmpeg,
            ["-v", "error", "-analyzeduration", "500000", "-probesize", "50000"] + input
                + ["-c", "copy", "-flush_packets", "1", "-y", path])
    }

    /// A port that nobody listens on.
    static func freePort() throws -> Int {
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(server) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(server, address, length) == 0 && getsockname(server, address, &length) == 0
            }
        }
        try #require(isBound)
        return Int(UInt16(bigEndian: address.sin_port))
    }

    static func hasProtocol(_ name: String) -> Bool {
        let output = try? Tool.run(Tool.ffmpeg, ["-v", "quiet", "-protocols"]).output
        return output?.split(separator: "\n").contains { $0.trimmingCharacters(in: .whitespaces) == name } ?? false
    }

    static let hasSRT = hasProtocol("srt")
    static let python = FileManager.default.isExecutableFile(atPath: "/usr/bin/python3") ? "/usr/bin/python3" : nil
    static let hasRTSPServer = (try? Tool.run(python, ["-c", rtspServer, "probe"]).status) == 0

    /// GStreamer's RTSP server: motion JPEG at `rtsp://127.0.0.1:PORT/live`.
    static let rtspServer = """
        import sys, gi
        gi.require_version('Gst', '1.0'); gi.require_version('GstRtspServer', '1.0')
        from gi.repository import Gst, GstRtspServer, GLib
        Gst.init(None)
        for name in ('videotestsrc', 'jpegenc', 'rtpjpegpay'):
            if not Gst.ElementFactory.find(name): sys.exit(1)
        if sys.argv[1] == 'probe': sys.exit(0)
        server = GstRtspServer.RTSPServer(service=sys.argv[1], address='127.0.0.1')
        factory = GstRtspServer.RTSPMediaFactory(shared=True)
        factory.set_launch('( videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=25/1,format=I420'
            ' ! jpegenc ! rtpjpegpay name=pay0 )')
        server.get_mount_points().add_factory('/live', factory)
        server.attach(None)
        GLib.MainLoop().run()
        """

    /// A camera that sends JPEG files one after the other over HTTP, ten a second.
    static let mjpegServer = """
        import sys, time, http.server
        picture = open(sys.argv[2], 'rb').read()
        class Camera(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header('Content-Type', 'multipart/x-mixed-replace; boundary=frame')
                self.end_headers()
                while True:
                    self.wfile.write(b'--frame\\r\\nContent-Type: image/jpeg\\r\\nContent-Length: %d\\r\\n\\r\\n' % len(picture))
                    self.wfile.write(picture + b'\\r\\n')
                    time.sleep(0.1)
        http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Camera).serve_forever()
        """
}
