// SPDX-License-Identifier: Apache-2.0
import CV4L2
import Foundation
import Testing

@testable import Camera
@testable import Media

/// A camera on a fake driver, read until the driver's script is over.
struct CameraBench {
    let driver: FakeDriver
    let camera: Camera
    var shots: [Camera.Shot] = []
    var noSignal: [CameraFault] = []
    var failure: MediaError?

    init(_ driver: FakeDriver, _ adjust: (inout Camera.Settings) -> Void = { _ in }) {
        self.driver = driver
        var settings = Camera.Settings(device: "/dev/video7")
        settings.size = (64, 48)
        settings.rate = 25
        adjust(&settings)
        camera = Camera(settings, system: driver.system)
        let camera = camera
        nonisolated(unsafe) let shared = camera
        driver.whenOver = { shared.interrupt() }
    }

    /// Reads to the end; keeps the pictures when told to.
    mutating func run(keeping: Bool = false, limit: Int = 100_000) {
        for _ in 0..<limit {
            do {
                switch try camera.next() {
                case .picture(let shot): if keeping { shots.append(shot) }
                case .noSignal(let fault): noSignal.append(fault)
                case .interrupted: return
                }
            } catch {
                failure = error
                return
            }
        }
        Issue.record("the camera never came to an end")
    }
}

private func frames(_ count: Int) -> [FakeDriver.Step] { Array(repeating: .frame(), count: count) }

@Suite struct CameraReadingTests {
    @Test(arguments: [
        ("NV12", false, PixelFormat.nv12), ("YU12", false, .i420), ("YV12", false, .i420), ("YUYV", false, .i422),
        ("UYVY", false, .i422), ("YVYU", false, .i422), ("NV21", false, .i420), ("422P", false, .i422),
        ("GREY", false, .gray8), ("NM12", true, .nv12), ("NM21", true, .i420),
        ("YM12", true, .i420), ("YM21", true, .i420), ("NV12", true, .nv12),
    ])
    func `every stored format becomes the picture it holds`(
        _ code: String, _ isMultiplanar: Bool, _ format: PixelFormat
    )
        throws
    {
        let driver = FakeDriver(startingAt: 40)
        driver.formats = [.init(code: code, sizes: [(64, 48, [25])])]
        driver.isMultiplanar = isMultiplanar
        driver.steps = frames(2)
        var bench = CameraBench(driver)
        bench.run(keeping: true)
        #expect(bench.shots.count == 2)
        let picture = try #require(bench.shots.last).picture
        #expect(picture.format == format)
        #expect((picture.width, picture.height) == (64, 48))
        #expect(picture.color == ColorSpec(matrix: .bt601, range: format == .gray8 ? .full : .limited))
        expect(picture, holds: 41)
        #expect(driver.mistakes.isEmpty)
    }

    @Test func `frames held by their users are never overwritten, and the driver never starves`() {
        let driver = FakeDriver()
        driver.steps = frames(40)
        var bench = CameraBench(driver) { $0.buffers = 4 }
        bench.run(keeping: true)
        #expect(bench.shots.count == 40)
        for (number, shot) in bench.shots.enumerated() { expect(shot.picture, holds: UInt8(number)) }
        #expect(driver.overruns == 0)
        #expect(driver.leastQueued >= 2)
        // Two of four buffers may travel; the rest was copied.
        #expect(bench.camera.statistics.copied == 38)
        #expect(driver.mistakes.isEmpty)
    }

    @Test func `frames whose users are done cost no copy`() {
        let driver = FakeDriver()
        driver.steps = frames(40)
        var bench = CameraBench(driver)
        bench.run()
        #expect(bench.camera.statistics.frames == 40)
        #expect(bench.camera.statistics.copied == 0)
        #expect(bench.camera.statistics.converted == 0)
        #expect(driver.mistakes.isEmpty)
    }

    @Test func `pictures outlive the camera, and their memory goes with the last of them`() {
        let driver = FakeDriver()
        driver.steps = frames(3)
        var shots: [Camera.Shot] = []
        do {
            var bench = CameraBench(driver)
            bench.run(keeping: true)
            shots = bench.shots
            driver.whenOver = {}
        }
        #expect(driver.openDescriptors.isEmpty)
        #expect(driver.mappings == 6)
        for (number, shot) in shots.enumerated() { expect(shot.picture, holds: UInt8(number)) }
        shots = []
        #expect(driver.mappings == 0)
    }

