// SPDX-License-Identifier: Apache-2.0

/// Keeps the best few of many scored indices; of equal scores the lower index is better.
///
/// Owns its memory.
///
/// A heap whose root is the worst entry kept. Allocates when made and never again.
///
/// - Complexity: O(log k) per offer that is kept, O(1) for one that is not; O(k log k) to sort.
final class TopK {
    struct Entry: Equatable {
        var score: Float
        var index: Int32
    }

    let capacity: Int
    private(set) var count = 0
    private let entries: UnsafeMutablePointer<Entry>

    init(capacity: Int) {
        self.capacity = max(0, capacity)
        entries = .allocate(capacity: max(1, capacity))
        entries.initialize(repeating: Entry(score: 0, index: 0), count: max(1, capacity))
    }

    deinit { entries.deallocate() }

    /// The entry at `position`; best first once sorted.
    subscript(position: Int) -> Entry { entries[position] }

    func removeAll() { count = 0 }

    /// Takes an entry in when it is among the best so far.
    ///
    /// `score` must not be NaN.
    @inline(__always)
    func offer(_ score: Float, _ index: Int) {
        let entry = Entry(score: score, index: Int32(truncatingIfNeeded: index))
        if count < capacity {
            entries[count] = entry
            count &+= 1
            rise(count &- 1)
        } else if capacity > 0, Self.isWorse(entries[0], than: entry) {
            entries[0] = entry
            sink(0, count)
        }
    }

    /// Puts the best first.
    ///
    /// Offer nothing afterwards before `removeAll`.
    func sort() {
        var end = count
        while end > 1 {
            end &-= 1
            swap(0, end)
            sink(0, end)
        }
    }

    @inline(__always)
    private static func isWorse(_ entry: Entry, than other: Entry) -> Bool {
        entry.score < other.score || (entry.score == other.score && entry.index > other.index)
    }

    private func swap(_ a: Int, _ b: Int) {
        let entry = entries[a]
        entries[a] = entries[b]
        entries[b] = entry
    }

    private func rise(_ position: Int) {
        var child = position
        while child > 0 {
            let parent = (child &- 1) / 2
            guard Self.isWorse(entries[child], than: entries[parent]) else { return }
            swap(child, parent)
            child = parent
        }
    }

    private func sink(_ position: Int, _ end: Int) {
        var parent = position
        while true {
            var worst = 2 &* parent &+ 1
            guard worst < end else { return }
            if worst &+ 1 < end, Self.isWorse(entries[worst &+ 1], than: entries[worst]) { worst &+= 1 }
            guard Self.isWorse(entries[worst], than: entries[parent]) else { return }
            swap(parent, worst)
            parent = worst
        }
    }
}
