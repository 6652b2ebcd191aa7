// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

@testable import Camera
@testable import Media
@testable import Overlay

/// What a virtual machine with vivid and v4l2loopback has to offer; `scripts/test-camera` sets it.
private enum Bench {
    static let environment = ProcessInfo.processInfo.environment
    /// A vivid device; its first input is a webcam, its last HDMI.
    static let vivid = environment["VPIPE_TEST_VIVID"]
    static let loopback = environment["VPIPE_TEST_LOOPBACK"]
    /// One without exclusive capabilities: with them, v4l2loopback 0.12 does not survive writers like ffmpeg.
    static let openLoopback = environment["VPIPE_TEST_OPEN_LOOPBACK"]
    static let isMultiplanar = environment["VPIPE_TEST_MULTIPLANAR"] != nil

    static func reader(_ adjust: (inout Camera.Settings) -> Void = { _ in }) throws -> Camera {
        var settings = Camera.Settings(device: try #require(vivid))
        settings.size = (320, 180)
        settings.rate = 30
        settings.input = "0"
        adjust(&settings)
        return Camera(settings)
    }

    /// Reads `count` pictures; nil for events of another kind.
    @discardableResult
    static func read(_ camera: Camera, _ count: Int) throws -> [Camera.Shot] {
        var shots: [Camera.Shot] = []
        var attempts = 0
        while shots.count < count {
            switch try camera.next() {
            case .picture(let shot): shots.append(shot)
            case .noSignal(let fault):
                attempts += 1
                try #require(attempts < 100, "still \(fault): \(camera.statistics)")
            case .interrupted: return shots
            }
        }
        return shots
    }

    /// Presses a control of vivid that breaks something, as a second user of the device.
    static func press(_ control: String, _ value: CameraControlValue = .integer(1)) throws {
        try VideoDevice(try #require(vivid), system: .live).apply([control: value])
    }

    static func say(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }
}

@Suite(.serialized, .enabled(if: Bench.vivid != nil, "needs a vivid camera: run scripts/test-camera"))
struct CameraDeviceTests {
    static let codes =
        Bench.isMultiplanar
        ? ["NM12", "NM21", "YM12", "YM21", "YM16", "YM24", "NV12", "YUYV"]
        : ["YUYV", "UYVY", "NV12", "NV21", "YU12", "YV12", "422P", "NV24", "RGB3", "BGR3", "GREY"]

    @Test(arguments: codes, [(640, 480), (1280, 720)])
    func `vivid's colour bars arrive in every format and size`(_ code: String, _ size: (Int, Int)) throws {
        let camera = try Bench.reader {
            $0.size = (width: size.0, height: size.1)
            $0.format = FourCC(code)
            $0.isExact = false
            $0.input = "3"
            $0.timings = "\(size.0)x\(size.1)"
        }
        try camera.connect()
        let shots = try Bench.read(camera, 12)
        let seen = camera.statistics
        Bench.say("\(seen.mode): \(seen.frames) frames, \(seen.driverDrops) dropped, \(seen.copied) copied")
        #expect(seen.numbered == seen.frames + seen.overtaken + seen.driverDrops + seen.damaged + seen.short)
        #expect((seen.damaged, seen.short, seen.undecodable) == (0, 0, 0))
        #expect(seen.outages.losses.isEmpty)
        let picture = try #require(shots.last).picture
        #expect((picture.width, picture.height) == size)
        expectBars(picture)
        for (earlier, later) in zip(shots, shots.dropFirst()) { #expect(later.capturedAt > earlier.capturedAt) }
    }

    /// 75 % bars; the values are sampled low, under vivid's texts, in the middle of each bar.
    private func expectBars(_ picture: Picture) {
        let bars = [
            (191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0), (0, 0, 191),
            (0, 0, 0),
        ]
        let row = picture.height * 7 / 8
        for (index, rgb) in bars.enumerated() {
            let x = (2 * index + 1) * picture.width / 16
            let format = picture.format
            // vivid's gray is the luma of BT.709, whatever the input's colours are.
            let color = format == .gray8 ? ColorSpec(matrix: .bt709, range: .full) : picture.color
            let wanted = color.bytes(of: rgb)
            let found = (0..<format.planeCount).flatMap { plane -> [UInt8] in
                let samples = picture.plane(plane)
                if plane == 0 { return [samples.row(row)[x]] }
                let line = samples.row(row >> format.chromaShiftY)
                let column = x >> format.chromaShiftX
                return format == .nv12 ? [line[2 * column], line[2 * column + 1]] : [line[column]]
            }
            for (value, target) in zip(found, [wanted.y, wanted.u, wanted.v]) {
                #expect(abs(Int(value) - Int(target)) <= 4, "bar \(index): \(found), expected \(wanted)")
            }
        }
    }

    @Test func `errors that vivid injects are survived, each within two seconds`() throws {
        let camera = try Bench.reader()
        try camera.connect()
        try Bench.read(camera, 5)
        try Bench.press("inject_v4l2_buf_flag_error")
        try Bench.read(camera, 10)
        #expect(camera.statistics.damaged == 1)
        #expect(camera.statistics.outages.losses.isEmpty)
        let dropped = camera.statistics.driverDrops
        try Bench.press("percentage_of_dropped_buffers", .integer(50))
        try Bench.read(camera, 20)
        try Bench.press("percentage_of_dropped_buffers", .integer(0))
        #expect(camera.statistics.driverDrops > dropped)
        for (control, fault) in [
            ("inject_fatal_streaming_error", CameraFault.inputOutput), ("disconnect", .unplugged),
        ] {
            let losses = camera.statistics.outages.losses[fault] ?? 0
            try Bench.press(control)
            try Bench.read(camera, 10)
            #expect(
                camera.statistics.outages.losses[fault] == losses + 1, "\(control): \(camera.statistics.outages.losses)"
            )
        }
        for control in ["inject_vidioc_reqbufs_error", "inject_vidioc_qbuf_error", "inject_vidioc_streamon_error"] {
            let returns = camera.statistics.outages.returns
            try Bench.press(control)
            // A refused QBUF ends the stream by itself; the others wait for the next set-up.
            if control != "inject_vidioc_qbuf_error" { try Bench.press("inject_fatal_streaming_error") }
            try Bench.read(camera, 10)
            #expect(camera.statistics.outages.returns == returns + 1, "\(control): \(camera.statistics.outages.losses)")
        }
        let longest = Double(camera.statistics.outages.longestAwayNanoseconds) / 1e9
        Bench.say("injected errors: \(camera.statistics.notes.joined(separator: "; "))")
        #expect(longest < 2)
        #expect(camera.statistics.numbered >= camera.statistics.frames)
    }

    @Test func `a camera that is unplugged and plugged in again is back within two seconds`() throws {
        let name = try #require(Bench.environment["VPIPE_TEST_BUS"])
        let driver = "/sys/bus/platform/drivers/vivid/"
        let camera = try Bench.reader { $0.pacesNoSignal = true }
        try camera.connect()
        try Bench.read(camera, 5)
        try Data(name.utf8).write(to: URL(fileURLWithPath: driver + "unbind"))
        var blanks = 0
        while blanks < 30 {
            if case .noSignal = try camera.next() { blanks += 1 }
        }
        try Data(name.utf8).write(to: URL(fileURLWithPath: driver + "bind"))
        let bound = MonotonicInstant.now
        let shot = try #require(try Bench.read(camera, 1).first)
        let back = MonotonicInstant.now
        // Not the oldest of a queue: what is shown was taken just now.
        #expect(back - shot.capturedAt < 500_000_000)
        Bench.say(
            "back \(Double(back - bound) / 1e9) s after it was plugged in, picture \(Double(back - shot.capturedAt) / 1e6) ms old"
        )
        #expect(back - bound < 2_000_000_000)
        #expect(camera.statistics.outages.losses == [.unplugged: 1])
    }

    @Test func `a reader that stalls gets new pictures at once, and loses what it did not take`() throws {
        let camera = try Bench.reader()
        try camera.connect()
        try Bench.read(camera, 5)
        Thread.sleep(forTimeInterval: 1)
        // What the driver had filled comes first, then the present.
        let shots = try Bench.read(camera, 8)
        let age = MonotonicInstant.now - (try #require(shots.last).capturedAt)
        #expect(age < 500_000_000)
        #expect(camera.statistics.driverDrops > 0)
        let seen = camera.statistics
        #expect(seen.numbered == seen.frames + seen.overtaken + seen.driverDrops + seen.damaged + seen.short)
    }

    @Test func `two hundred returns leave descriptors, mappings and memory as they were`() throws {
        let camera = try Bench.reader { $0.firstRetryNanoseconds = 1_000_000 }
        try camera.connect()
        var (before, middle) = (ProcessState(), ProcessState())
        for number in 0..<210 {
            if number == 10 { before = ProcessState() }
            if number == 110 { middle = ProcessState() }
            if number % 50 == 10 { Bench.say("\(number) returns: \(ProcessState())") }
            try Bench.read(camera, 1)
            try Bench.press("inject_fatal_streaming_error")
        }
        try Bench.read(camera, 1)
        let after = ProcessState()
        Bench.say("200 returns: \(before) -> \(after)")
        #expect(camera.statistics.outages.returns == 210)
        #expect(after.descriptors == before.descriptors)
        #expect(after.mappings <= before.mappings + 4)
        // The first hundred fill pools.
        #expect(after.residentKilobytes < middle.residentKilobytes + 1024)
    }
}

/// Monotonic nanoseconds.
private enum MonotonicInstant {
    static var now: UInt64 { VideoSystem.live.now() }
}

/// What a leak would show in.
private struct ProcessState: CustomStringConvertible {
    var descriptors = 0
    var mappings = 0
    var residentKilobytes = 0

    init() {
        descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0
        mappings = Self.lines("/proc/self/maps").count
        let resident = Self.lines("/proc/self/status").first { $0.hasPrefix("VmRSS:") } ?? ""
        residentKilobytes = Int(resident.split(separator: " ").dropFirst().first ?? "") ?? 0
    }

    private static func lines(_ path: String) -> [Substring] {
        ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").split(separator: "\n")
    }

    var description: String { "\(descriptors) descriptors, \(mappings) mappings, \(residentKilobytes) kB" }
}

@Suite(.serialized, .enabled(if: Bench.loopback != nil, "needs a v4l2loopback device: run scripts/test-camera"))
struct CameraLoopbackTests {
    @Test(arguments: CameraOutput.Format.allCases)
    func `what goes into the loopback device comes out of it`(_ format: CameraOutput.Format) throws {
        let path = try #require(Bench.loopback)
        let pattern = try TestPattern(width: 640, height: 480, color: ColorSpec(matrix: .bt709))
        let output = try CameraOutput(path, format: format, rate: 25)
        #expect(output.statistics.advice == nil)
        try output.write(pattern.frame(0).picture)
        var settings = Camera.Settings(device: path)
        settings.size = (640, 480)
        let camera = Camera(settings)
        try camera.connect()
        #expect(camera.statistics.mode.contains("\(format.rawValue) 640x480"))
        nonisolated(unsafe) let reader = camera
        nonisolated(unsafe) var shot: Camera.Shot?
        let thread = Thread { shot = try? Bench.read(reader, 3).last }
        thread.start()
        var number = 1
        while !thread.isFinished {
            try output.write(pattern.frame(number).picture)
            number += 1
            Thread.sleep(forTimeInterval: 0.04)
        }
        let picture = try #require(shot).picture
        // Written as BT.601, whatever it was before: the colours stay.
        #expect(picture.color.matrix == .bt601)
        for (index, rgb) in TestPattern.bars.enumerated() {
            let wanted = picture.color.bytes(of: rgb)
            let x = (2 * index + 1) * 640 / 16
            #expect(abs(Int(picture.plane(0).row(200)[x]) - Int(wanted.y)) <= 3, "bar \(index)")
            let chroma = picture.plane(1).row(200 >> picture.format.chromaShiftY)
            let u = picture.format == .nv12 ? chroma[x / 2 * 2] : chroma[x / 2]
            #expect(abs(Int(u) - Int(wanted.u)) <= 3, "bar \(index)")
        }
    }

    @Test(.enabled(if: Tool.hasFFmpeg), arguments: [("mjpeg", "MJPG"), ("h264", "H264")])
    func `compressed pictures are decoded`(_ codec: String, _ code: String) throws {
        let path = try #require(Bench.openLoopback)
        let writer = try start(codec, path)
        defer { stop(writer) }
        var settings = Camera.Settings(device: path)
        settings.format = FourCC(code)
        let camera = Camera(settings)
        // There is no format before somebody has written.
        let picture = try #require(try Bench.read(camera, 5).last).picture
        #expect((picture.width, picture.height) == (320, 240))
        // Bars of all colours: neither black nor white nor flat.
        let luma = picture.plane(0)
        let row = (0..<320).map { Int(luma.row(100)[$0]) }
        #expect((60...200).contains(row.reduce(0, +) / 320), "\(row)")
        #expect(Set(row).count > 4)
        Bench.say("\(code): \(camera.statistics.notes.joined(separator: "; "))")
    }

    private func start(_ codec: String, _ path: String) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Tool.ffmpeg))
        let encoder =
            codec == "mjpeg"
            ? ["-c:v", "mjpeg", "-pix_fmt", "yuvj422p"]
            : ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "5"]
        process.arguments =
            ["-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=10"] + encoder + [
                "-f", "v4l2", path,
            ]
        process.standardInput = FileHandle.nullDevice
        try process.run()
        return process
    }

    private func stop(_ process: Process) {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}
