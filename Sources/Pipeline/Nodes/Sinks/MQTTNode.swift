// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Basics
internal import Dataflow
internal import Glibc
internal import Media
internal import PipelineLanguage
internal import Synchronization

/// `mqtt`: tells a broker of events and counts.
final class MQTTNode: Node, NodeType, ReportingNode {
    /// Which MQTT is spoken.
    enum Version: String, CaseIterable, Sendable { case v311 = "3.1.1", v5 = "5" }

    static let url = Param.url(
        "url", role: .peer, synonyms: ["broker", "host", "server"],
        doc: "The broker: \(MQTTAddress.expected); credentials from the environment")
    static let topic = Param.string("topic", default: "vpipe", doc: "What all topics begin with")
    static let format = Param.choice(
        "format", default: EventFormat.vpipe, docs: EventFormat.docs, doc: "How events are written")
    static let pictures = Param.boolean(
        "pictures", default: false, doc: "Send a JPEG of the frame that shows an event best, retained")
    static let discovery = Param.string(
        "discovery", doc: "Home Assistant's prefix, usually \"homeassistant\": announces rules and zones as a device"
    ).optional
    static let qos = Param.integer(
        "qos", default: 1, range: 0...2, doc: "0: at most once, 1: at least once, 2: once, as far as the broker goes")
    static let version = Param.choice("version", default: Version.v311, doc: "Which MQTT is spoken")
    static let clientID = Param.string(
        "clientID", doc: "What the broker knows the program by; made of the machine's name when absent"
    ).optional
    static let keepAlive = Param.duration(
        "keepAlive", default: .seconds(30), seconds: 5...3600,
        doc: "Silence after which the other side is asked; after half as much again it counts as lost")
    static let authorities = Param.path(
        "authorities", synonyms: ["ca", "cafile"],
        doc: "PEM file of who may have signed the broker's certificate; the system's when absent"
    ).optional
    static let certificate = Param.path("certificate", doc: "PEM file of a certificate of our own").optional
    static let key = Param.path("key", doc: "PEM file of its key").optional
    static let contract = Contract(
        "mqtt", .sink, summary: "Tells an MQTT broker of events and counts",
        details:
            "Events go to `TOPIC/events`, what is the case to `TOPIC/rules/RULE` (ON, OFF) and counts to `TOPIC/zones/ZONE` "
            + "(JSON), both retained and sent on change; `TOPIC/status` is `online`, `stopped` after an orderly end and "
            + "`offline` (the last will) after any other. While the broker is away messages wait, in order, in a bounded spool; "
            + "one that may have arrived before says `\"redelivered\": true`. Frames are never held up. Needs Debian's libmosquitto1.",
        inputs: [InputPort(needs: .anyOf([.events, .zones]))],
        parameters: [
            url, topic, format, pictures, discovery, qos, version, clientID, keepAlive, authorities, certificate, key,
            SpoolParams.bytes, SpoolParams.age, SpoolParams.file, ReconnectParams.connectTimeout,
            ReconnectParams.networkRetryMax,
        ],
        discloses: { $0[pictures] ? .pictures : [] },
        examples: [
            .init(
                "With Home Assistant",
                #"{ "type": "mqtt", "input": "events", "url": "mqtt://${MQTT_USER}:${MQTT_PASSWORD}@broker", "discovery": "homeassistant" }"#
            )
        ],
        check: { settings in
            var problems: [SettingsProblem] = []
            if MQTTAddress(settings[url]) == nil {
                problems.append(
                    SettingsProblem(
                        parameter: "url", message: "is no broker's address", fix: "write \(MQTTAddress.expected)"))
            }
            if settings[topic].isEmpty || settings[topic].contains(where: { "+#".contains($0) }) {
                problems.append(
                    SettingsProblem(
                        parameter: "topic", message: "cannot be sent to: empty, or with + or #",
                        fix: "write a name such as \"house/door\""))
            }
            if (settings[certificate] == nil) != (settings[key] == nil) {
                problems.append(
                    SettingsProblem(
                        parameter: "key", message: "a certificate and its key go together",
                        fix: "give both \"certificate\" and \"key\""))
            }
            return problems
        })

