// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

@testable import Pipeline
@testable import Server

/// What `deploy/` holds is tried with the programs it is for.
@Suite(.timeLimit(.minutes(5))) struct DeployTests {
    private static let folder = packageRoot + "/deploy"

    /// The queries of the dashboard, its variables filled in.
    private func queries() throws -> [String] {
        let data = try Data(contentsOf: URL(fileURLWithPath: Self.folder + "/grafana-vpipe.json"))
        let dashboard = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let panels = try #require(dashboard["panels"] as? [[String: Any]])
        return panels.flatMap { ($0["targets"] as? [[String: Any]]) ?? [] }.compactMap { $0["expr"] as? String }
            .map { $0.replacing("$__rate_interval", with: "1m").replacing("$instance", with: ".*") }
    }

    @Test func `the dashboard and the alarms ask for metrics that there are`() throws {
        let run = try makeRun(#""bars": {"type": "testpattern"}, "end": {"type": "null", "input": "bars"}"#)
        var figures = run.figures()
        figures.peers = [.init(node: "bars", isUp: true, losses: 0)]
        figures.results = [.init(node: "faces", kind: "faces", count: 1)]
        figures.target = TargetRecord(rungs: ["as written"])
        let text = MetricsText(figures, extra: PreviewFigures()).text
        let known = Set(
            text.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }.map { String($0.split(separator: " ")[2]) })
        let alarms = try String(contentsOfFile: Self.folder + "/prometheus-alerts.yml", encoding: .utf8)
            .split(separator: "\n").filter { $0.contains("expr:") }.map(String.init)
        let asked = try queries() + alarms
        #expect(asked.count >= 18)
        for query in asked {
            for match in query.matches(of: /(?:vpipe|process)_[a-z_]+/) {
                let name = String(match.output).replacing("_seconds_bucket", with: "_seconds")
                #expect(known.contains(name), "\(name) in \(query)")
            }
        }
    }

    @Test(.enabled(if: Tool.promtool != nil, "needs promtool, of Debian's prometheus"))
    func `Prometheus understands every query`() throws {
        let scratch = try Scratch()
        let rules = try queries().enumerated().map { number, query in
            let text = try String(
                decoding: JSONSerialization.data(withJSONObject: [query], options: .withoutEscapingSlashes),
                as: UTF8.self)
            return "  - record: panel:\(number)\n    expr: \(text.dropFirst().dropLast())\n"
        }
        let path = scratch.file("rules.yml")
        try Data(("groups:\n- name: panels\n  rules:\n" + rules.joined()).utf8).write(to: URL(fileURLWithPath: path))
        for file in [path, Self.folder + "/prometheus-alerts.yml"] {
            let checked = try Tool.run("/bin/sh", ["-c", "promtool check rules '\(file)' 2>&1"])
            #expect(checked.status == 0, "\(checked.output)")
        }
    }

    @Test(
        .enabled(if: ["nginx", "openssl", "curl"].allSatisfy { Tool.find($0) != nil }, "needs nginx, openssl and curl"))
    func `nginx passes the page and the WebSocket on over TLS`() throws {
        let scratch = try Scratch()
        let run = try makeRun(
            """
            "bars": {"type": "testpattern", "size": "64x64", "frames": 0, "realtime": true},
            "end": {"type": "null", "input": "bars"}
            """)
        let server = try RunServer(at: .loopback(port: 0), access: Access(hosts: ["cam.example"]))
        server.attach(run, preview: Preview(run))
        try run.start()
        defer {
            run.stop()
            _ = run.waitUntilFinished()
            server.stop()
        }
        let port = try TestPort.free()
        let site = try String(contentsOfFile: Self.folder + "/nginx-vpipe.conf", encoding: .utf8)
            .replacing("listen 443", with: "listen 127.0.0.1:\(port)")
            .replacing("127.0.0.1:8475", with: server.address.description)
            .replacing("/etc/ssl/certs/cam.example.pem", with: scratch.file("c.pem"))
            .replacing("/etc/ssl/private/cam.example.key", with: scratch.file("k.pem"))
        let conf = """
            daemon off; master_process off; pid \(scratch.file("pid")); error_log \(scratch.file("error.log"));
            events { worker_connections 64; }
            http {
            access_log off;
            client_body_temp_path \(scratch.file("a")); proxy_temp_path \(scratch.file("b"));
            fastcgi_temp_path \(scratch.file("c")); uwsgi_temp_path \(scratch.file("d")); scgi_temp_path \(scratch.file("e"));
            \(site)
            }
            """
        try Data(conf.utf8).write(to: URL(fileURLWithPath: scratch.file("nginx.conf")))
        let certificate = try Tool.run(
            "/bin/sh",
            [
                "-c",
                "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=cam.example "
                    + "-keyout \(scratch.file("k.pem")) -out \(scratch.file("c.pem")) 2>&1",
            ])
        try #require(certificate.status == 0, "\(certificate.output)")
        let nginx = Process()
        nginx.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        nginx.arguments = ["nginx", "-p", scratch.path, "-c", scratch.file("nginx.conf")]
        nginx.standardError = FileHandle.nullDevice
        try nginx.run()
        defer {
            // It may have been started with the other signals blocked.
            kill(nginx.processIdentifier, SIGKILL)
            nginx.waitUntilExit()
        }
        func curl(_ arguments: String, host: String = "cam.example") throws -> String {
            try Tool.run(
                "/bin/sh",
                [
                    "-c",
                    "curl -sk --http1.1 --max-time 20 "
                        + "--resolve '*:\(port):127.0.0.1' \(arguments.replacing("SITE", with: "https://\(host):\(port)"))",
                ]
            ).output
        }
        #expect(try curl("--retry 40 --retry-connrefused --retry-delay 1 SITE/").contains("<title>vpipe</title>"))
        #expect(try curl("SITE/readyz -o /dev/null -w '%{http_code}'").hasPrefix("200"))
        let upgrade =
            "-i -N -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' "
            + "-H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' "
        #expect(
            try curl(upgrade + "-H 'Origin: https://cam.example:\(port)' SITE/live | head -c 2000").contains("101 "))
        #expect(try curl(upgrade + "-H 'Origin: https://evil.example' SITE/live").contains("403 "))
        #expect(try curl("SITE/ -o /dev/null -w '%{http_code}'", host: "evil.example") == "403")
    }
}

/// A port that nobody listens on.
enum TestPort {
    static func free() throws -> UInt16 {
        let server = try HTTPServer(.loopback(port: 0), access: Access().rule) { _ in .response(HTTPResponse(text: ""))
        }
        defer { server.stop() }
        return server.address.port
    }
}
