// SPDX-License-Identifier: Apache-2.0
package import Pipeline
internal import Synchronization

/// Answers for a run over HTTP: `/metrics`, `/livez`, `/readyz` and, with a preview, the page and its WebSocket.
///
/// No route reads or writes a file or starts a program; what can be changed goes through the run's controller. It does not keep
/// the run alive.
/// - Note: Thread-safety: thread-safe.
package final class RunServer: Sendable {
    private final class Subject: Sendable {
        private struct State {
            weak var run: PipelineRun?
            var preview: Preview?
        }

        private let state = Mutex(State())

        func set(_ run: PipelineRun, _ preview: Preview?) { state.withLock { $0 = State(run: run, preview: preview) } }

        var run: PipelineRun? { state.withLock { $0.run } }
        var preview: Preview? { state.withLock { $0.preview } }

        func answer(_ request: HTTPRequest) -> Reply {
            guard let run else { return .response(HTTPResponse(503, text: "503: nothing runs yet\n")) }
            if let preview, let reply = Self.page(request.path, of: preview) { return reply }
            switch request.path {
            case "/metrics":
                let text = MetricsText(run.figures(), extra: preview?.figures).text
                return .response(HTTPResponse(type: MetricsText.contentType, body: Array(text.utf8)))
            case "/livez": return .response(HTTPResponse(Health.live(run)))
            case "/readyz": return .response(HTTPResponse(Health.ready(run.figures())))
            default: return .response(HTTPResponse(404, text: "404\n"))
            }
        }

        private static func page(_ path: String, of preview: Preview) -> Reply? {
            switch path {
            case "/": .response(HTTPResponse(type: "text/html; charset=utf-8", body: PackageResources.index_html))
            case "/page.css": .response(HTTPResponse(type: "text/css; charset=utf-8", body: PackageResources.page_css))
            case "/page.js":
                .response(HTTPResponse(type: "text/javascript; charset=utf-8", body: PackageResources.page_js))
            case "/icon.svg": .response(HTTPResponse(type: "image/svg+xml", body: PackageResources.icon_svg))
            case "/live": .webSocket(preview.join())
            default: nil
            }
        }
    }

    private let server: HTTPServer
    private let subject: Subject
    private let access: Access

    /// Listens until `stop`; answers 503 until `attach`.
    ///
    /// - Parameters:
    ///   - access: who may ask; addresses other than loopback need its token.
    ///   - orFreePort: takes another port where somebody listens there already.
    /// - Throws: `ServerError` when the address cannot be had.
    package init(at address: ListenAddress, access: Access, orFreePort: Bool = false) throws(ServerError) {
        let subject = Subject()
        self.subject = subject
        self.access = access
        server = try HTTPServer(address, orFreePort: orFreePort, access: access.rule) { subject.answer($0) }
    }

    /// Answers for a run from now on.
    package func attach(_ run: PipelineRun, preview: Preview? = nil) {
        preview?.connect { [weak server] in server?.wake() }
        subject.set(run, preview)
    }

    /// The preview; nil where there is none.
    package var preview: Preview? { subject.preview }

    /// Where it listens.
    package var address: ListenAddress { server.address }

    /// The address to open, with the token if there is one.
    package var url: String { "http://\(reachable)/" + (access.token.map { "?token=\($0)" } ?? "") }

    /// As others reach it: all addresses of a machine are no address.
    private var reachable: String {
        switch address.host {
        case "0.0.0.0", "::": "\(AccessRule.machineName):\(address.port)"
        default: address.description
        }
    }

    /// Answers nothing any more.
    package func stop() { server.stop() }
}

/// Who may ask a server, as the user says it.
package struct Access: Sendable {
    /// What a viewer has to know; nil asks for none.
    package var token: String?
    /// Names by which the server is reached besides its own, such as that of a proxy.
    package var hosts: [String]

    /// Takes what the user says.
    package init(token: String? = nil, hosts: [String] = []) {
        self.token = token
        self.hosts = hosts
    }

    var rule: (UInt16) -> AccessRule { { AccessRule(token: token, hosts: hosts, port: $0) } }
}

extension HTTPResponse {
    /// 200 or 503, with what is wrong.
    init(_ health: Health) {
        self.init(
            health.isGood ? 200 : 503,
            text: health.isGood ? "ok\n" : health.problems.map { $0 + "\n" }.joined())
    }
}
