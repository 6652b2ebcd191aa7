// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Camera
@testable import Media

@Suite struct CameraChoiceTests {
    private static func size(_ width: Int, _ height: Int, _ rates: Double...) -> CameraFormat.Size {
        CameraFormat.Size(
            width: width, height: height, maxWidth: width, maxHeight: height, stepWidth: 1, stepHeight: 1, rates: rates,
            isAnyRate: false)
    }

    /// What a usual webcam offers: raw at low rates, MJPEG at high ones.
    static let webcam = [
        CameraFormat(
            code: "MJPG", name: "", isReadable: true,
            sizes: [size(1920, 1080, 30, 15), size(1280, 720, 60, 30), size(640, 480, 30)]),
        CameraFormat(
            code: "YUYV", name: "", isReadable: true,
            sizes: [size(1280, 720, 10, 5), size(640, 480, 30, 15), size(320, 240, 30)]),
        CameraFormat(code: "BA81", name: "", isReadable: false, sizes: []),
    ]

    /// A grabber that scales.
    static let grabber = [
        CameraFormat(
            code: "NV12", name: "", isReadable: true,
            sizes: [
                CameraFormat.Size(
                    width: 32, height: 32, maxWidth: 1920, maxHeight: 1088, stepWidth: 16, stepHeight: 2,
                    rates: [60, 1], isAnyRate: true)
            ])
    ]

    @Test(
        arguments: [
            ((1280, 720), 30.0, nil, CameraChoice(format: FourCC("MJPG")!, width: 1280, height: 720, rate: 30)),
            ((1280, 720), 10, nil, CameraChoice(format: FourCC("YUYV")!, width: 1280, height: 720, rate: 10)),
            ((1280, 720), 29.97, nil, CameraChoice(format: FourCC("MJPG")!, width: 1280, height: 720, rate: 30)),
            ((640, 480), 30, nil, CameraChoice(format: FourCC("YUYV")!, width: 640, height: 480, rate: 30)),
            ((640, 480), 30, "MJPG", CameraChoice(format: FourCC("MJPG")!, width: 640, height: 480, rate: 30)),
            ((800, 600), 30, nil, CameraChoice(format: FourCC("YUYV")!, width: 640, height: 480, rate: 30)),
            ((1280, 720), 120, nil, CameraChoice(format: FourCC("MJPG")!, width: 1280, height: 720, rate: 60)),
            (nil, nil, nil, CameraChoice(format: FourCC("MJPG")!, width: 1280, height: 720, rate: 30)),
        ] as [((Int, Int)?, Double?, String?, CameraChoice)])
    func `the nearest offer is taken`(
        _ size: (Int, Int)?, _ rate: Double?, _ format: String?, _ expected: CameraChoice
    ) throws {
        let wish = CameraWish(
            size: size.map { (width: $0.0, height: $0.1) }, rate: rate, format: format.flatMap { FourCC($0) })
        #expect(try wish.choose(from: Self.webcam) == expected)
    }

    @Test func `a range of sizes is met on its steps`() throws {
        let choice = try CameraWish(size: (1001, 4000), rate: 24.5).choose(from: Self.grabber)
        #expect(choice == CameraChoice(format: FourCC("NV12")!, width: 1008, height: 1088, rate: 24.5))
    }

    @Test func `a driver that lists no sizes is asked for the wish`() throws {
        let bare = [CameraFormat(code: "YUYV", name: "", isReadable: true, sizes: [])]
        #expect(
            try CameraWish(size: (720, 576), rate: 25).choose(from: bare)
                == CameraChoice(format: FourCC("YUYV")!, width: 720, height: 576, rate: 25))
    }

    @Test(arguments: [
        (
            CameraWish(format: FourCC("NV12")),
            """
            has no format NV12; it offers:
              MJPG 1920x1080 at 30, 15 fps
              MJPG 1280x720 at 60, 30 fps
              MJPG 640x480 at 30 fps
              YUYV 1280x720 at 10, 5 fps
              YUYV 640x480 at 30, 15 fps
              YUYV 320x240 at 30 fps
            """
        ),
        (
            CameraWish(size: (800, 600), rate: 30, format: FourCC("YUYV"), isExact: true),
            """
            has no size 800x600, the nearest is 640x480; it offers:
              YUYV 1280x720 at 10, 5 fps
              YUYV 640x480 at 30, 15 fps
              YUYV 320x240 at 30 fps
            """
        ),
        (
            CameraWish(size: (1280, 720), rate: 25, format: FourCC("YUYV"), isExact: true),
            """
            has no 25 frames per second at 1280x720, the nearest is 10; it offers:
              YUYV 1280x720 at 10, 5 fps
              YUYV 640x480 at 30, 15 fps
              YUYV 320x240 at 30 fps
            """
        ),
    ])
    func `a wish that cannot be met is answered by a list`(_ wish: CameraWish, _ text: String) throws {
        let error = try #require(throws: CameraError.self) { try wish.choose(from: Self.webcam) }
        #expect(error.fault == .unsuited)
        #expect(error.detail == text)
    }

    @Test func `a camera without a readable format says which it has`() throws {
        let error = try #require(throws: CameraError.self) {
            try CameraWish().choose(from: [Self.webcam[2]])
        }
        #expect(error.detail == "offers no format that vpipe reads (it has BA81)")
    }

    @Test(arguments: [("YUYV", "YUYV"), ("Y16", "Y16"), ("Y", "Y")])
    func `four letters are read and written`(_ text: String, _ written: String) throws {
        #expect(try #require(FourCC(text)).description == written)
    }

    @Test(arguments: ["", "YUYV2", "YÜV"]) func `other texts are no format`(_ text: String) {
        #expect(FourCC(text) == nil)
    }
}

