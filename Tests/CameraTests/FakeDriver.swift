// SPDX-License-Identifier: Apache-2.0
import CV4L2
import Foundation

@testable import Camera
@testable import Media

/// A V4L2 driver in memory, with a clock of its own: nothing waits, every call can be made to fail.
///
/// It checks what a driver must be able to rely on: buffers are queued once, descriptors closed once, memory unmapped.
final class FakeDriver: @unchecked Sendable {
    // Invariant of @unchecked Sendable: one lock around everything.

    enum Step {
        /// A frame; `skipping` frames before it were lost in the device.
        case frame(skipping: Int = 0, flags: UInt32 = 0, missingBytes: Int = 0)
        /// So many frames come before anybody asks for one.
        case backlog(Int)
        /// So many frames come while the one before them is read.
        case meanwhile(Int)
        /// Nothing comes for so many seconds.
        case silence(Double)
        /// Taking a buffer fails with this errno until the device is opened anew.
        case breaks(Int32)
        /// The device goes, and is there again after so many seconds.
        case unplugged(Double)
        /// The signal at the input changes.
        case sourceChange
        /// The test looks at something.
        case call(@Sendable () -> Void)
    }

    struct Format {
        var code: String
        var sizes: [(Int, Int, [UInt32])]
    }

    static let interval: UInt64 = 40_000_000

    private let lock = NSRecursiveLock()
    var formats = [Format(code: "NV12", sizes: [(64, 48, [25])])]
    var isMultiplanar = false
    var isOutput = false
    var steps: [Step] = []
    /// errno numbers for the next calls of a request, one each; 0 lets the call through.
    var failures: [UInt: [Int32]] = [:]
    var openFailures: [Int32] = []
    var writeFailures: [Int32] = []
    /// Called when the script is over.
    var whenOver: @Sendable () -> Void = {}
    var monotonicStamps = true
    var controls: [UInt32: (name: String, type: UInt32, range: ClosedRange<Int32>)] = [:]
    private(set) var settings: [(UInt32, Int32)] = []
    private(set) var mistakes: [String] = []
    private(set) var opens = 0
    private(set) var openDescriptors: Set<Int32> = []
    private(set) var mappings = 0
    private(set) var written: [[UInt8]] = []
    private(set) var attempts: [UInt64] = []
    private(set) var leastQueued = Int.max
    /// Frames that found no buffer.
    private(set) var overruns = 0
    private(set) var clock: UInt64 = 1_000_000_000_000

    private var sequence: UInt32 = 0
    private var absentUntil: UInt64 = 0
    private var brokenWith: Int32 = 0
    /// Filled buffers that wait to be taken.
    private var ready = 0
    private var hasEvent = false
    private var isStreaming = false
    private var size = (width: 0, height: 0)
    private var code = ""
    private var memory: [Int: UnsafeMutableRawPointer] = [:]
    private var bufferCount = 0
    private var queue: [Int] = []

    init(startingAt sequence: UInt32 = 0) { self.sequence = sequence }

    var system: VideoSystem {
        VideoSystem(
            open: { [self] path in locked { open(path) } },
            close: { [self] descriptor in
                locked {
                    if openDescriptors.remove(descriptor) == nil { mistakes.append("closed \(descriptor) twice") }
                    isStreaming = false
                    queue = []
                }
            },
            control: { [self] descriptor, request, argument in
                locked { openDescriptors.contains(descriptor) ? control(request, argument) : EBADF }
            },
            emulate: { _ in false },
            map: { [self] _, length, offset, _ in locked { map(length, Int(offset)) } },
            unmap: { [self] address, _, _ in
                locked {
                    mappings -= 1
                    for (key, value) in memory where value == address { memory[key] = nil }
                    address.deallocate()
                }
            },
            write: { [self] _, bytes, count in
                locked {
                    if !writeFailures.isEmpty {
                        let status = writeFailures.removeFirst()
                        if status != 0 { return status }
                    }
                    written.append(Array(UnsafeRawBufferPointer(start: bytes, count: count)))
                    return 0
                }
            },
            wait: { [self] descriptor, _, nanoseconds in locked { wait(descriptor, nanoseconds) } },
            now: { [self] in locked { clock } })
    }

    func locked<Value>(_ body: () -> Value) -> Value {
        lock.lock()
        defer { lock.unlock() }
        return body()
    }

    func advance(_ seconds: Double) { locked { clock += UInt64(seconds * 1e9) } }

    private func open(_ path: String) -> Int32 {
        attempts.append(clock)
        if !openFailures.isEmpty {
            let status = openFailures.removeFirst()
            if status != 0 { return -status }
        }
        if clock < absentUntil { return -ENOENT }
        opens += 1
        brokenWith = 0
        // Descriptors of another kind than the process's own.
        let descriptor = Int32(100_000 + opens)
        openDescriptors.insert(descriptor)
        return descriptor
    }

