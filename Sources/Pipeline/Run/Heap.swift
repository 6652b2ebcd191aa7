// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// Two calls of glibc's allocator that its Swift module leaves out; looked up by name, nothing happens without them.
public enum Heap {
    /// Returns freed memory to the system: compiling networks leaves tens of megabytes of it.
    public static func trim() {
        typealias Function = @convention(c) (Int) -> Int32
        guard let symbol = dlsym(nil, "malloc_trim") else { return }
        _ = unsafeBitCast(symbol, to: Function.self)(0)
    }

    /// Lets at most `count` arenas come into being.
    ///
    /// Call it before threads are made.
    public static func limitArenas(to count: Int32) {
        typealias Function = @convention(c) (Int32, Int32) -> Int32
        let arenaMax: Int32 = -8  // M_ARENA_MAX of malloc.h
        guard let symbol = dlsym(nil, "mallopt") else { return }
        _ = unsafeBitCast(symbol, to: Function.self)(arenaMax, count)
    }
}
