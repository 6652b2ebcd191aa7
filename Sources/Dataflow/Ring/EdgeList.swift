// SPDX-License-Identifier: Apache-2.0

/// The edges of one stage or port, lent without reference counting.
///
/// A class, so that a stage holds it by a constant reference; iterators and closures over arrays of objects would
/// retain every edge they pass, and allocate in unoptimised builds.
final class EdgeList: @unchecked Sendable {
    // Invariant of @unchecked Sendable: immutable after init; `owners` keeps alive what `edges` points to.

    private let owners: [Edge]
    private let edges: UnsafeMutablePointer<Unmanaged<Edge>>
    let count: Int

    init(_ owners: [Edge]) {
        self.owners = owners
        count = owners.count
        edges = .allocate(capacity: max(1, owners.count))
        for (i, edge) in owners.enumerated() { (edges + i).initialize(to: .passUnretained(edge)) }
    }

    deinit { edges.deallocate() }

    /// Lends one edge to `body`.
    @inline(__always)
    func with<R>(_ index: Int, _ body: (Edge) -> R) -> R {
        edges[index]._withUnsafeGuaranteedRef(body)
    }

    @inline(__always)
    func forEach(_ body: (Edge) -> Void) {
        var i = 0
        while i < count {
            edges[i]._withUnsafeGuaranteedRef(body)
            i &+= 1
        }
    }

    @inline(__always)
    func contains(where condition: (Edge) -> Bool) -> Bool {
        var i = 0
        while i < count {
            if edges[i]._withUnsafeGuaranteedRef(condition) { return true }
            i &+= 1
        }
        return false
    }
}