    private func map(_ length: Int, _ offset: Int) -> UnsafeMutableRawPointer? {
        let address = UnsafeMutableRawPointer.allocate(byteCount: length + 64, alignment: 64)
        address.initializeMemory(as: UInt8.self, repeating: 0, count: length + 64)
        memory[offset] = address
        mappings += 1
        return address
    }

    private func wait(_ descriptor: Int32, _ nanoseconds: UInt64) -> VideoSystem.Readiness {
        guard descriptor >= 0 else {
            clock += nanoseconds
            return []
        }
        while true {
            guard let step = steps.first else {
                whenOver()
                return .woken
            }
            switch step {
            case .call(let body):
                steps.removeFirst()
                body()
            case .frame:
                clock += Self.interval
                leastQueued = min(leastQueued, queue.count)
                if queue.isEmpty {
                    overruns += 1
                    sequence &+= 1
                    steps.removeFirst()
                    continue
                }
                ready = 1
                return .ready
            case .backlog(let count), .meanwhile(let count):
                fill(count)
                return .ready
            case .silence(let seconds):
                let span = min(nanoseconds, UInt64(seconds * 1e9))
                clock += span
                let left = seconds - Double(span) / 1e9
                if left > 1e-9 { steps[0] = .silence(left) } else { steps.removeFirst() }
                return []
            case .breaks(let status):
                steps.removeFirst()
                brokenWith = status
                return .broken
            case .unplugged(let seconds):
                steps.removeFirst()
                brokenWith = ENODEV
                absentUntil = clock + UInt64(seconds * 1e9)
                return .broken
            case .sourceChange:
                steps.removeFirst()
                hasEvent = true
                return .event
            }
        }
    }

    /// The first step becomes so many frames that wait to be taken.
    private func fill(_ count: Int) {
        clock += UInt64(count) * Self.interval
        steps.replaceSubrange(0...0, with: Array(repeating: .frame(), count: count))
        ready = min(ready + count, queue.count)
    }

    // MARK: Requests

    private func control(_ request: UInt, _ argument: UnsafeMutableRawPointer) -> Int32 {
        if var planned = failures[request], !planned.isEmpty {
            let status = planned.removeFirst()
            failures[request] = planned
            if status != 0 { return status }
        }
        if brokenWith == ENODEV { return ENODEV }
        switch request {
        case vpipe_VIDIOC_QUERYCAP(): return capabilities(argument.assumingMemoryBound(to: v4l2_capability.self))
        case vpipe_VIDIOC_ENUM_FMT(): return format(argument.assumingMemoryBound(to: v4l2_fmtdesc.self))
        case vpipe_VIDIOC_ENUM_FRAMESIZES(): return size(argument.assumingMemoryBound(to: v4l2_frmsizeenum.self))
        case vpipe_VIDIOC_ENUM_FRAMEINTERVALS():
            return interval(argument.assumingMemoryBound(to: v4l2_frmivalenum.self))
        case vpipe_VIDIOC_G_FMT(): return 0
        case vpipe_VIDIOC_S_FMT(): return setFormat(argument.assumingMemoryBound(to: v4l2_format.self))
        case vpipe_VIDIOC_G_PARM(), vpipe_VIDIOC_S_PARM():
            let parameters = argument.assumingMemoryBound(to: v4l2_streamparm.self)
            parameters.pointee.parm.capture.capability = UInt32(V4L2_CAP_TIMEPERFRAME)
            parameters.pointee.parm.capture.timeperframe = v4l2_fract(numerator: 1, denominator: 25)
            return 0
        case vpipe_VIDIOC_REQBUFS():
            let wanted = argument.assumingMemoryBound(to: v4l2_requestbuffers.self)
            bufferCount = Int(wanted.pointee.count)
            queue = []
            return 0
        case vpipe_VIDIOC_QUERYBUF(): return query(argument.assumingMemoryBound(to: v4l2_buffer.self))
        case vpipe_VIDIOC_QBUF(): return enqueue(argument.assumingMemoryBound(to: v4l2_buffer.self))
        case vpipe_VIDIOC_DQBUF(): return dequeue(argument.assumingMemoryBound(to: v4l2_buffer.self))
        case vpipe_VIDIOC_STREAMON():
            isStreaming = true
            return 0
        case vpipe_VIDIOC_STREAMOFF():
            isStreaming = false
            return 0
        case vpipe_VIDIOC_QUERYCTRL(): return queryControl(argument.assumingMemoryBound(to: v4l2_queryctrl.self))
        case vpipe_VIDIOC_S_CTRL():
            let setting = argument.assumingMemoryBound(to: v4l2_control.self).pointee
            settings.append((setting.id, setting.value))
            return 0
        case vpipe_VIDIOC_SUBSCRIBE_EVENT(): return 0
        case vpipe_VIDIOC_DQEVENT():
            guard hasEvent else { return ENOENT }
            hasEvent = false
            argument.assumingMemoryBound(to: v4l2_event.self).pointee.type = UInt32(V4L2_EVENT_SOURCE_CHANGE)
            return 0
        default: return ENOTTY
        }
    }

