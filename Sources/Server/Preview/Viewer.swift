// SPDX-License-Identifier: Apache-2.0
internal import PipelineLanguage
internal import Synchronization

/// One browser that looks at a run.
///
/// It gets the newest picture of each view it watches, and the next one only when it has drawn all but one of those sent: so a
/// slow viewer gets fewer pictures, none of them old, and nothing queues up for it anywhere.
///
///     viewer: {"watch":["overlay"]}   {"drawn":[view, serial]}   {"set":{"node":..,"parameter":..,"value":..}}
/// - Note: Thread-safety: thread-safe; a session's calls come from the server's thread.
final class Viewer: WebSocketSession, Sendable {
    /// Pictures of a view on their way at most.
    private static let credit = 2
    /// Answers that wait at most.
    private static let mailLimit = 64

    private struct Watch {
        let view: PreviewView
        /// Serial number of the last picture taken.
        var last: UInt32
        /// Pictures that were sent and not reported drawn.
        var underway: [(serial: UInt32, handedAt: UInt64)] = []
        /// Counted in the view's `waiting`.
        var isWaiting = false
        /// What the view's `due` was when the watching began.
        let dueBefore: UInt64
        var taken: UInt64 = 0

        /// Pictures that were due and did not come.
        var skipped: UInt64 {
            let due = view.due.load(ordering: .relaxed) &- dueBefore
            // One is about to come.
            return due > taken + 1 ? due - taken - 1 : 0
        }

        mutating func wait(_ wanted: Bool) {
            guard isWaiting != wanted else { return }
            isWaiting = wanted
            view.waiting.wrappingAdd(wanted ? 1 : -1, ordering: .acquiringAndReleasing)
        }

        /// The newest picture, if it is a new one and there is room for it; waits for one otherwise.
        mutating func take() -> PreviewPicture? {
            guard underway.count < Viewer.credit else { return nil }
            guard let picture = view.latest, picture.serial != last else {
                wait(true)
                return nil
            }
            wait(false)
            last = picture.serial
            taken += 1
            underway.append((picture.serial, picture.handedAt))
            return picture
        }
    }

    private struct State {
        var watches: [Watch] = []
        /// Whose turn it is.
        var turn = 0
        var seenState: UInt64 = 0
        var mail: [[UInt8]] = []
        /// Of views it watches no longer.
        var skippedBefore: UInt64 = 0
    }

    private let preview: Preview
    private let state = Mutex(State())

    init(_ preview: Preview) { self.preview = preview }

    deinit { watch([]) }

    /// Has a message sent; dropped when the viewer takes none.
    func post(_ text: [UInt8]) {
        state.withLock { if $0.mail.count < Self.mailLimit { $0.mail.append(text) } }
    }

    /// Pictures that were due and that it did not get.
    var skipped: UInt64 { state.withLock { state in state.watches.reduce(state.skippedBefore) { $0 + $1.skipped } } }

    // MARK: The session

    func received(_ text: String) {
        guard let message = JSONTree(bytes: Array(text.utf8)).root else { return }
        if let drawn = message["drawn"]?.elements, drawn.count == 2 {
            guard let view = drawn[0].number.flatMap({ UInt8(exactly: $0) }),
                let serial = drawn[1].number.flatMap({ UInt32(exactly: $0) })
            else { return }
            noteDrawn(view, serial)
        } else if case .array(let views)? = message["watch"]?.value {
            watch(views.compactMap(\.string))
        } else if let change = message["set"], let node = change["node"]?.string,
            let parameter = change["parameter"]?.string, let value = change["value"]
        {
            preview.set(parameter, of: node, to: JSONDocument(value), for: self)
        } else if let problem = message["error"]?.string {
            preview.note(problem: problem)
        }
    }

    func next() -> WebSocketMessage? {
        if let text = takeMail() { return .text(text) }
        if let state = preview.state(after: state.withLock { $0.seenState }) {
            self.state.withLock { $0.seenState = state.serial }
            return .text(state.bytes)
        }
        guard let picture = takePicture() else { return nil }
        preview.countSent()
        return .binary([picture.head, picture.image])
    }

    func ended() {
        watch([])
        preview.leave(self)
    }

    private func takeMail() -> [UInt8]? { state.withLock { $0.mail.isEmpty ? nil : $0.mail.removeFirst() } }

    private func takePicture() -> PreviewPicture? {
        state.withLock { state in
            for offset in state.watches.indices {
                let index = (state.turn + offset) % state.watches.count
                guard let picture = state.watches[index].take() else { continue }
                state.turn = index + 1
                return picture
            }
            return nil
        }
    }

    private func noteDrawn(_ view: UInt8, _ serial: UInt32) {
        let handedAt = state.withLock { state -> UInt64? in
            guard let index = state.watches.firstIndex(where: { $0.view.index == view }),
                let place = state.watches[index].underway.firstIndex(where: { $0.serial == serial })
            else { return nil }
            defer { state.watches[index].underway.removeFirst(place + 1) }
            return state.watches[index].underway[place].handedAt
        }
        if let handedAt { preview.countDrawn(handedAt: handedAt) }
    }

    private func watch(_ names: [String]) {
        state.withLock { state in
            for index in state.watches.indices {
                state.skippedBefore += state.watches[index].skipped
                state.watches[index].wait(false)
                state.watches[index].view.endWatching()
            }
            state.watches = preview.views.filter { names.contains($0.name) }.map { view in
                view.beginWatching()
                return Watch(
                    view: view, last: view.latest?.serial ?? 0, dueBefore: view.due.load(ordering: .relaxed))
            }
            state.turn = 0
        }
    }
}