    @Test func `what the camera took before anybody looked is left out, and not counted as lost`() throws {
        let driver = FakeDriver()
        driver.steps = frames(3)
        var bench = CameraBench(driver)
        try bench.camera.connect()
        _ = driver.system.wait(try #require(driver.openDescriptors.first), -1, 0)
        bench.camera.skipToPresent()
        bench.run(keeping: true)
        #expect(bench.shots.map { $0.picture.plane(0).row(0)[0] } == [1, 2])
        #expect(bench.camera.statistics.numbered == 2)
        #expect(driver.mistakes.isEmpty)
    }

    @Test(arguments: [
        (true, [0, 1, 5, 6], 3), (false, [0, 1, 2, 3, 4, 5, 6], 0),
    ])
    func `of frames that wait the newest is taken where that is asked for`(
        _ takesNewest: Bool, _ shown: [UInt8], _ overtaken: Int
    ) throws {
        let driver = FakeDriver()
        driver.steps = frames(2) + [.backlog(4)] + frames(1)
        var bench = CameraBench(driver) { $0.takesNewest = takesNewest }
        bench.run(keeping: true)
        #expect(bench.shots.map { $0.picture.plane(0).row(0)[0] } == shown)
        let seen = bench.camera.statistics
        #expect(seen.overtaken == overtaken && seen.frames == shown.count)
        #expect(seen.numbered == seen.frames + seen.overtaken && seen.driverDrops == 0)
        #expect(driver.mistakes.isEmpty)
    }

    @Test(arguments: [
        ("NV21", [0, 1, 6, 8, 10, 11, 12, 13], 6), ("NV12", Array(0...13), 0),
    ])
    func `a reader that cannot convert fast enough reads the newest until it has caught up`(
        _ code: String, _ shown: [UInt32], _ overtaken: Int
    ) throws {
        let driver = FakeDriver()
        driver.formats = [.init(code: code, sizes: [(64, 48, [25])])]
        driver.steps = frames(2) + [.backlog(5), .meanwhile(2), .meanwhile(2)] + frames(1) + [.backlog(2)]
        var bench = CameraBench(driver)
        bench.run()
        let seen = bench.camera.statistics
        #expect(seen.overtaken == overtaken && seen.frames == shown.count)
        #expect(seen.numbered == seen.frames + seen.overtaken && seen.driverDrops == 0)
        #expect(driver.overruns == 0 && driver.mistakes.isEmpty)
    }

    @Test func `instants are the kernel's, or else those of arrival`() throws {
        for isMonotonic in [true, false] {
            let driver = FakeDriver()
            driver.monotonicStamps = isMonotonic
            driver.steps = frames(1)
            var bench = CameraBench(driver)
            bench.run(keeping: true)
            let shot = try #require(bench.shots.first)
            #expect(shot.capturedAt == driver.clock - (isMonotonic ? 5_000_000 : 0))
            #expect(bench.camera.statistics.restamped == (isMonotonic ? 0 : 1))
        }
    }

    @Test(arguments: [0, UInt32.max - 4])
    func `every number of the driver is accounted for`(_ start: UInt32) {
        let driver = FakeDriver(startingAt: start)
        driver.steps =
            frames(3) + [.frame(skipping: 2), .frame(flags: UInt32(V4L2_BUF_FLAG_ERROR)), .frame(missingBytes: 1)]
            + frames(4)
        var bench = CameraBench(driver)
        bench.run()
        let seen = bench.camera.statistics
        #expect(seen.frames == 8)
        #expect(seen.driverDrops == 2)
        #expect(seen.damaged == 1)
        #expect(seen.short == 1)
        #expect(seen.numbered == 12)
        #expect(seen.numbered == seen.frames + seen.driverDrops + seen.damaged + seen.short)
        #expect(seen.outages.losses.isEmpty)
        #expect(driver.mistakes.isEmpty)
    }

    private func expect(_ picture: Picture, holds luma: UInt8, _ place: SourceLocation = #_sourceLocation) {
        for index in 0..<picture.format.planeCount {
            let plane = picture.plane(index)
            for y in [0, plane.height / 2, plane.height - 1] {
                for x in 0..<plane.width {
                    if picture.format == .nv12, index == 1 {
                        #expect(plane.row(y)[2 * x] == StoredPlanes.u, sourceLocation: place)
                        #expect(plane.row(y)[2 * x + 1] == StoredPlanes.v, sourceLocation: place)
                    } else {
                        let wanted = index == 0 ? luma : index == 1 ? StoredPlanes.u : StoredPlanes.v
                        #expect(plane.row(y)[x] == wanted, "plane \(index)", sourceLocation: place)
                    }
                }
            }
        }
    }
}

@Suite struct CameraLossTests {
    /// A step that breaks the stream, the name of the loss, and how long the camera may be away in seconds.
    static let losses: [(FakeDriver.Step, CameraFault, Double)] = [
        (.breaks(EIO), .inputOutput, 0.11), (.breaks(ENODEV), .unplugged, 0.11), (.breaks(EPIPE), .stalled, 0.11),
        (.breaks(EAGAIN), .inputOutput, 0.11), (.breaks(EINVAL), .refused, 0.11), (.silence(2.5), .stalled, 0.6),
        (.sourceChange, .changed, 0.11), (.unplugged(3), .unplugged, 4),
    ]