    private func capabilities(_ found: UnsafeMutablePointer<v4l2_capability>) -> Int32 {
        let kind =
            isOutput
            ? V4L2_CAP_VIDEO_OUTPUT : isMultiplanar ? V4L2_CAP_VIDEO_CAPTURE_MPLANE : V4L2_CAP_VIDEO_CAPTURE
        found.pointee.capabilities = UInt32(kind) | UInt32(V4L2_CAP_STREAMING)
        withUnsafeMutableBytes(of: &found.pointee.card) { $0.copyBytes(from: Array("Fake".utf8)) }
        return 0
    }

    private func format(_ entry: UnsafeMutablePointer<v4l2_fmtdesc>) -> Int32 {
        guard Int(entry.pointee.index) < formats.count else { return EINVAL }
        entry.pointee.pixelformat = FourCC(formats[Int(entry.pointee.index)].code)!.rawValue
        return 0
    }

    private func size(_ entry: UnsafeMutablePointer<v4l2_frmsizeenum>) -> Int32 {
        let code = FourCC(rawValue: entry.pointee.pixel_format).description
        guard let sizes = formats.first(where: { $0.code == code })?.sizes, Int(entry.pointee.index) < sizes.count
        else { return EINVAL }
        entry.pointee.type = V4L2_FRMSIZE_TYPE_DISCRETE.rawValue
        let size = sizes[Int(entry.pointee.index)]
        entry.pointee.discrete = v4l2_frmsize_discrete(width: UInt32(size.0), height: UInt32(size.1))
        return 0
    }

    private func interval(_ entry: UnsafeMutablePointer<v4l2_frmivalenum>) -> Int32 {
        let code = FourCC(rawValue: entry.pointee.pixel_format).description
        let size = formats.first { $0.code == code }?.sizes
            .first { UInt32($0.0) == entry.pointee.width && UInt32($0.1) == entry.pointee.height }
        guard let rates = size?.2, Int(entry.pointee.index) < rates.count else { return EINVAL }
        entry.pointee.type = V4L2_FRMIVAL_TYPE_DISCRETE.rawValue
        entry.pointee.discrete = v4l2_fract(numerator: 1, denominator: rates[Int(entry.pointee.index)])
        return 0
    }

    private func setFormat(_ format: UnsafeMutablePointer<v4l2_format>) -> Int32 {
        let flat = vpipe_v4l2_get_layout(format)
        code = FourCC(rawValue: flat.fourcc).description
        size = (Int(flat.width), Int(flat.height))
        let planes = StoredPlanes(code, size.width, size.height)
        if isMultiplanar {
            format.pointee.fmt.pix_mp.num_planes = UInt8(planes.memories.count)
            withUnsafeMutableBytes(of: &format.pointee.fmt.pix_mp.plane_fmt) { bytes in
                for (index, memory) in planes.memories.enumerated() {
                    // struct v4l2_plane_pix_format: size, stride, six spare words of 16 bits.
                    bytes.storeBytes(of: UInt32(memory.bytes), toByteOffset: index * 20, as: UInt32.self)
                    bytes.storeBytes(of: UInt32(memory.stride), toByteOffset: index * 20 + 4, as: UInt32.self)
                }
            }
        } else {
            format.pointee.fmt.pix.bytesperline = UInt32(planes.memories[0].stride)
            format.pointee.fmt.pix.sizeimage = UInt32(planes.memories[0].bytes)
        }
        return 0
    }

    private func query(_ buffer: UnsafeMutablePointer<v4l2_buffer>) -> Int32 {
        let index = Int(buffer.pointee.index)
        guard index < bufferCount else { return EINVAL }
        let memories = StoredPlanes(code, size.width, size.height).memories
        if isMultiplanar {
            for (plane, memory) in memories.enumerated() {
                buffer.pointee.m.planes[plane].length = UInt32(memory.bytes)
                buffer.pointee.m.planes[plane].m.mem_offset = UInt32(index * 8 + plane) << 20
            }
        } else {
            buffer.pointee.length = UInt32(memories[0].bytes)
            buffer.pointee.m.offset = UInt32(index * 8) << 20
        }
        return 0
    }

    private func enqueue(_ buffer: UnsafeMutablePointer<v4l2_buffer>) -> Int32 {
        let index = Int(buffer.pointee.index)
        if queue.contains(index) { mistakes.append("buffer \(index) queued twice") }
        queue.append(index)
        if case .meanwhile(let count)? = steps.first { fill(count) }
        return 0
    }

