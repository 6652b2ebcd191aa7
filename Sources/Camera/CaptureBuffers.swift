// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import Media
internal import Synchronization

/// The memory of a driver's buffers, and which of them pictures have given back.
///
///     driver --DQBUF--> lease (an AVBufferRef, shared by pictures) --last user--> `returned` --QBUF--> driver
///
/// Whoever drops a picture last, on any thread, only sets a bit; the camera's own queue hands the buffer to the driver
/// with its next call. The memory stays mapped until the last lease is gone, also after the device is.
final class CaptureBuffers: @unchecked Sendable {
    // Invariant of @unchecked Sendable: all is immutable but the atomic; the pixels are written by the driver only
    // while it owns the buffer.

    /// One mapping.
    struct Memory {
        let address: UnsafeMutableRawPointer
        let length: Int
    }

    /// V4L2 has no more than 32 buffers, so a bit for each fits a word.
    static let limit = 32

    /// By buffer, then by memory plane.
    let memory: [[Memory]]
    private let isEmulated: Bool
    private let system: VideoSystem
    private let returned = Atomic<UInt64>(0)

    init(_ memory: [[Memory]], isEmulated: Bool, system: VideoSystem) {
        precondition(memory.count <= Self.limit)
        self.memory = memory
        self.isEmulated = isEmulated
        self.system = system
    }

    deinit {
        for plane in memory.joined() { system.unmap(plane.address, plane.length, isEmulated) }
    }

    var count: Int { memory.count }

    /// A reference to buffer `index` that gives it back when the last copy of it is dropped.
    ///
    /// nil: out of memory.
    func lease(_ index: Int) -> UnsafeMutablePointer<AVBufferRef>? {
        let plane = memory[index][0]
        // Balanced by the release in the callback.
        let owner = Unmanaged.passRetained(self)
        let lease = av_buffer_create(
            plane.address.assumingMemoryBound(to: UInt8.self), plane.length,
            { opaque, data in
                guard let opaque, let data else { return }
                Unmanaged<CaptureBuffers>.fromOpaque(opaque).takeRetainedValue().takeBack(data)
            }, owner.toOpaque(), AV_BUFFER_FLAG_READONLY)
        if lease == nil { owner.release() }
        return lease
    }

    private func takeBack(_ data: UnsafeMutablePointer<UInt8>) {
        guard let index = memory.firstIndex(where: { $0[0].address == UnsafeMutableRawPointer(data) }) else { return }
        // Release pairs with the acquire in `takeReturned`: the reads of the pixels come before the driver's writes.
        returned.bitwiseOr(1 << UInt64(index), ordering: .releasing)
    }

    /// The buffers given back since the last call, one bit each.
    func takeReturned() -> UInt64 { returned.exchange(0, ordering: .acquiring) }
}
