// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Basics

/// The events that have begun and not ended, for those who tell of them.
struct OpenEvents {
    private var events: [String: Event] = [:]

    /// Takes note of what an event says.
    mutating func follow(_ event: Event) { events[event.id] = event.phase == .end ? nil : event }

    /// Whether one of a rule is open.
    func contains(rule: String) -> Bool { events.values.contains { $0.rule == rule } }

    /// The ends of all that are open, when nobody will say later that they are over.
    func ends(at wall: WallTime) -> [Event] {
        events.values.sorted { $0.id < $1.id }.map { event in
            var end = event
            end.phase = .end
            end.now.wall = wall
            end.end = end.now
            end.subjects = []
            end.isBest = false
            return end
        }
    }
}
