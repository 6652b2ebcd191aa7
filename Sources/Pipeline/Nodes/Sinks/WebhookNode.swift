// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Basics
internal import Dataflow
internal import Glibc
internal import Media
internal import PipelineLanguage

/// `webhook`: posts events to a web server.
final class WebhookNode: Node, NodeType, ReportingNode {
    static let expected = "http://[user:password@]host[:port]/path or https://..."

    static let url = Param.url(
        "url", role: .peer, synonyms: ["endpoint"],
        doc: "Where events are posted: \(expected); credentials from the environment")
    static let format = Param.choice(
        "format", default: EventFormat.vpipe, docs: EventFormat.docs, doc: "How events are written")
    static let tokenVariable = Param.string(
        "tokenVariable", doc: "Environment variable that holds a token, sent as `Authorization: Bearer`"
    ).optional

    static let contract = Contract(
        "webhook", knownElsewhereAs: ["http", "post"], .sink, summary: "Posts events to a web server",
        details:
            "One POST with a JSON object for each news of an event: `new`, `update`, `end`. An answer of 2xx takes it off the "
            + "spool; without an answer, or after 5xx, it is sent again, in order, and says `\"redelivered\": true`; after the "
            + "fifth 4xx it is given up and counted. What waits is bounded. Frames are never held up.",
        inputs: [InputPort(needs: .anyOf([.events]))],
        parameters: [
            url, format, tokenVariable, SpoolParams.bytes, SpoolParams.age, SpoolParams.file, SecurityParams.verify,
            SecurityParams.certificate, ReconnectParams.timeout, ReconnectParams.networkRetryMax,
        ],
        discloses: { _ in [] },
        examples: [
            .init(
                "With a token",
                #"{ "type": "webhook", "input": "events", "url": "https://hooks.example/door", "tokenVariable": "HOOK_TOKEN" }"#
            )
        ],
        check: { settings in
            let address = settings[url].lowercased()
            guard StreamAddress(settings[url]) != nil, address.hasPrefix("http://") || address.hasPrefix("https://")
            else {
                return [
                    SettingsProblem(
                        parameter: "url", message: "is no web server's address", fix: "write \(expected)")
                ]
            }
            return []
        })

    /// How long the end may take.
    private static let farewellSeconds = 5.0

    private let place: String
    private let format: EventFormat
    private let courier: Courier
    private var outages: OutageReporter
    private var open = OpenEvents()
    private var isFinished = false

    static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        let given = node.settings
        var headers: [String] = []
        if let name = given[tokenVariable] {
            guard let value = getenv(name).map({ String(cString: $0) }), !value.isEmpty else {
                throw OutputError("the environment has no \(name), which \"tokenVariable\" names: set it to the token")
            }
            guard value.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
                throw OutputError("\(name) is no token: it holds spaces, line ends or signs beyond ASCII")
            }
            headers = ["Authorization: Bearer \(value)"]
        }
        let spool = try SpoolParams.spool(given)
        let request = HTTPRequest(
            "POST", given[url], contentType: "application/json", headers: headers,
            security: try SecurityParams.security(given))
        let transport = WebhookTransport(request, of: spool, within: given[ReconnectParams.timeout].inSeconds)
        return .node(
            WebhookNode(
                given,
                try Courier(
                    spool, over: transport, first: 200_000_000,
                    longest: ReconnectParams.nanoseconds(given[ReconnectParams.networkRetryMax]),
                    seed: UInt64(bitPattern: Int64(node.id.hashValue))),
                outages: OutageReporter(node.id, context.events)))
    }

    private init(_ settings: Settings, _ courier: Courier, outages: OutageReporter) {
        place = redacted(settings[Self.url])
        format = settings[Self.format]
        self.courier = courier
        self.outages = outages
    }

    func process(_ item: Item, to output: Output) -> Disposition {
        tell(of: item.frame)
        return .done
    }

    /// Puts the news of a frame on their way.
    func tell(of frame: Frame) {
        frame.annotations.forEach { entry in for event in entry.list.items(Event.self) ?? [] { tell(event) } }
        let seen = courier.outages
        outages.follow(seen.turns, seen.book)
    }

    private func tell(_ event: Event) {
        open.follow(event)
        courier.send(Message(topic: "", payload: format.message(event), time: .now))
    }

    func drain(to output: Output) -> Bool {
        finish()
        return true
    }

    func stop() { finish(within: 0) }

    /// Ends what is open and sends what waits.
    func finish(within seconds: Double = farewellSeconds) {
        guard !isFinished else { return }
        isFinished = true
        for end in open.ends(at: .now) { tell(end) }
        courier.finish(within: seconds)
    }

    /// What became of the messages so far.
    var counts: MessageSpool.Counts { courier.spool.counts }

    var notes: [String] { courier.notes(on: place) }
}
