// SPDX-License-Identifier: Apache-2.0
package import Dataflow
internal import Media
package import Pipeline
package import PipelineLanguage
internal import Synchronization

/// `preview`: shows the pipeline in a browser.
package final class PreviewNode: Node, NodeType, RunAttached, ReportingNode {
    static let address = Param.string(
        "address", default: "127.0.0.1:8475", synonyms: ["port", "host", "listen"],
        doc: "Where to listen: `HOST:PORT` or a port of this machine alone; any other address needs a token")
    static let token = Param.string(
        "token", doc: "What a viewer has to know; keep it in the environment: `${PREVIEW_TOKEN}`"
    ).optional
    static let hosts = Param.strings(
        "hosts", doc: "Names by which viewers reach it besides the machine's own, such as that of a proxy"
    ).optional
    static let size = Param.integer(
        "size", default: 960, range: 64...4096, unit: "pixels", doc: "Longest side of the pictures at most")
    static let fps = Param.number("fps", default: 15, range: 0.1...60, doc: "Pictures per second at most")
    static let quality = Param.integer("quality", default: 75, range: 1...100, doc: "JPEG quality, higher is better")

    package static let contract = Contract(
        "preview", knownElsewhereAs: ["window", "display", "show", "imshow", "autovideosink"], .sink,
        summary: "Shows the pipeline in a browser: pictures with results, graph, figures, settings",
        details:
            "Results are drawn by the page onto the frame they belong to and can be switched off there. Pictures are encoded "
            + "only while somebody looks, once for all viewers; a slow viewer gets fewer and costs the pipeline nothing. "
            + "Parameters that can be changed while running have a slider or a switch; the file is never written. The same "
            + "address serves `/metrics`, `/livez` and `/readyz`. `vpipe run FILE --preview` shows any pipeline without this node.",
        inputs: [InputPort(count: 1...16, doc: "a view for each")],
        parameters: [address, token, hosts, size, fps, quality], joinsOneSource: false,
        waitsForBranches: { _ in false },
        discloses: { _ in [.pictures, .tensors] },
        examples: [
            .init("On this machine", #"{ "type": "preview", "input": "overlay" }"#),
            .init(
                "Two networks side by side, in larger pictures",
                #"{ "type": "preview", "inputs": ["faces", "lines"], "size": 1280, "fps": 25 }"#),
        ],
        check: { settings in
            guard let address = ListenAddress(settings[address]) else {
                return [
                    SettingsProblem(
                        parameter: "address", message: "is no address to listen on",
                        fix: "use \(ListenAddress.expected)")
                ]
            }
            guard let token = settings[token] else {
                return address.isLoopback
                    ? []
                    : [
                        SettingsProblem(
                            parameter: "address", message: "whoever reaches \(address) could look and change settings",
                            fix: "add \"token\": \"${PREVIEW_TOKEN}\", or listen on 127.0.0.1")
                    ]
            }
            guard AccessRule.isUsable(token: token) else {
                return [
                    SettingsProblem(
                        // Not of the token: a message shows what it found.
                        parameter: "address", message: "its token must be 8 to 128 letters, digits, - or _",
                        fix: "make one with: openssl rand -hex 16")
                ]
            }
            return []
        })

    private let server: RunServer
    private let views: [String]
    private let style: Preview.Style
    private let preview = Mutex<Preview?>(nil)

    package static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        let settings = node.settings
        // Somebody may be looking at the real one.
        if context.isTrial { return NullNode.make(node, in: context) }
        guard let address = ListenAddress(settings[address]) else { throw ServerAddressError(text: settings[address]) }
        let server = try RunServer(
            at: address, access: Access(token: settings[token], hosts: settings[hosts] ?? []))
        var style = Preview.Style()
        (style.size, style.fps, style.quality) = (settings[size], settings[fps], settings[quality])
        return .node(PreviewNode(server, views: node.inputs.map(\.from), style: style))
    }

    private init(_ server: RunServer, views: [String], style: Preview.Style) {
        self.server = server
        self.views = views
        self.style = style
    }

    package func attach(_ run: PipelineRun) {
        let made = Preview(run, nodes: views, style: style)
        preview.withLock { $0 = made }
        server.attach(run, preview: made)
    }

    package var announcement: String? { "preview: http://\(server.address)/" }

    /// Pictures are taken where they leave the nodes before; what comes here has been shown.
    package func process(_ item: Item, to output: Output) -> Disposition { .done }

    package func stop() { server.stop() }

    package var notes: [String] { preview.withLock { $0 }?.notes ?? [] }
}

/// An address that cannot be listened on.
struct ServerAddressError: Error, CustomStringConvertible {
    let text: String
    var description: String { "\"\(text)\" is no address to listen on; use \(ListenAddress.expected)" }
}

extension Preview {
    /// What the report says.
    package var notes: [String] {
        let done = figures
        guard done.sent > 0 || !done.problems.isEmpty else { return ["nobody looked: no picture was encoded"] }
        let encoded = done.views.reduce(0) { $0 + $1.encoded }
        let milliseconds = { (value: UInt64) in "\(Double(value / 100_000) / 10)" }
        return [
            "\(encoded) pictures encoded, \(done.sent) sent, \(done.skipped) skipped by slow viewers; "
                + "drawn after p50 \(milliseconds(done.drawn.p50)), p95 \(milliseconds(done.drawn.p95)) ms"
        ] + done.problems
    }
}

extension NodeRegistry {
    /// The node types vpipe comes with, those that serve among them.
    package static let complete: NodeRegistry = {
        var registry = NodeRegistry.builtIn
        do { try registry.register(PreviewNode.self) } catch { preconditionFailure("\(error)") }
        return registry
    }()
}