    @Test(arguments: losses.indices)
    func `a loss is named, counted and survived`(_ index: Int) {
        let (step, fault, away) = Self.losses[index]
        let driver = FakeDriver()
        driver.steps = frames(5) + [step] + frames(5)
        var bench = CameraBench(driver)
        bench.run()
        let seen = bench.camera.statistics
        #expect(seen.outages.losses == [fault: 1])
        #expect(seen.outages.returns == 1)
        #expect(seen.frames == 10)
        // One frame is part of the time until it is there again.
        #expect(Double(seen.outages.longestAwayNanoseconds) / 1e9 <= away + 0.04)
        #expect(seen.notes.contains { $0.hasPrefix("lost once (\(fault.rawValue)), recovered once") })
        #expect(driver.mistakes.isEmpty)
        #expect(driver.openDescriptors.count == 1)
    }

    @Test(arguments: [
        (vpipe_VIDIOC_REQBUFS(), EBUSY), (vpipe_VIDIOC_REQBUFS(), EINVAL), (vpipe_VIDIOC_QBUF(), EINVAL),
        (vpipe_VIDIOC_STREAMON(), EINVAL), (vpipe_VIDIOC_STREAMON(), EIO), (vpipe_VIDIOC_S_FMT(), EBUSY),
        (vpipe_VIDIOC_QUERYBUF(), EINVAL), (vpipe_VIDIOC_QUERYCAP(), ENODEV),
    ])
    func `a set-up that fails on return is tried again`(_ request: UInt, _ status: Int32) {
        let driver = FakeDriver()
        let planned = [status, status]
        driver.steps =
            frames(3) + [.call { driver.failures[request] = planned }, .breaks(EIO)] + frames(3)
        var bench = CameraBench(driver)
        bench.run()
        #expect(bench.camera.statistics.frames == 6)
        #expect(bench.camera.statistics.outages.returns == 1)
        #expect(driver.mistakes.isEmpty)
        #expect(driver.openDescriptors.count == 1)
    }

    @Test func `a buffer refused while streaming is a loss and no end`() {
        let driver = FakeDriver()
        driver.steps = frames(3) + [.call { driver.failures[vpipe_VIDIOC_QBUF()] = [EIO] }] + frames(3)
        var bench = CameraBench(driver)
        bench.run()
        #expect(bench.camera.statistics.outages.losses == [.inputOutput: 1])
        #expect(bench.camera.statistics.outages.returns == 1)
    }

    @Test func `nothing but damaged buffers is a stall`() {
        let driver = FakeDriver()
        driver.steps = frames(2) + Array(repeating: .frame(flags: UInt32(V4L2_BUF_FLAG_ERROR)), count: 60) + frames(2)
        var bench = CameraBench(driver)
        bench.run()
        #expect(bench.camera.statistics.outages.losses[.stalled] == 1)
        #expect(bench.camera.statistics.damaged > 40)
        #expect(bench.camera.statistics.frames >= 4)
    }

    @Test func `while the camera is away its absence is told at its frame rate`() {
        let driver = FakeDriver()
        driver.steps = frames(2) + [.unplugged(3)] + frames(2)
        var bench = CameraBench(driver) { $0.pacesNoSignal = true }
        bench.run()
        #expect((74...102).contains(bench.noSignal.count), "\(bench.noSignal.count) at 25 a second in 3 to 4 s")
        #expect(bench.noSignal.first == .unplugged)
        #expect(bench.noSignal.last == .absent)
        #expect(bench.camera.statistics.frames == 4)
    }