@Suite struct RetryScheduleTests {
    @Test func `pauses double up to the longest and start anew after steady work`() {
        var schedule = RetrySchedule(first: 100, longest: 1000, steady: 5000, seed: 7)
        var now: UInt64 = 0
        for most in [100, 200, 400, 800, 1000, 1000] as [UInt64] {
            let pause = schedule.failed(at: now) - now
            #expect(pause <= most && pause >= most / 2, "\(pause) of \(most)")
            now += pause
        }
        schedule.succeeded(at: now)
        #expect(schedule.failed(at: now + 4999) - (now + 4999) >= 500, "what breaks soon goes on where it was")
        schedule.succeeded(at: now)
        #expect(schedule.failed(at: now + 5000) - (now + 5000) <= 100)
    }

    @Test func `cameras of one hub do not come back in step`() {
        let pauses = (1...50 as ClosedRange<UInt64>).map { seed in
            var schedule = RetrySchedule(first: 1_000_000, longest: 1_000_000, seed: seed)
            return schedule.failed(at: 0)
        }
        #expect(Set(pauses).count > 40)
    }
}

@Suite struct ControlPlanTests {
    private static func control(
        _ id: UInt32, _ name: String, _ kind: CameraControl.Kind, _ range: ClosedRange<Int>,
        _ choices: [Int: String] = [:]
    ) -> CameraControl {
        CameraControl(
            name: name, label: name, kind: kind, minimum: range.lowerBound, maximum: range.upperBound, step: 1,
            defaultValue: 0, value: 0, choices: choices, isReadOnly: name == "model", id: id)
    }

    static let controls = [
        control(0x0098_0900, "brightness", .integer, 0...255),
        control(0x0098_090c, "white_balance_automatic", .boolean, 0...1),
        control(0x0098_091a, "white_balance_temperature", .integer, 2800...6500),
        control(0x009a_0901, "auto_exposure", .menu, 0...3, [1: "Manual Mode", 3: "Aperture Priority Mode"]),
        control(0x009a_0902, "exposure_time_absolute", .integer, 3...2047),
        control(0x0098_0999, "model", .integer, 0...9),
    ]

    @Test(
        arguments: [
            (["brightness": .integer(9)], ["brightness=9"]),
            (["Brightness": .integer(9)], ["brightness=9"]),
            (["exposure": .integer(100)], ["auto_exposure=1", "exposure_time_absolute=100"]),
            (["exposureTimeAbsolute": .integer(100)], ["auto_exposure=1", "exposure_time_absolute=100"]),
            (
                ["exposure": .integer(100), "auto_exposure": .word("aperture priority mode")],
                ["auto_exposure=3", "exposure_time_absolute=100"]
            ),
            (["auto_exposure": .word("manual")], ["auto_exposure=1"]),
            (["auto_exposure": .integer(3)], ["auto_exposure=3"]),
            (
                ["whiteBalance": .integer(4000), "brightness": .integer(1)],
                ["white_balance_automatic=0", "brightness=1", "white_balance_temperature=4000"]
            ),
            (["autoWhiteBalance": .boolean(true)], ["white_balance_automatic=1"]),
        ] as [([String: CameraControlValue], [String])])
    func `names and values are understood as users write them`(
        _ wishes: [String: CameraControlValue], _ steps: [String]
    ) throws {
        let plan = try ControlPlan(wishes, for: Self.controls)
        #expect(plan.steps.map { "\($0.control.name)=\($0.value)" } == steps)
    }

    @Test(
        arguments: [
            (
                ["zoom": .integer(1)],
                "has no control \"zoom\"; it has brightness, white_balance_automatic, white_balance_temperature, "
                    + "auto_exposure, exposure_time_absolute"
            ),
            (["brightness": .integer(256)], "the control \"brightness\" takes 0 to 255, not 256"),
            (["brightness": .word("high")], "the control \"brightness\" takes 0 to 255, not \"high\""),
            (["auto_white_balance": .integer(2)], "the control \"white_balance_automatic\" takes true or false, not 2"),
            (
                ["auto_exposure": .integer(2)],
                "the control \"auto_exposure\" takes \"Manual Mode\" (1), \"Aperture Priority Mode\" (3), not 2"
            ),
            (["model": .integer(1)], "the control \"model\" cannot be set"),
        ] as [([String: CameraControlValue], String)])
    func `what cannot be set is told with what can`(_ wishes: [String: CameraControlValue], _ text: String) throws {
        let error = try #require(throws: CameraError.self) { try ControlPlan(wishes, for: Self.controls) }
        #expect(error.detail == text)
    }
}
