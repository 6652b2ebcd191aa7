// SPDX-License-Identifier: Apache-2.0
internal import Annotations

/// Begins, updates and ends events as rules become true and false.
///
/// ```
///  rule     . t t . t t t t t t . . t t . . . . . . t t t
///  event              new  update            end    .  .     begins with the first t of the row, ends with its last
///               hold |--|             release|---|rearm|
/// ```
/// A pure value with the caller's clocks. What is true is news after `hold`, over after `release`, and can begin again after
/// `rearm`. A passage is news and over at once.
struct EventBook: Sendable {
    /// Times in seconds of the stream.
    struct Options: Sendable, Hashable {
        /// How long a rule must be true to begin an event; gaps shorter than `release` do not count.
        var hold = 0.5
        /// How long it must be false to end one.
        var release = 2.0
        /// How long after an end the rule's next event may begin.
        var rearm = 0.0
        /// How often one that goes on is news; 0 is never.
        var update = 10.0
    }

    private struct Open {
        var event: Event
        var told: Double
        /// The score of the frame that showed it best, and when.
        var best: Float
    }

    private struct Book {
        var trueSince: Event.Instant?
        var lastTrue: Event.Instant?
        var open: Open?
        var rearmedAt = -Double.infinity
    }

    /// A better picture must be better by that much, and comes once a second at most.
    private static let improvement: Float = 1.1
    private static let leastPause = 1.0

    var options: Options
    private(set) var rules: [EventRule]
    private var books: [String: Book] = [:]
    private let makeID: @Sendable (Event.Instant, String) -> String
    /// Events begun so far.
    private(set) var begun = 0

    init(
        _ rules: [EventRule], _ options: Options, makeID: @escaping @Sendable (Event.Instant, String) -> String
    ) {
        self.rules = rules
        self.options = options
        self.makeID = makeID
    }

    /// Goes on with other rules; open events of rules that are gone end with the next frame.
    mutating func change(to rules: [EventRule], _ options: Options) {
        self.rules = rules
        self.options = options
    }

    /// Takes what a frame shows; the news.
    mutating func update(_ sight: EventSight, source: String, at now: Event.Instant) -> [Event] {
        var news: [Event] = []
        for rule in rules {
            let subjects = rule.subjects(sight)
            if case .passes(let zone, _, _) = rule.condition {
                pass(rule, zone, subjects, sight, source, now, &news)
            } else {
                follow(rule, Self.sorted(subjects), source, now, &news)
            }
        }
        for name in books.keys.sorted() where !rules.contains(where: { $0.name == name }) {
            if let open = books[name]?.open { news.append(Self.ended(open.event, at: now, now)) }
            books[name] = nil
        }
        return news
    }

    private mutating func follow(
        _ rule: EventRule, _ subjects: [Event.Subject], _ source: String, _ now: Event.Instant, _ news: inout [Event]
    ) {
        var book = books[rule.name] ?? Book()
        defer { books[rule.name] = book }
        // A stream that began again.
        if let last = book.lastTrue, last.pts > now.pts + options.release {
            if let open = book.open { news.append(Self.ended(open.event, at: last, now)) }
            book = Book()
        }
        let isTrue = !subjects.isEmpty
        if isTrue {
            book.trueSince = book.trueSince ?? now
            book.lastTrue = now
        } else if let last = book.lastTrue, now.pts - last.pts >= options.release {
            book.trueSince = nil
        }
        guard var open = book.open else {
            guard isTrue, let since = book.trueSince, now.pts - since.pts >= options.hold - 1e-6,
                now.pts >= book.rearmedAt
            else { return }
            var event = begin(rule, source, since, now)
            event.subjects = subjects
            event.most = subjects.count
            event.isBest = true
            book.open = Open(event: event, told: now.pts, best: Self.quality(subjects))
            news.append(event)
            return
        }
        guard book.trueSince != nil else {
            news.append(Self.ended(open.event, at: book.lastTrue ?? now, now))
            book.rearmedAt = now.pts + options.rearm
            book.open = nil
            return
        }
        guard isTrue else { return }
        let quality = Self.quality(subjects)
        let isBest = quality > open.best * Self.improvement && now.pts - open.told >= Self.leastPause
        let isDue = options.update > 0 && now.pts - open.told >= options.update
        open.event.most = max(open.event.most, subjects.count)
        if isBest || isDue {
            open.told = now.pts
            if isBest { open.best = quality }
            var event = open.event
            event.phase = .update
            event.now = now
            event.subjects = subjects
            event.isBest = isBest
            news.append(event)
        }
        book.open = open
    }

    private mutating func pass(
        _ rule: EventRule, _ zone: String, _ subjects: [Event.Subject], _ sight: EventSight, _ source: String,
        _ now: Event.Instant, _ news: inout [Event]
    ) {
        let passages = sight.zone(zone)?.passages ?? []
        for subject in subjects {
            guard let passage = passages.first(where: { $0.track == subject.track }),
                now.pts >= books[rule.name]?.rearmedAt ?? -.infinity
            else { continue }
            let ago = max(0, now.pts - passage.time)
            let start = Event.Instant(
                wall: .init(nanoseconds: now.wall.nanoseconds - Int64(ago * 1e9)), pts: passage.time)
            var event = begin(rule, source, start, now)
            event.zone = zone
            event.direction = passage.direction
            event.subjects = [subject]
            event.most = 1
            event.isBest = true
            news.append(event)
            news.append(Self.ended(event, at: start, now))
            books[rule.name, default: Book()].rearmedAt = now.pts + options.rearm
        }
    }

    private mutating func begin(
        _ rule: EventRule, _ source: String, _ start: Event.Instant, _ now: Event.Instant
    ) -> Event {
        begun += 1
        var event = Event(
            id: makeID(start, rule.name), rule: rule.name, source: source, phase: .new, now: now, start: start)
        if case .inside(let zone, _, _, _) = rule.condition { event.zone = zone }
        return event
    }

    private static func ended(_ event: Event, at end: Event.Instant, _ now: Event.Instant) -> Event {
        var event = event
        event.phase = .end
        event.now = now
        event.end = end
        event.isBest = false
        event.subjects = []
        return event
    }

    /// Large and sure ones show best.
    private static func quality(_ subjects: [Event.Subject]) -> Float {
        subjects.reduce(0) { sum, subject in
            sum + subject.score * max(1, (subject.box?.area ?? 1).squareRoot())
        }
    }

    private static func sorted(_ subjects: [Event.Subject]) -> [Event.Subject] {
        subjects.count < 2 ? subjects : subjects.sorted { $0.score > $1.score }
    }
}
