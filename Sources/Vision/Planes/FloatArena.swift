// SPDX-License-Identifier: Apache-2.0

/// Memory for floats that is taken piece by piece when something is made and freed with it.
///
/// Every piece is zero, starts on a cache line and ends with a few spare samples, so that a vector may read past it.
final class FloatArena {
    private var blocks: [UnsafeMutableRawPointer] = []

    deinit { for block in blocks { block.deallocate() } }

    func take(_ count: Int) -> UnsafeMutablePointer<Float> {
        let total = count + 16
        let block = UnsafeMutableRawPointer.allocate(byteCount: total * MemoryLayout<Float>.stride, alignment: 64)
        blocks.append(block)
        return block.initializeMemory(as: Float.self, repeating: 0, count: total)
    }
}
