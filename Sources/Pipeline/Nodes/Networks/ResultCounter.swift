// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Synchronization

/// A node that counts what it finds.
protocol CountingNode: AnyObject {
    /// The count.
    var results: ResultCounter { get }
}

/// Counts what a node finds in the frames it looks at; what is carried on to others is not counted again.
///
/// - Note: Thread-safety: `note` in the node's calls only, the rest on any thread. A frame costs an atomic addition.
final class ResultCounter: Sendable {
    private let count = Atomic<UInt64>(0)
    private let hasKind = Atomic<Bool>(false)
    private let name = Mutex<String?>(nil)

    /// Counts the results of one frame.
    func note(_ list: any AnnotationList) {
        count.wrappingAdd(UInt64(list.count), ordering: .relaxed)
        guard !hasKind.load(ordering: .relaxed) else { return }
        name.withLock { $0 = list.kind.name }
        hasKind.store(true, ordering: .relaxed)
    }

    /// What was found and how often so far; nil before the first frame.
    var total: (kind: String, count: UInt64)? {
        name.withLock { $0 }.map { ($0, count.load(ordering: .relaxed)) }
    }
}
