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
    private let observers = Mutex<[Observer]>([])

    func add(_ observer: @escaping Observer) {
        observers.withLock { $0.append(observer) }
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
        var staying = 0
        for observer in current where observer(item, port) { staying += 1 }
        guard staying < current.count else { return }
        // One that is asked again after it left says no again.
        observers.withLock { list in
            if staying == 0, list.count == current.count { list.removeAll() }
            isObserved.store(!list.isEmpty, ordering: .relaxed)
        }
    }
}