    /// How long the end may take.
    private static let farewellSeconds = 5.0

    private let place: String
    private let topic: String
    private let format: EventFormat
    private let pictures: Bool
    private let courier: Courier
    private let writer = ImageWriter()
    private var outages: OutageReporter
    private var open = OpenEvents()
    private var told: [String: [UInt8]] = [:]
    private var isFinished = false

    static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        let given = node.settings
        guard let address = MQTTAddress(given[url]) else { throw OutputError("\(redacted(given[url])): no broker") }
        let name = given[clientID] ?? "vpipe-\(hostName())-\(getpid())"
        var settings = MQTTTransport.Settings(
            address: address, clientID: name, statusTopic: "\(given[topic])/status")
        settings.isVersion5 = given[version] == .v5
        settings.quality = Int32(given[qos])
        settings.keepAlive = Int32(given[keepAlive].inSeconds.rounded())
        settings.connectSeconds = given[ReconnectParams.connectTimeout].inSeconds
        settings.authorities = given[authorities]
        settings.certificate = given[certificate]
        settings.key = given[key]
        var greeting: [(topic: String, payload: [UInt8])] = []
        if let prefix = given[discovery] {
            settings.callTopic = "\(prefix)/status"
            let device = HomeAssistantDevice(node, in: context.pipeline, topic: given[topic])
            greeting = [("\(prefix)/device/\(device.id)/config", device.config)]
        }
        let announced = greeting
        let spool = try SpoolParams.spool(given)
        let transport = try MQTTTransport(settings, library: try Mosquitto()) { announced }
        let longest = ReconnectParams.nanoseconds(given[ReconnectParams.networkRetryMax])
        return .node(
            MQTTNode(
                given,
                try Courier(
                    spool, over: transport, first: 200_000_000, longest: longest,
                    seed: UInt64(bitPattern: Int64(name.hashValue))),
                outages: OutageReporter(node.id, context.events)))
    }

    private static func hostName() -> String {
        var buffer = [CChar](repeating: 0, count: 65)
        gethostname(&buffer, 64)
        let name = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return String(decoding: name, as: UTF8.self)
    }

    private init(_ settings: Settings, _ courier: Courier, outages: OutageReporter) {
        place = redacted(settings[Self.url])
        topic = settings[Self.topic]
        format = settings[Self.format]
        pictures = settings[Self.pictures]
        self.courier = courier
        self.outages = outages
    }

    func process(_ item: Item, to output: Output) -> Disposition {
        tell(of: item.frame)
        return .done
    }

    /// Puts the news of a frame on their way.
    func tell(of frame: Frame) {
        frame.annotations.forEach { entry in
            for event in entry.list.items(Event.self) ?? [] { tell(event, of: frame) }
            for zone in entry.list.items(Zone.self) ?? [] { tell(zone) }
        }
        let seen = courier.outages
        outages.follow(seen.turns, seen.book)
    }

    func drain(to output: Output) -> Bool {
        finish()
        return true
    }

    func stop() { finish(within: 0) }

    /// Ends what is open, sends what waits, and hangs up.
    func finish(within seconds: Double = farewellSeconds) {
        guard !isFinished else { return }
        isFinished = true
        // Nobody will say later that they are over.
        for end in open.ends(at: .now) { tell(end, of: nil) }
        courier.finish(within: seconds)
    }

    /// What became of the messages so far.
    var counts: MessageSpool.Counts { courier.spool.counts }

    private func tell(_ event: Event, of frame: Frame?) {
        send("events", format.message(event), isRetained: false)
        open.follow(event)
        report("rules/\(Self.level(event.rule))", Array((open.contains(rule: event.rule) ? "ON" : "OFF").utf8))
        guard pictures, event.isBest, let frame, let jpeg = try? writer.encode(frame.picture, ending: "jpg", 80) else {
            return
        }
        send("rules/\(Self.level(event.rule))/picture", jpeg, isRetained: true)
    }

    private func tell(_ zone: Zone) {
        var record = JSONWriter()
        record.beginObject()
        record.field("in", zone.entered)
        record.field("out", zone.left)
        if zone.isArea { record.field("occupancy", zone.occupancy) }
        record.endObject()
        report("zones/\(Self.level(zone.name))", record.withBytes { Array($0) })
    }

    /// Sends a state that is another than the last time.
    private func report(_ name: String, _ payload: [UInt8]) {
        guard told[name] != payload else { return }
        told[name] = payload
        send(name, payload, isRetained: true)
    }

    private func send(_ name: String, _ payload: [UInt8], isRetained: Bool) {
        courier.send(
            Message(topic: "\(topic)/\(name)", payload: payload, isRetained: isRetained, time: .now))
    }

    /// A name as one level of a topic.
    static func level(_ name: String) -> String {
        String(name.map { "/+#".contains($0) || $0.isWhitespace ? "_" : $0 })
    }

    var notes: [String] { courier.notes(on: place) }
}

