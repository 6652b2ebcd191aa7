// SPDX-License-Identifier: Apache-2.0
package import CFFmpeg
internal import Synchronization

/// Empty `AVFrame` structs kept for reuse, so that a picture costs no allocation of one.
///
/// A fixed table of atomic words: taking swaps a word for zero, giving swaps zero for a word. Thread-safe, lock-free.
package enum AVFramePool {
    private static let slots = Slots()

    private final class Slots: Sendable {
        static let count = 64
        /// `UnsafeMutablePointer` bit patterns; zero is empty.
        ///
        /// Never freed: it lives as long as the process.
        nonisolated(unsafe) let words: UnsafeMutablePointer<Atomic<UInt>>

        init() {
            words = .allocate(capacity: Self.count)
            for index in 0..<Self.count { (words + index).initialize(to: Atomic(0)) }
        }
    }

    /// An empty frame; out of memory is the only way to fail, and traps.
    package static func take() -> UnsafeMutablePointer<AVFrame> {
        let words = slots.words
        for index in 0..<Slots.count where words[index].load(ordering: .relaxed) != 0 {
            // Acquires what the giver released: the emptied struct.
            let word = words[index].exchange(0, ordering: .acquiring)
            if let frame = UnsafeMutablePointer<AVFrame>(bitPattern: word) { return frame }
        }
        guard let frame = av_frame_alloc() else { fatalError("out of memory for a frame") }
        return frame
    }

    /// Drops the frame's references and keeps the struct for the next `take`.
    package static func give(_ frame: UnsafeMutablePointer<AVFrame>) {
        av_frame_unref(frame)
        let words = slots.words
        let word = UInt(bitPattern: frame)
        for index in 0..<Slots.count where words[index].load(ordering: .relaxed) == 0 {
            if words[index].compareExchange(expected: 0, desired: word, ordering: .releasing).exchanged { return }
        }
        var surplus: UnsafeMutablePointer<AVFrame>? = frame
        av_frame_free(&surplus)
    }
}
