// SPDX-License-Identifier: Apache-2.0

/// Says which part of a stream the clip at hand shows, from the events that come.
///
/// ```
///  events           new-----end    new--end                     new----end
///  clip      before|---------------------------|after    before|----------|after
/// ```
/// Events whose parts overlap share a clip. A pure value; times in seconds of the stream.
struct ClipPlan: Sendable {
    struct Options: Sendable, Hashable {
        /// Shown before an event's start, and after its end.
        var (before, after) = (5.0, 5.0)
        /// How much later than its start, and than its end, an event is told of at most.
        var (hold, release) = (0.0, 0.0)
    }

    /// Part of the stream.
    struct Window: Sendable, Hashable {
        var from: Double
        /// Where it ends, unless an event that is open has it go on.
        var until: Double
        /// The event that it is for, and the ids of all.
        let first: Event
        var ids: [String]
    }

    /// An index line names so many events of a clip at most.
    static let idLimit = 1000

    let options: Options
    private(set) var window: Window?
    private var open: Set<String> = []

    init(_ options: Options) { self.options = options }

    /// Whether an event belongs to a clip of its own, so that the one at hand has to be ended first.
    func isApart(_ event: Event) -> Bool {
        guard let window else { return false }
        return open.isEmpty && event.start.pts - options.before > window.until
    }

    /// Takes the news of an event.
    mutating func follow(_ event: Event) {
        let until = (event.end ?? event.start).pts + options.after
        let from = event.start.pts - options.before
        if var window {
            window.from = min(window.from, from)
            window.until = max(window.until, until)
            if window.ids.last != event.id, window.ids.count < Self.idLimit, !window.ids.contains(event.id) {
                window.ids.append(event.id)
            }
            self.window = window
        } else {
            window = Window(from: from, until: until, first: event, ids: [event.id])
        }
        if event.phase == .end { open.remove(event.id) } else { open.insert(event.id) }
    }

    /// Up to where the stream belongs to the clip for sure, once the frame at `now` has come.
    func limit(at now: Double) -> Double {
        guard let window, !open.isEmpty else { return window?.until ?? -.infinity }
        return max(window.until, now + min(0, options.after - options.release))
    }

    /// Up to where it belongs to the clip when no more frames come.
    var lastLimit: Double { open.isEmpty ? window?.until ?? -.infinity : .infinity }

    /// Whether the clip is over, and no event that is still to be told can overlap it.
    func isSettled(at now: Double) -> Bool {
        guard let window else { return true }
        return open.isEmpty && now - options.hold - options.before > window.until
    }

    /// Forgets the clip.
    mutating func finish() {
        window = nil
        open = []
    }
}
