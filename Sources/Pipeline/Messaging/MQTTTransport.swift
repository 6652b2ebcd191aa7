// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Dataflow
internal import Foundation
internal import Synchronization

/// An MQTT broker's address: `mqtt://user:password@host:1883`, `mqtts://host`.
struct MQTTAddress: Sendable, Hashable {
    static let expected = "mqtt://[user:password@]host[:port] or mqtts://..."

    var host: String
    var port: Int
    var usesTLS: Bool
    var user: String?
    var password: String?

    /// Reads an address; nil where it is none.
    init?(_ text: String) {
        guard let parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased(),
            scheme == "mqtt" || scheme == "mqtts", let host = parts.host, !host.isEmpty,
            parts.path.isEmpty || parts.path == "/", parts.query == nil
        else { return nil }
        // An IPv6 address stands in brackets.
        self.host = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        usesTLS = scheme == "mqtts"
        port = parts.port ?? (usesTLS ? 8883 : 1883)
        user = parts.user
        password = parts.password
        guard (1...65_535).contains(port) else { return nil }
    }
}

/// A connection to an MQTT broker through libmosquitto, which is given a few messages at a time: it keeps whatever it was
/// given, without limit, and so what waits stays in the spool until the broker has acknowledged it.
///
/// - Note: Thread-safety: used by the courier's thread; `wake` from any.
final class MQTTTransport: MessageTransport, @unchecked Sendable {
    // Invariant of @unchecked Sendable: everything but `wakeup` is touched by the courier's thread alone.

    struct Settings: Sendable {
        var address: MQTTAddress
        var clientID: String
        var isVersion5 = false
        var quality: Int32 = 1
        var keepAlive: Int32 = 30
        var connectSeconds = 10.0
        /// PEM file of the authorities that a broker's certificate may be of; the system's when nil.
        var authorities: String?
        /// PEM files of our own certificate and its key.
        var certificate: String?
        var key: String?
        /// Where our state is kept by the broker.
        var statusTopic: String
        /// A topic whose messages call for `greeting` again.
        var callTopic: String?
    }

    /// Messages on their way at once.
    private static let window = 20
    static let online = "online"
    static let offline = "offline"
    static let stopped = "stopped"

    private let library: Mosquitto
    private let settings: Settings
    /// Retained messages that are sent whenever a connection stands.
    private let greeting: @Sendable () -> [(topic: String, payload: [UInt8])]
    /// A pipe that ends a wait.
    private let wakeup: (read: Int32, write: Int32)
    private var client: Mosquitto.Client?
    /// Numbers of messages under way, by the library's.
    private var underway: [Int32: UInt64] = [:]
    private var last: UInt64 = 0
    // What the library's calls back have told.
    private var answer: Int32?
    private var ended: Int32?
    private var receipts: [Int32] = []
    private var isCalled = false