/// The pipeline as Home Assistant knows devices: a sensor for each rule and zone.
struct HomeAssistantDevice {
    let id: String
    let config: [UInt8]

    /// - Parameter topic: what the node's topics begin with.
    init(_ node: ValidatedNode, in pipeline: ValidatedPipeline, topic: String) {
        let name = pipeline.name ?? "vpipe"
        let id = String((topic + "_" + name).map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
        self.id = id
        var record = JSONWriter()
        func object(_ key: String, _ body: () -> Void) {
            record.key(key)
            record.beginObject()
            body()
            record.endObject()
        }
        record.beginObject()
        object("dev") {
            record.field("ids", id)
            record.field("name", name)
            record.field("mf", "vpipe")
        }
        object("o") { record.field("name", "vpipe") }
        record.key("availability")
        record.beginArray()
        record.beginObject()
        record.field("topic", "\(topic)/status")
        record.field("value_template", "{{ 'online' if value == 'online' else 'offline' }}")
        record.endObject()
        record.endArray()
        object("cmps") {
            for (kind, name) in Self.parts(before: node, in: pipeline) {
                let level = MQTTNode.level(name)
                let fields: [(key: String, component: String, title: String, template: String?, icon: String)] =
                    switch kind {
                    case .rule: [("rule_\(level)", "binary_sensor", name, nil, "mdi:motion-sensor")]
                    case .line, .area:
                        [
                            ("zone_\(level)_in", "sensor", "\(name) in", "{{ value_json.in }}", "mdi:location-enter"),
                            ("zone_\(level)_out", "sensor", "\(name) out", "{{ value_json.out }}", "mdi:location-exit"),
                        ]
                            + (kind == .area
                                ? [
                                    (
                                        "zone_\(level)_occupancy", "sensor", "\(name) occupancy",
                                        "{{ value_json.occupancy }}", "mdi:account-group"
                                    )
                                ] : [])
                    }
                for field in fields {
                    object(field.key) {
                        record.field("p", field.component)
                        record.field("name", field.title)
                        record.field("unique_id", "\(id)_\(field.key)")
                        record.field("state_topic", "\(topic)/\(kind == .rule ? "rules" : "zones")/\(level)")
                        record.field("icon", field.icon)
                        if let template = field.template {
                            record.field("value_template", template)
                            record.field(
                                "state_class", field.key.hasSuffix("occupancy") ? "measurement" : "total_increasing")
                        }
                    }
                }
            }
        }
        record.field("qos", 1)
        record.endObject()
        config = record.withBytes { Array($0) }
    }

    private enum Kind { case rule, line, area }

    /// The rules and zones of the nodes before this one.
    private static func parts(before node: ValidatedNode, in pipeline: ValidatedPipeline) -> [(Kind, String)] {
        var parts: [(Kind, String)] = []
        for before in pipeline.nodes(before: node) {
            if before.type == EventsNode.contract.type {
                parts += EventRule.read(before.settings[EventsNode.rules]).rules.map { (.rule, $0.name) }
            } else if before.type == ZonesNode.contract.type {
                for member in before.settings[ZonesNode.zones].members {
                    parts.append((member.value["line"] == nil ? .area : .line, member.key))
                }
            }
        }
        return parts
    }
}
