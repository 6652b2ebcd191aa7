// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Dispatch
internal import Media

/// Posts messages to a web server, one request each, in order.
///
/// HTTP has no connection to keep: the server is away when a request fails, and back when one is answered.
///
/// - Note: Thread-safety: used by the courier's thread; `wake` from any.
final class WebhookTransport: MessageTransport, @unchecked Sendable {
    // Invariant of @unchecked Sendable: everything but `bell` is touched by the courier's thread alone.

    /// How often a message is sent that the server refuses (4xx), before it is given up.
    private static let refusalLimit = 5

    private let request: HTTPRequest
    private let seconds: Double
    private let spool: MessageSpool
    private let interrupt = Interrupt()
    private let bell = DispatchSemaphore(value: 0)
    private var isAway = false
    private var refused: (number: UInt64, times: Int) = (0, 0)

    /// - Parameters:
    ///   - request: where messages go, and how.
    ///   - spool: what `open` takes its trial from.
    ///   - seconds: how long a request may take.
    init(_ request: HTTPRequest, of spool: MessageSpool, within seconds: Double) {
        self.request = request
        self.spool = spool
        self.seconds = seconds
    }

    func wake() { bell.signal() }

    func open() throws {
        // After a fault the server is back when it takes the next message.
        if isAway { try sendNext(of: spool) }
        isAway = false
    }

    func turn(_ spool: MessageSpool) throws {
        if try !sendNext(of: spool) { _ = bell.wait(timeout: .now() + .milliseconds(500)) }
    }

    func close(isOrderly: Bool) { isAway = !isOrderly }

    /// Sends the oldest message; whether there was one.
    @discardableResult
    private func sendNext(of spool: MessageSpool) throws -> Bool {
        guard let entry = spool.waiting(after: 0, count: 1).first else { return false }
        let payload = spool.markSent(entry.number) ? entry.message.again : entry.message.payload
        do throws(MediaError) {
            try payload.withUnsafeBufferPointer { body throws(MediaError) in
                try request.send(body, within: seconds, interrupt: interrupt)
            }
            spool.acknowledge(entry.number)
            return true
        } catch {
            let text = "\(redacted(request.url)): \(error)"
            guard HTTPRequest.isRefusal(error) else {
                throw MessageError(fault: error.underlying < 0 ? .unreachable : .broken, description: text)
            }
            refused = (entry.number, refused.number == entry.number ? refused.times + 1 : 1)
            if refused.times >= Self.refusalLimit { spool.refuse(entry.number) }
            throw MessageError(fault: .refused, description: text)
        }
    }
}
