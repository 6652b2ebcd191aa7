// SPDX-License-Identifier: Apache-2.0
package import Camera
package import Dataflow
package import Media
package import PipelineLanguage

/// `camera`: a V4L2 camera that comes back when it was away.
package final class CameraNode: SourceNode, NodeType, ReportingNode, InterruptibleSource, MeasuredSource {
    package static let device = Param.path(
        "device", default: "/dev/video0", synonyms: ["path", "url"],
        doc: "Device node, or a stable name out of /dev/v4l/by-id; `vpipe devices` lists them")
    package static let size = Param.size(
        "size", synonyms: ["resolution"], doc: "Width and height, the nearest is taken"
    )
    .optional
    package static let fps = Param.rate("fps", synonyms: ["rate"], doc: "Frame rate, the nearest is taken").optional
    package static let format = Param.choice(
        "format",
        of: [.init("auto", "the cheapest that has size and rate")]
            + CameraFormat.readable.map { .init($0, "") }, default: "auto", doc: "Stored format")
    package static let exact = Param.boolean(
        "exact", default: false, doc: "Fail rather than take the nearest size or rate; the message lists what there is")
    package static let input = Param.string("videoInput", doc: "Number or name of the input, of devices with several")
        .optional
    package static let standard = Param.string("standard", doc: "Television standard of the input, or auto").optional
    package static let timings = Param.string(
        "timings", doc: "Digital timings of the input such as 1280x720@60, or auto"
    ).optional
    package static let controls = Param.object(
        "controls", doc: "Camera controls by name: exposure, gain, focus, white_balance, or any of `vpipe devices`"
    ).optional
    package static let buffers = Param.integer(
        "buffers", default: 6, range: 2...32, doc: "Driver's buffers; frames travel in them where the format allows")
    package static let stallAfter = Param.duration(
        "stallAfter", default: .seconds(2), seconds: 0.1...600,
        doc: "Time without a usable frame that counts as a loss; five frames at least")
    package static let wait = Param.boolean(
        "waitForDevice", default: false, doc: "Start without the camera and wait for it, rather than fail")

    package static let contract = Contract(
        "camera", aliases: ["v4l2"], knownElsewhereAs: ["webcam", "v4l2src", "usb"], .source,
        summary: "Reads a camera (V4L2)",
        details:
            "Frames carry the kernel's instant of capture, so latency is counted from there. Planar formats travel in "
            + "the driver's own buffers, others are converted or decoded once. A camera that is unplugged, stalls, fails or "
            + "is taken by another program is tried again with growing pauses; the report names and counts each loss.",
        parameters: [
            device, size, fps, format, exact, input, standard, timings, controls, buffers, ReconnectParams.onLost,
            stallAfter, ReconnectParams.deviceRetryMax, ReconnectParams.giveUp, wait,
        ],
        liveness: .always,
        examples: [
            .init("A webcam", #"{ "type": "camera", "device": "/dev/video0", "size": "1280x720", "fps": 30 }"#),
            .init(
                "Set exposure by hand",
                #"{ "type": "camera", "controls": { "exposure": 150, "gain": 10, "auto_white_balance": false } }"#),
        ],
        check: { settings in
            controlValues(settings).unusable.map {
                SettingsProblem(
                    parameter: "controls", message: "\"\($0)\" must be a number, true, false or the word of a menu")
            }
        })

    private let camera: Camera
    private let frames: LiveFrames
    private let isBlanked: Bool
    private var outages: OutageReporter
    private var flawed = 0

    package static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        let settings = cameraSettings(node.settings)
        let camera = Camera(settings)
        if !node.settings[wait] { try camera.connect() }
        return .source(
            CameraNode(
                camera, source: node.id, gate: context.gate, events: context.events,
                isBlanked: settings.pacesNoSignal))
    }

    /// What to open, as the parameters say it.
    package static func cameraSettings(_ given: Settings) -> Camera.Settings {
        var settings = Camera.Settings(device: given[device])
        settings.size = given[size].map { ($0.width, $0.height) }
        settings.rate = given[fps]?.perSecond
        settings.format = FourCC(given[format]).flatMap { given[format] == "auto" ? nil : $0 }
        settings.isExact = given[exact]
        settings.input = given[input]
        settings.standard = given[standard]
        settings.timings = given[timings]
        settings.controls = controlValues(given).values
        settings.buffers = given[buffers]
        settings.stallNanoseconds = ReconnectParams.nanoseconds(given[stallAfter])
        settings.longestRetryNanoseconds = ReconnectParams.nanoseconds(given[ReconnectParams.deviceRetryMax])
        settings.giveUpNanoseconds = ReconnectParams.giveUpNanoseconds(given)
        settings.pacesNoSignal = given[ReconnectParams.onLost] == .blank
        return settings
    }

    package init(_ camera: Camera, source: String, gate: AdmissionGate?, events: EventBox, isBlanked: Bool) {
        self.camera = camera
        outages = OutageReporter(source, events)
        let rate = FrameRate(perSecond: camera.rate).map { Rational($0.frames, $0.seconds) } ?? Rational(0, 1)
        frames = LiveFrames(source: source, frameRate: rate, gate: gate)
        self.isBlanked = isBlanked
        if isBlanked {
            frames.prepareBlank(Self.words(.absent), width: camera.size.width, height: camera.size.height)
        }
    }

    /// Compiling models takes seconds, in which the camera has been filling buffers.
    package func start(_ link: StageLink) { camera.skipToPresent() }

    package func produce(to output: Output) throws -> Production {
        let event = try camera.next()
        tell()
        switch event {
        case .interrupted: return .ended
        case .picture(let shot): return frames.picture(shot.picture, capturedAt: shot.capturedAt, to: output)
        case .noSignal(let fault):
            guard isBlanked else { return .more }
            return try frames.noSignal(
                Self.words(fault), width: camera.size.width, height: camera.size.height, to: output)
        }
    }

    /// Tells of losses and returns, and of frames that the driver lost or spoiled, since the last call.
    private func tell() {
        let seen = camera.statistics
        outages.note(losses: seen.outages.count, returns: seen.outages.returns, seen.outages.lastLoss)
        guard seen.flawed > flawed else { return }
        outages.post(.flawed, "frames lost or spoiled by the driver", count: seen.flawed - flawed)
        flawed = seen.flawed
    }

    package func interrupt() { camera.interrupt() }

    package var expectedFrames: Int? { nil }

    package var frameRate: Rational? { frames.frameRate }

    package var notes: [String] { camera.statistics.notes + frames.notes }

    // MARK: Settings

    /// What the pipeline gives controls, and the names of those whose value is of no use.
    private static func controlValues(
        _ settings: Settings
    ) -> (values: [String: CameraControlValue], unusable: [String]) {
        var values: [String: CameraControlValue] = [:]
        var unusable: [String] = []
        guard case .object(let members)? = settings[controls]?.value else { return (values, unusable) }
        for member in members {
            switch member.value.value {
            case .boolean(let value): values[member.key] = .boolean(value)
            case .string(let value): values[member.key] = .word(value)
            case .number(let number):
                if let value = number.integer {
                    values[member.key] = .integer(value)
                } else {
                    unusable.append(member.key)
                }
            default: unusable.append(member.key)
            }
        }
        return (values, unusable)
    }

    private static func words(_ fault: CameraFault) -> String {
        switch fault {
        case .absent, .unplugged: "the camera is not there"
        case .denied: "permission denied"
        case .busy: "another program has the camera"
        case .inputOutput: "input/output error"
        case .stalled: "the camera sends nothing"
        case .changed: "the signal changed"
        case .refused, .unsuited: "the camera cannot be set up"
        }
    }
}
