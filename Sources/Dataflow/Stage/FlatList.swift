// SPDX-License-Identifier: Apache-2.0

/// A growable list of trivial values in memory of its own, which must be freed explicitly.
///
/// An `Array` in a class costs a uniqueness check, an exclusivity check and often a retain per use; these three were a
/// third of a saturated hop (benchmark `hop`). Grows by doubling and never shrinks.
struct FlatList<Element: BitwiseCopyable> {
    private(set) var base: UnsafeMutablePointer<Element>
    private(set) var count = 0
    private var capacity: Int

    init(capacity: Int) {
        self.capacity = max(4, capacity)
        base = .allocate(capacity: self.capacity)
    }

    func free() { base.deallocate() }

    @inline(__always)
    mutating func append(_ element: Element) {
        if count == capacity { grow() }
        (base + count).initialize(to: element)
        count &+= 1
    }

    @inline(never)
    private mutating func grow() {
        let larger = UnsafeMutablePointer<Element>.allocate(capacity: capacity * 2)
        larger.moveInitialize(from: base, count: count)
        base.deallocate()
        base = larger
        capacity *= 2
    }

    @inline(__always)
    mutating func remove(at index: Int) {
        count &-= 1
        (base + index).update(from: base + index + 1, count: count &- index)
    }

    @inline(__always)
    mutating func removeAll() { count = 0 }

    subscript(index: Int) -> Element {
        @inline(__always) get { base[index] }
        @inline(__always) nonmutating _modify { yield &base[index] }
    }
}
