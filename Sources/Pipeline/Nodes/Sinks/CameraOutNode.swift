// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Camera
internal import Dataflow
internal import Media
internal import PipelineLanguage

/// `camera-out`: a webcam for other programs.
final class CameraOutNode: Node, NodeType, ReportingNode {
    static let device = Param.path(
        "device", role: .peer, synonyms: ["path"],
        doc: "v4l2loopback device, such as /dev/video9; `vpipe devices` lists them")
    static let format = Param.choice(
        "format", default: CameraOutput.Format.yuyv,
        docs: ["YUYV": "read by every program", "YU12": "4:2:0, cheaper", "NV12": "4:2:0, cheaper"],
        doc: "How pictures are stored in the device")

    static let contract = Contract(
        "camera-out", .sink, summary: "Shows frames to other programs as a webcam (v4l2loopback)",
        details:
            "Load the module first: `sudo modprobe v4l2loopback video_nr=9 card_label=vpipe exclusive_caps=1` (Debian: "
            + "v4l2loopback-dkms). The first frame sets the size, which is made even and kept; other sizes are fitted into "
            + "it. The device never holds the pipeline up: frames it does not take are counted.",
        parameters: [device, format], discloses: { _ in .pictures },
        examples: [.init("After an overlay", #"{ "type": "camera-out", "input": "overlay", "device": "/dev/video9" }"#)]
    )

    private let camera: CameraOutput
    private var outages: OutageReporter

    static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        let rate = context.frameRate(of: node)?.value
        let camera = try CameraOutput(node.settings[device], format: node.settings[format], rate: rate)
        return .node(CameraOutNode(camera, node.id, context.events))
    }

    static func makeTrial(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        .node(CameraOutNode(CameraOutput(discarding: node.settings[format]), node.id, context.events))
    }

    init(_ camera: CameraOutput, _ id: String, _ events: EventBox) {
        self.camera = camera
        outages = OutageReporter(id, events)
    }

    func process(_ item: Item, to output: Output) throws -> Disposition {
        let isTaken = try camera.write(item.frame.picture)
        let seen = camera.statistics
        outages.note(losses: seen.losses, returns: seen.returns, seen.lastLoss)
        if !isTaken { output.drop(item.ticket, cause: .edgeFull) }
        return .done
    }

    var notes: [String] {
        let seen = camera.statistics
        var notes = ["\(seen.mode.isEmpty ? "" : seen.mode + ", ")\(seen.written) frames written"]
        if seen.refused > 0 { notes.append("\(seen.refused) frames not taken by the device") }
        if seen.losses > 0 {
            let recovered = seen.returns == 0 ? "not recovered" : "recovered \(NumberText.times(seen.returns))"
            notes.append(
                "device lost \(NumberText.times(seen.losses)), \(recovered); last: \(seen.lastLoss ?? "")")
        }
        return notes + [seen.advice].compactMap { $0 }
    }
}