    private func dequeue(_ buffer: UnsafeMutablePointer<v4l2_buffer>) -> Int32 {
        if brokenWith != 0 { return brokenWith }
        guard ready > 0, case .frame(let skipping, let flags, let missing)? = steps.first, !queue.isEmpty else {
            return EAGAIN
        }
        ready -= 1
        steps.removeFirst()
        sequence &+= UInt32(skipping)
        let index = queue.removeFirst()
        let memories = StoredPlanes(code, size.width, size.height).memories
        for (plane, place) in memories.enumerated() {
            guard let address = memory[(index * 8 + plane) << 20] else { return EIO }
            StoredPlanes.fill(code, address, plane, size, luma: UInt8(truncatingIfNeeded: sequence))
            let used = UInt32(max(0, place.bytes - missing))
            if isMultiplanar {
                buffer.pointee.m.planes[plane].bytesused = used
            } else {
                buffer.pointee.bytesused = used
            }
        }
        buffer.pointee.index = UInt32(index)
        buffer.pointee.sequence = sequence
        buffer.pointee.flags = flags
        // Wall clocks are decades ahead of the machine's uptime.
        let stamp =
            clock - 5_000_000 - UInt64(ready) * Self.interval + (monotonicStamps ? 0 : 1_700_000_000_000_000_000)
        buffer.pointee.timestamp = timeval(
            tv_sec: Int(stamp / 1_000_000_000), tv_usec: Int(stamp % 1_000_000_000 / 1000))
        sequence &+= 1
        return 0
    }

    private func queryControl(_ query: UnsafeMutablePointer<v4l2_queryctrl>) -> Int32 {
        let after = query.pointee.id & ~UInt32(V4L2_CTRL_FLAG_NEXT_CTRL)
        guard let id = controls.keys.sorted().first(where: { $0 > after }), let control = controls[id] else {
            return EINVAL
        }
        query.pointee = v4l2_queryctrl()
        query.pointee.id = id
        query.pointee.type = control.type
        query.pointee.minimum = control.range.lowerBound
        query.pointee.maximum = control.range.upperBound
        withUnsafeMutableBytes(of: &query.pointee.name) { $0.copyBytes(from: Array(control.name.utf8)) }
        return 0
    }
}

/// How the formats of the tests are stored: written by hand from the kernel's description of each, not from the code
/// under test.
struct StoredPlanes {
    var memories: [(stride: Int, bytes: Int)]

    static let u: UInt8 = 90
    static let v: UInt8 = 160

    init(_ code: String, _ w: Int, _ h: Int) {
        switch code {
        case "NV12", "NV21", "YU12", "YV12": memories = [(w, w * h * 3 / 2)]
        case "YUYV", "UYVY", "YVYU": memories = [(2 * w, 2 * w * h)]
        case "422P": memories = [(w, 2 * w * h)]
        case "NM12", "NM21": memories = [(w, w * h), (w, w * h / 2)]
        case "YM12", "YM21": memories = [(w, w * h), (w / 2, w * h / 4), (w / 2, w * h / 4)]
        default: memories = [(w, w * h)]
        }
    }

    static func fill(
        _ code: String, _ address: UnsafeMutableRawPointer, _ plane: Int, _ size: (width: Int, height: Int), luma: UInt8
    ) {
        let samples = size.width * size.height
        func run(_ from: Int, _ count: Int, _ pattern: [UInt8]) {
            for i in 0..<count {
                address.storeBytes(of: pattern[i % pattern.count], toByteOffset: from + i, as: UInt8.self)
            }
        }
        switch (code, plane) {
        case ("YUYV", _): run(0, 2 * samples, [luma, u, luma, v])
        case ("YVYU", _): run(0, 2 * samples, [luma, v, luma, u])
        case ("UYVY", _): run(0, 2 * samples, [u, luma, v, luma])
        case ("NM12", 1): run(0, samples / 2, [u, v])
        case ("NM21", 1): run(0, samples / 2, [v, u])
        case ("YM12", 1), ("YM21", 2): run(0, samples / 4, [u])
        case ("YM12", 2), ("YM21", 1): run(0, samples / 4, [v])
        default:
            run(0, samples, [luma])
            switch code {
            case "NV12": run(samples, samples / 2, [u, v])
            case "NV21": run(samples, samples / 2, [v, u])
            case "YU12":
                run(samples, samples / 4, [u])
                run(samples * 5 / 4, samples / 4, [v])
            case "YV12":
                run(samples, samples / 4, [v])
                run(samples * 5 / 4, samples / 4, [u])
            case "422P":
                run(samples, samples / 2, [u])
                run(samples * 3 / 2, samples / 2, [v])
            default: break
            }
        }
    }
}
