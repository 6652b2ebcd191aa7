// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestPeers
import TestSupport
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

    static let hasTLSFront = hasProtocol("tls") && python != nil && openssl != nil
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

    /// GStreamer's RTSP server taking H.264 at `rtsp://127.0.0.1:PORT/live` into a file.
    static let rtspRecorder = """
        import sys, gi
        gi.require_version('Gst', '1.0'); gi.require_version('GstRtspServer', '1.0')
        from gi.repository import Gst, GstRtspServer, GLib
        Gst.init(None)
        server = GstRtspServer.RTSPServer(service=sys.argv[1], address='127.0.0.1')
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
        factory.set_launch('( rtph264depay name=depay0 ! video/x-h264,stream-format=byte-stream,alignment=nal'
            ' ! filesink sync=false buffer-mode=unbuffered location=%s )' % sys.argv[2])
        server.get_mount_points().add_factory('/live', factory)
        server.attach(None)
        GLib.MainLoop().run()
        """

    /// Takes TLS at the first port and hands on to the second; with a fourth argument no newer TLS than 1.2.
    static let tlsFront = """
        import sys, ssl, socket, select, threading
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3])
        if len(sys.argv) > 4: context.maximum_version = ssl.TLSVersion.TLSv1_2
        def serve(plain):
            try:
                with context.wrap_socket(plain, server_side=True) as front, \\
                        socket.create_connection(('127.0.0.1', int(sys.argv[2]))) as back:
                    while True:
                        ready = [front] if front.pending() else select.select([front, back], [], [])[0]
                        for end in ready:
                            data = end.recv(65536)
                            if not data: return
                            (back if end is front else front).sendall(data)
            except OSError: pass
        listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))
        while True: threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()
        """
}
