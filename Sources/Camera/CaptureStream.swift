// SPDX-License-Identifier: Apache-2.0
internal import CV4L2
internal import Glibc

/// Memory-mapped streaming of one device, single- or multi-planar.
///
/// Confined.
final class CaptureStream {
    /// A buffer as it came from the driver.
    struct Captured {
        let index: Int
        let sequence: UInt32
        let isDamaged: Bool
        /// The driver's stamp in nanoseconds, of the monotonic clock but for odd drivers.
        let capturedAt: UInt64
        /// Bytes in use and their offset, by memory plane.
        var used = SIMD8<UInt32>(repeating: 0)
        var start = SIMD8<UInt32>(repeating: 0)
    }

    let buffers: CaptureBuffers
    private let device: VideoDevice
    private let type: UInt32
    private let planeCount: Int
    private let planes: UnsafeMutablePointer<v4l2_plane>
    /// Buffers the driver has.
    private(set) var queued = 0
    /// Fewer than these must never be left to the driver: one it fills, and the next.
    let floor: Int
    private var isOn = false

    /// Allocates `count` buffers, or as many as the driver gives, hands them all over and starts.
    init(_ device: VideoDevice, planes planeCount: Int, count: Int) throws(CameraError) {
        let type = device.captureType
        var request = v4l2_requestbuffers()
        request.count = UInt32(count)
        request.type = type
        request.memory = V4L2_MEMORY_MMAP.rawValue
        try device.demand(vpipe_VIDIOC_REQBUFS(), &request, "REQBUFS")
        guard request.count >= 2 else {
            throw CameraError(.refused, "the driver gives \(request.count) buffers; two are needed at least")
        }
        let planes = UnsafeMutablePointer<v4l2_plane>.allocate(capacity: Int(VIDEO_MAX_PLANES))
        planes.initialize(repeating: v4l2_plane(), count: Int(VIDEO_MAX_PLANES))
        var mapped: [[CaptureBuffers.Memory]] = []
        var failure: CameraError?
        do throws(CameraError) {
            for index in 0..<min(Int(request.count), CaptureBuffers.limit) {
                mapped.append(try Self.map(device, type, planes, planeCount, index))
            }
        } catch {
            failure = error
        }
        buffers = CaptureBuffers(mapped, isEmulated: device.isEmulated, system: device.system)
        self.device = device
        self.type = type
        self.planeCount = planeCount
        self.planes = planes
        var least = v4l2_control(id: UInt32(V4L2_CID_MIN_BUFFERS_FOR_CAPTURE), value: 0)
        floor = device.ask(vpipe_VIDIOC_G_CTRL(), &least) == 0 ? max(2, min(16, Int(least.value))) : 2
        if let failure { throw failure }
        for index in 0..<buffers.count { try queue(index) }
        var wanted = Int32(bitPattern: type)
        try device.demand(vpipe_VIDIOC_STREAMON(), &wanted, "STREAMON")
        isOn = true
    }

    deinit {
        // Gives the device free for others although pictures may hold its memory for a while; a failure means that
        // the device is gone.
        var off = Int32(bitPattern: type)
        if isOn { _ = device.ask(vpipe_VIDIOC_STREAMOFF(), &off) }
        var request = v4l2_requestbuffers()
        request.type = type
        request.memory = V4L2_MEMORY_MMAP.rawValue
        _ = device.ask(vpipe_VIDIOC_REQBUFS(), &request)
        planes.deinitialize(count: Int(VIDEO_MAX_PLANES))
        planes.deallocate()
    }

    private static func map(
        _ device: VideoDevice, _ type: UInt32, _ planes: UnsafeMutablePointer<v4l2_plane>, _ planeCount: Int,
        _ index: Int
    ) throws(CameraError) -> [CaptureBuffers.Memory] {
        var buffer = empty(type, planes)
        buffer.index = UInt32(index)
        try device.demand(vpipe_VIDIOC_QUERYBUF(), &buffer, "QUERYBUF")
        let isMultiplanar = vpipe_v4l2_is_multiplanar(type) != 0
        var result: [CaptureBuffers.Memory] = []
        for plane in 0..<planeCount {
            let length = Int(isMultiplanar ? planes[plane].length : buffer.length)
            let offset = isMultiplanar ? planes[plane].m.mem_offset : buffer.m.offset
            guard length > 0,
                let address = device.system.map(device.descriptor, length, Int64(offset), device.isEmulated)
            else {
                for memory in result { device.system.unmap(memory.address, memory.length, device.isEmulated) }
                throw CameraError(.refused, "the driver's buffers cannot be mapped")
            }
            result.append(CaptureBuffers.Memory(address: address, length: length))
        }
        return result
    }

    private static func empty(_ type: UInt32, _ planes: UnsafeMutablePointer<v4l2_plane>) -> v4l2_buffer {
        var buffer = v4l2_buffer()
        buffer.type = type
        buffer.memory = V4L2_MEMORY_MMAP.rawValue
        if vpipe_v4l2_is_multiplanar(type) != 0 {
            for plane in 0..<Int(VIDEO_MAX_PLANES) { planes[plane] = v4l2_plane() }
            buffer.m.planes = planes
            buffer.length = UInt32(VIDEO_MAX_PLANES)
        }
        return buffer
    }

    // MARK: Frames

    /// Hands a buffer to the driver.
    func queue(_ index: Int) throws(CameraError) {
        var buffer = Self.empty(type, planes)
        buffer.index = UInt32(index)
        if vpipe_v4l2_is_multiplanar(type) != 0 { buffer.length = UInt32(planeCount) }
        try device.demand(vpipe_VIDIOC_QBUF(), &buffer, "QBUF")
        queued += 1
    }

    /// Hands over all buffers whose last user is done.
    func queueReturned() throws(CameraError) {
        var bits = buffers.takeReturned()
        while bits != 0 {
            try queue(bits.trailingZeroBitCount)
            bits &= bits &- 1
        }
    }

    /// The next filled buffer; nil while there is none.
    func dequeue() throws(CameraError) -> Captured? {
        var buffer = Self.empty(type, planes)
        let status = device.ask(vpipe_VIDIOC_DQBUF(), &buffer)
        if status == EAGAIN { return nil }
        // The driver's way to say that its stream is over.
        if status == EPIPE { throw CameraError(.stalled, "the driver ended the stream", number: status) }
        if status != 0 { throw CameraError(status, during: "DQBUF") }
        guard buffer.index < UInt32(buffers.count) else {
            throw CameraError(.inputOutput, "the driver names buffer \(buffer.index) of \(buffers.count)")
        }
        queued -= 1
        let seconds = UInt64(clamping: buffer.timestamp.tv_sec)
        let microseconds = UInt64(clamping: buffer.timestamp.tv_usec)
        var captured = Captured(
            index: Int(buffer.index), sequence: buffer.sequence,
            isDamaged: buffer.flags & UInt32(V4L2_BUF_FLAG_ERROR) != 0,
            capturedAt: seconds &* 1_000_000_000 &+ microseconds &* 1000)
        if vpipe_v4l2_is_multiplanar(type) != 0 {
            for plane in 0..<min(planeCount, 8) {
                captured.used[plane] = planes[plane].bytesused
                captured.start[plane] = planes[plane].data_offset
            }
        } else {
            captured.used[0] = buffer.bytesused
        }
        return captured
    }
}