    init(
        _ settings: Settings, library: Mosquitto,
        greeting: @escaping @Sendable () -> [(topic: String, payload: [UInt8])]
    ) throws {
        self.settings = settings
        self.library = library
        self.greeting = greeting
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw OutputError("pipe: \(String(cString: strerror(errno)))") }
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        wakeup = (ends[0], ends[1])
    }

    deinit {
        library.destroy(client)
        Foundation.close(wakeup.read)
        Foundation.close(wakeup.write)
    }

    func wake() {
        var byte: UInt8 = 1
        _ = Foundation.write(wakeup.write, &byte, 1)
    }

    // MARK: Connection

    func open() throws {
        (answer, ended, receipts, underway, last, isCalled) = (nil, nil, [], [:], 0, false)
        let me = Unmanaged.passUnretained(self).toOpaque()
        client = library.new(settings.clientID, true, me)
        guard client != nil else { throw MessageError(fault: .broken, description: "out of memory") }
        library.onConnect(client) { _, me, code in MQTTTransport.of(me)?.answer = code }
        library.onDisconnect(client) { _, me, code in MQTTTransport.of(me)?.ended = code }
        library.onPublish(client) { _, me, mid in MQTTTransport.of(me)?.receipts.append(mid) }
        library.onMessage(client) { _, me, message in
            guard let message = message?.assumingMemoryBound(to: Mosquitto.ReceivedMessage.self).pointee,
                !message.isRetained, let text = message.payload
            else { return }
            let bytes = UnsafeRawBufferPointer(start: text, count: max(0, Int(message.length)))
            if bytes.elementsEqual(MQTTTransport.online.utf8) { MQTTTransport.of(me)?.isCalled = true }
        }
        // MOSQ_OPT_PROTOCOL_VERSION: 4 is MQTT 3.1.1.
        try check(library.setOption(client, 1, settings.isVersion5 ? 5 : 4), .broken)
        if settings.address.user != nil || settings.address.password != nil {
            try check(library.setLogin(client, settings.address.user ?? "", settings.address.password), .broken)
        }
        if settings.address.usesTLS {
            let folder = settings.authorities == nil ? "/etc/ssl/certs" : nil
            try check(
                library.setTLS(client, settings.authorities, folder, settings.certificate, settings.key, nil), .refused)
        }
        try check(
            library.setWill(client, settings.statusTopic, Int32(Self.offline.utf8.count), Self.offline, 1, true),
            .broken)
        try check(
            library.connect(client, settings.address.host, Int32(settings.address.port), settings.keepAlive),
            .unreachable)
        let deadline = MonotonicClock.system.now() &+ UInt64(settings.connectSeconds * 1e9)
        while answer == nil {
            try exchange(milliseconds: 100)
            guard MonotonicClock.system.now() < deadline else {
                throw MessageError(fault: .unreachable, description: "\(place): no answer")
            }
        }
        if let answer, answer != 0 {
            let text = library.refusalText(answer).map { String(cString: $0) } ?? "code \(answer)"
            throw MessageError(fault: .refused, description: "\(place): \(text)")
        }
        if let topic = settings.callTopic { try check(library.subscribe(client, nil, topic, 0), .broken) }
        try greet()
    }

    private func greet() throws {
        try publish(settings.statusTopic, Array(Self.online.utf8), isRetained: true)
        for message in greeting() { try publish(message.topic, message.payload, isRetained: true) }
        isCalled = false
    }

    @discardableResult
    private func publish(_ topic: String, _ payload: [UInt8], isRetained: Bool) throws -> Int32 {
        var mid: Int32 = 0
        try check(
            library.publish(
                client, &mid, topic, Int32(payload.count), payload, settings.quality, isRetained), .broken)
        return mid
    }

    func turn(_ spool: MessageSpool) throws {
        if isCalled { try greet() }
        if underway.count < Self.window {
            for entry in spool.waiting(after: last, count: Self.window - underway.count) {
                let isAgain = spool.markSent(entry.number)
                let payload = isAgain ? entry.message.again : entry.message.payload
                let mid = try publish(entry.message.topic, payload, isRetained: entry.message.isRetained)
                underway[mid] = entry.number
                last = entry.number
            }
        }
        settle(spool)
        try exchange(milliseconds: underway.isEmpty ? 500 : 50)
        settle(spool)
    }

    private func settle(_ spool: MessageSpool) {
        for mid in receipts { if let number = underway.removeValue(forKey: mid) { spool.acknowledge(number) } }
        receipts.removeAll(keepingCapacity: true)
    }

    func close(isOrderly: Bool) {
        guard client != nil else { return }
        if isOrderly {
            _ = try? publish(settings.statusTopic, Array(Self.stopped.utf8), isRetained: true)
            let deadline = MonotonicClock.system.now() &+ 500_000_000
            receipts.removeAll()
            while receipts.isEmpty, MonotonicClock.system.now() < deadline {
                do { try exchange(milliseconds: 50) } catch { break }
            }
            _ = library.disconnect(client)
            try? exchange(milliseconds: 0)
        }
        library.destroy(client)
        client = nil
    }

    /// Reads and writes what is due, and waits for that.
    private func exchange(milliseconds: Int32) throws {
        let socket = library.socket(client)
        guard socket >= 0, ended == nil else { throw lost(ended ?? 7) }
        let wanted = Int16(POLLIN) | (library.wantsWrite(client) ? Int16(POLLOUT) : 0)
        var polls = [
            pollfd(fd: socket, events: wanted, revents: 0), pollfd(fd: wakeup.read, events: Int16(POLLIN), revents: 0),
        ]
        _ = poll(&polls, 2, milliseconds)
        if polls[1].revents != 0 {
            var bytes: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
            while Foundation.read(wakeup.read, &bytes, 32) == 32 {}
        }
        if polls[0].revents & (Int16(POLLIN) | Int16(POLLERR) | Int16(POLLHUP)) != 0 {
            try check(library.read(client, 1), .broken)
        }
        if library.wantsWrite(client) { try check(library.write(client, 1), .broken) }
        try check(library.upkeep(client), .broken)
    }

    private func check(_ code: Int32, _ fault: MessageFault) throws {
        guard code != 0 else { return }
        // MOSQ_ERR_ERRNO.
        let text =
            code == 14
            ? String(cString: strerror(errno))
            : library.errorText(code).map { String(cString: $0) } ?? "error \(code)"
        throw MessageError(fault: fault, description: "\(place): \(text)")
    }

    private func lost(_ code: Int32) -> MessageError {
        let text = library.errorText(code).map { String(cString: $0) } ?? "error \(code)"
        return MessageError(fault: .broken, description: "\(place): \(text)")
    }

    /// The broker without secrets.
    private var place: String { "\(settings.address.host):\(settings.address.port)" }

    private static func of(_ me: UnsafeMutableRawPointer?) -> MQTTTransport? {
        me.map { Unmanaged<MQTTTransport>.fromOpaque($0).takeUnretainedValue() }
    }
}
