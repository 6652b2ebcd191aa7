// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// A node whose changeable parameters take effect while it runs.
public protocol AdjustableNode: AnyObject {
    /// Takes new settings; they come into force with the next frame.
    ///
    /// - Throws: a sentence saying why they cannot without a restart; the old ones stay in force then.
    /// - Note: Thread-safety: called from any thread, one call at a time.
    func adjust(to settings: Settings) throws
}

/// Hands a node the newest of something from another thread.
///
/// The node's side costs one relaxed load a frame.
///
/// - Note: Thread-safety: thread-safe.
final class Mailbox<Value: Sendable>: Sendable {
    private let isFull = Atomic<Bool>(false)
    private let value = Mutex<Value?>(nil)

    /// Leaves a value; one that was not taken yet is replaced.
    func post(_ new: Value) {
        value.withLock { $0 = new }
        // Release is not needed: the lock orders the value; the flag only says that a look is worth it.
        isFull.store(true, ordering: .relaxed)
    }

    /// What was left since the last call; nil most of the time.
    @inline(__always)
    func take() -> Value? {
        guard isFull.load(ordering: .relaxed) else { return nil }
        return takeLocked()
    }

    private func takeLocked() -> Value? {
        isFull.store(false, ordering: .relaxed)
        return value.withLock { held in
            let taken = held
            held = nil
            return taken
        }
    }
}
