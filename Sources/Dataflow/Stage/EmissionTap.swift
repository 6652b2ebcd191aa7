// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// Shows a node's emissions to observers that are no part of the graph.
///
/// Without an observer an emission costs one relaxed load.
/// - Note: Thread-safety: `add` may be called from any thread; `show` in the stage's runs only.
final class EmissionTap: Sendable {
    /// Takes an item; false when it wants no more.
    typealias Observer = @Sendable (_ item: Item, _ port: Int) -> Bool

    private let isObserved = Atomic<Bool>(false)
    private let observers = Mutex<[Entry]>([])

    /// One observer, known by its identity.
    private final class Entry: Sendable {
        let takes: Observer

        init(_ takes: @escaping Observer) { self.takes = takes }
    }

    func add(_ observer: @escaping Observer) {
        observers.withLock { $0.append(Entry(observer)) }
        isObserved.store(true, ordering: .relaxed)
    }

    @inline(__always)
    func show(_ item: Unmanaged<Item>, port: Int) {
        guard isObserved.load(ordering: .relaxed) else { return }
        showSlowly(item.takeUnretainedValue(), port: port)
    }

    @inline(never)
    private func showSlowly(_ item: Item, port: Int) {
        // Called without the lock: an observer may wait for its reader.
        let current = observers.withLock { $0 }
        var left: [Entry] = []
        for entry in current where !entry.takes(item, port) { left.append(entry) }
        guard !left.isEmpty else { return }
        observers.withLock { list in
            list.removeAll { entry in left.contains { $0 === entry } }
            isObserved.store(!list.isEmpty, ordering: .relaxed)
        }
    }
}