    @Test func `attempts come with growing pauses, up to the longest`() throws {
        let driver = FakeDriver()
        driver.steps = frames(1) + [.unplugged(20)] + frames(1)
        var bench = CameraBench(driver)
        bench.run()
        let pauses = zip(driver.attempts.dropFirst(), driver.attempts.dropFirst(2)).map { Double($1 - $0) / 1e9 }
        #expect(pauses.count > 15)
        for (number, pause) in pauses.enumerated() {
            let most = min(1, 0.2 * Double(1 << min(number, 10)))
            #expect(pause <= most + 0.001 && pause >= most / 2 - 0.001, "pause \(number): \(pause) s")
        }
    }

    @Test func `a camera that stays away fails in the end, when told to`() {
        let driver = FakeDriver()
        driver.steps = frames(1) + [.unplugged(1000)]
        var bench = CameraBench(driver) { $0.giveUpNanoseconds = 30_000_000_000 }
        bench.run()
        #expect(bench.failure?.code == .notFound)
        #expect(bench.failure?.description == "/dev/video7: no such device")
    }

    @Test func `two hundred returns leave nothing behind`() {
        let driver = FakeDriver()
        for number in 0..<200 {
            driver.steps += frames(2) + [number % 2 == 0 ? .breaks(EIO) : .unplugged(0.5)]
        }
        do {
            var bench = CameraBench(driver)
            bench.run()
            #expect(bench.camera.statistics.outages.losses.values.reduce(0, +) == 200)
            #expect(bench.camera.statistics.frames == 400)
            #expect(driver.openDescriptors.count <= 1)
            #expect(driver.mappings <= 6)
            driver.whenOver = {}
        }
        #expect(driver.openDescriptors.isEmpty)
        #expect(driver.mappings == 0)
        #expect(driver.mistakes.isEmpty)
    }
}

@Suite struct CameraStartTests {
    @Test(arguments: [
        (ENOENT, "/dev/video7: no such device"), (ENODEV, "/dev/video7: no such device"),
        (EACCES, "add the user to the group \"video\""),
    ])
    func `a camera that cannot be opened says what to do`(_ status: Int32, _ text: String) throws {
        let driver = FakeDriver()
        driver.openFailures = [status]
        let bench = CameraBench(driver)
        let error = try #require(throws: MediaError.self) { try bench.camera.connect() }
        #expect(error.description.contains(text), "\(error)")
        #expect(driver.openDescriptors.isEmpty)
    }

    @Test func `a device that another program is leaving is waited for, not for ever`() throws {
        let driver = FakeDriver()
        driver.failures[vpipe_VIDIOC_REQBUFS()] = [EBUSY, EBUSY]
        try CameraBench(driver).camera.connect()
        #expect(driver.opens == 3)
        let stuck = FakeDriver()
        stuck.failures[vpipe_VIDIOC_REQBUFS()] = Array(repeating: EBUSY, count: 100)
        let error = try #require(throws: MediaError.self) { try CameraBench(stuck).camera.connect() }
        #expect(error.description == "/dev/video7: the device is in use by another program")
        #expect(stuck.openDescriptors.isEmpty)
        #expect(stuck.mappings == 0)
    }

    @Test func `controls are set, automatic modes first, and again after a return`() {
        let driver = FakeDriver()
        let exposure = UInt32(V4L2_CID_EXPOSURE_ABSOLUTE)
        let mode = UInt32(V4L2_CID_EXPOSURE_AUTO)
        driver.controls = [
            exposure: ("Exposure Time, Absolute", V4L2_CTRL_TYPE_INTEGER.rawValue, 3...2047),
            mode: ("Auto Exposure", V4L2_CTRL_TYPE_INTEGER.rawValue, 0...3),
        ]
        driver.steps = frames(1) + [.breaks(EIO)] + frames(1)
        var bench = CameraBench(driver) { $0.controls = ["exposure": .integer(150)] }
        bench.run()
        #expect(driver.settings.map(\.0) == [mode, exposure, mode, exposure])
        #expect(driver.settings.map(\.1) == [1, 150, 1, 150])
    }

    @Test(.timeLimit(.minutes(15))) func `an interrupt from outside ends a wait for an absent camera`() async throws {
        var settings = Camera.Settings(device: "/nowhere/video0")
        settings.longestRetryNanoseconds = 3_600_000_000_000
        settings.firstRetryNanoseconds = 3_600_000_000_000
        nonisolated(unsafe) let camera = Camera(settings)
        let reader = Thread { while case .noSignal? = try? camera.next() {} }
        reader.start()
        camera.interrupt()
        while !reader.isFinished { try await Task.sleep(for: .milliseconds(1)) }
    }
}
