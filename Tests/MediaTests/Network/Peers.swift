// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestPeers
import Testing

@testable import Media

/// What the tests of network streams have at the other end.
extension Peer {
    /// ffmpeg sends a moving picture at its own pace.
    static func sending(_ output: [String]) throws -> Peer {
        try Peer(
            Peer.ffmpeg,
            [
                "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=s=64x48:r=25", "-c:v", "libx264", "-preset",
                "ultrafast", "-tune", "zerolatency", "-g", "5", "-pix_fmt", "yuv420p", "-t", "60",
            ] + output)
    }

    /// ffmpeg stores what it is sent.
    static func receiving(_ input: [String], to path: String) throws -> Peer {
        try Peer(
            Peer.ffmpeg,
            ["-v", "error", "-analyzeduration", "500000", "-probesize", "50000"] + input
                + ["-c", "copy", "-flush_packets", "1", "-y", path])
    }

    static func hasProtocol(_ name: String) -> Bool {
        let output = try? Tool.run(Peer.ffmpeg, ["-v", "quiet", "-protocols"]).output
        return output?.split(separator: "\n").contains { $0.trimmingCharacters(in: .whitespaces) == name } ?? false
    }

    static let hasSRT = hasProtocol("srt")
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
