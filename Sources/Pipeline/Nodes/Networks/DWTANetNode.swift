// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Dataflow
internal import Inference
internal import Media
internal import Networks
internal import PipelineLanguage
internal import Vision

/// `dwtanet`: brightens and cleans dark video.
enum DWTANetNode: NodeType {
    /// The variant without a network.
    private static let denoise = ParamKind.Choice(
        "denoise", "no network and no weights: exposure and aggregation over time alone")

    /// Whether the picture is brightened by its own light.
    enum Exposure: String, CaseIterable, Sendable { case auto, off }

    /// Size of the pictures that come out.
    enum Size: String, CaseIterable, Sendable { case source, network }

    static let variant = NetworkParams.variant(.dwtaNet, and: [denoise], doc: "Network, or none")
    static let size = Param.size(
        "size", range: 32...4096,
        doc: "Size worked at, pictures are stretched to it; multiples of 4 for networks, which take what their weights "
            + "were made for or 640x360 when absent; denoise takes the picture's own"
    ).optional
    static let exposure = Param.choice(
        "exposure", default: Exposure.auto,
        docs: ["auto": "by the picture's brightest parts, smoothly over time", "off": "as it is"],
        doc: "How the picture is brightened before anything else")
    static let gain = Param.number(
        "gain", range: 1...128, doc: "Fixed factor on the light, in place of \"exposure\""
    ).optional
    static let maximumGain = Param.number(
        "maxGain", default: 32, range: 1...128, doc: "Largest factor on the light that automatic exposure uses")
    static let darkness = Param.number(
        "darkness", range: 0...255,
        doc: "Mean luma (0 to 255) below which frames are worked on, brighter ones pass untouched; a fifth and 4 above "
            + "it work ends again; all frames are worked on when absent"
    ).optional
    static let output = Param.choice(
        "output", default: Size.source,
        docs: [
            "source": "the picture's own; fine detail comes from the brightened picture",
            "network": "the size worked at",
        ], doc: "Size of the pictures that come out")
    static let checksFlow = Param.boolean(
        "checkFlow", default: false,
        doc: "Compute motion both ways and trust history only where both agree; costs as much again as motion")

    static let contract = Contract(
        "dwtanet", aliases: ["lowlight", "enhance"], .inference,
        summary: "Brightens and cleans dark video (DWTA-Net)",
        details: "Each frame is exposed, restored from itself and the two before it, blended with the past along its "
            + "motion, and refined. The history begins anew after a cut, a seek, a gap or a change of format. Frames are "
            + "worked on one after the other, so one node uses all cores for each. Results found before and after keep "
            + "the coordinates of the source frame.",
        parameters: [
            variant, NetworkParams.weights, size, NetworkParams.precision.fixed, exposure, gain, maximumGain, darkness,
            output,
            checksFlow,
        ],
        examples: [
            .init("Dark video, without weights", #"{ "type": "dwtanet", "input": "video", "variant": "denoise" }"#),
            .init(
                "A temporal denoiser that leaves brightness alone",
                #"{ "type": "dwtanet", "input": "video", "variant": "denoise", "exposure": "off" }"#),
            .init("At night only", #"{ "type": "dwtanet", "input": "video", "variant": "S", "darkness": 60 }"#),
        ],
        check: { settings in
            NetworkParams.weightsProblems(settings)
                + (settings[variant] == denoise.value ? [] : NetworkParams.sizeProblems(settings[size], of: .dwtaNet))
        })

    static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        let settings = node.settings
        var options = VideoEnhancer.Options()
        options.keepsSize = settings[output] == .source
        options.aggregation.checksConsistency = settings[checksFlow]
        if let gain = settings[gain] ?? (settings[exposure] == .off ? 1 : nil) {
            options.exposure = .fixed(Float(gain))
        } else {
            options.exposure = .automatic(limit: Float(settings[maximumGain]))
        }
        let gate = settings[darkness].map { DarknessGate(threshold: Float($0)) }
        let wanted = settings[size].map { InputSize(width: $0.width, height: $0.height) }
        guard settings[variant] != denoise.value else {
            let enhancer = VideoEnhancer(denoisingAt: wanted, options: options)
            let place = wanted.map { "at \($0)" } ?? "at the picture's size"
            return .node(
                EnhanceNode(
                    enhancer, gate: gate, summary: "aggregation over time \(place), no network",
                    failures: InferenceFailures(of: node.id, context.events)))
        }
        guard settings[NetworkParams.precision.fixed] != .int8 else {
            throw OutputError(
                "dwtanet loses more than 0.1 dB in 8 bits (docs/quantisation.md): \"precision\" is auto, f32 or bf16 here"
            )
        }
        let reason =
            settings[NetworkParams.precision.fixed] == .auto
            ? "f32, as 8 bits lose more than 0.1 dB and bf16 was no faster" : nil
        try NetworkParams.requireFiles(of: node, in: context)
        let model = try model(settings, size: wanted)
        let networks = try EnhancementNetworks(
            model.architecture, weights: model.weights, size: model.size, engine: context.engine,
            compile: CompileOptions(
                .single, cores: context.options.cores, precision: NetworkParams.precision(settings),
                cache: context.options.cache
            ))
        return .node(
            EnhanceNode(
                VideoEnhancer(networks, options: options), gate: gate,
                summary: model.summary(networks.enhance, reason: reason),
                failures: InferenceFailures(of: node.id, context.events)))
    }

    private static func model(_ settings: Settings, size: InputSize?) throws -> NodeModel {
        do {
            return try NodeModel(
                .dwtaNet, variant: settings[variant],
                weights: settings[NetworkParams.weights],
                size: size)
        } catch let error as MissingWeights {
            throw OutputError("\(error); or set \"variant\": \"denoise\", which needs none")
        }
    }
}

/// Runs an enhancer on the frames of one source and replaces their pictures, in frame order.
///
///     process: dark frame --submit--> [held ...] --advance: the oldest is ready--> frame with another picture
///              bright frame --------> [held ...] ------------------------------> the same frame
final class EnhanceNode: Node, ReportingNode {
    private struct Held {
        let frame: Frame
        let work: Work

        enum Work { case enhance, pass, failed }
    }

    private let enhancer: VideoEnhancer
    private var gate: DarknessGate?
    private let summary: String
    private var held: [Held] = []
    private var enhanced = 0
    private var passed = 0

    private var failures: InferenceFailures
    /// What the gate said of the last frame: one that could not be taken is offered again.
    private var judged: (ticket: Ticket, isDark: Bool)?

    init(_ enhancer: VideoEnhancer, gate: DarknessGate?, summary: String, failures: InferenceFailures) {
        self.failures = failures
        self.enhancer = enhancer
        self.gate = gate
        self.summary = summary
        held.reserveCapacity(maxHeld)
    }

    /// Without networks a frame is through at once; with them two are inside, and one that passes may wait behind.
    var maxHeld: Int { enhancer.capacity > 1 ? enhancer.capacity + 1 : 0 }

    func start(_ link: StageLink) throws { try enhancer.onCompletion { link.wake() } }

    func process(_ item: Item, to output: Output) throws -> Disposition {
        let frame = item.frame
        guard isDark(frame) else {
            // What passes by is not seen: history would be of another time.
            enhancer.reset()
            guard !held.isEmpty else {
                passed += 1
                output.forward()
                return .done
            }
            return hold(Held(frame: frame, work: .pass))
        }
        guard held.count < max(maxHeld, 1) else { return .busy }
        do {
            guard try enhancer.submit(frame.picture, at: frame.pts.seconds) else { return .busy }
        } catch {
            try failures.note(error)
            guard !held.isEmpty else {
                output.drop(frame.ticket, cause: .failed)
                return .done
            }
            return hold(Held(frame: frame, work: .failed))
        }
        if maxHeld == 0, let picture = try enhancer.next() {
            emit(frame, picture, to: output)
            return .done
        }
        return hold(Held(frame: frame, work: .enhance))
    }

    func advance(to output: Output) throws {
        while let oldest = held.first {
            switch oldest.work {
            case .enhance:
                do {
                    guard let picture = try enhancer.next() else { return }
                    failures.noteSuccess()
                    emit(oldest.frame, picture, to: output)
                    output.finish(oldest.frame.ticket)
                } catch {
                    output.drop(oldest.frame.ticket, cause: .failed)
                    try failures.note(error)
                }
            case .pass:
                passed += 1
                output.emit(oldest.frame)
                output.finish(oldest.frame.ticket)
            case .failed:
                output.drop(oldest.frame.ticket, cause: .failed)
            }
            held.removeFirst()
        }
    }

    func drain(to output: Output) throws -> Bool {
        try advance(to: output)
        return held.isEmpty
    }

    var notes: [String] {
        let counts = enhancer.counts
        var line = "enhanced \(enhanced) frames"
        if gate != nil { line += ", passed \(passed) bright ones through" }
        if counts.fresh > 0 { line += "; history begun \(NumberText.times(counts.fresh))" }
        if let gains = counts.gains {
            func text(_ gain: Float) -> String { "\((gain * 10).rounded() / 10)" }
            line += "; gain \(text(gains.lowerBound)) to \(text(gains.upperBound))"
        }
        return [summary, line] + [failures.summary].compactMap { $0 }
    }

    /// Whether the frame is to be worked on; its luma is measured once.
    func isDark(_ frame: Frame) -> Bool {
        guard gate != nil else { return true }
        if let judged, judged.ticket == frame.ticket { return judged.isDark }
        let isDark = gate?.admits(frame.picture) ?? true
        judged = (frame.ticket, isDark)
        return isDark
    }

    private func hold(_ entry: Held) -> Disposition {
        guard held.count < maxHeld else { return .busy }
        held.append(entry)
        return .held
    }

    private func emit(_ frame: Frame, _ picture: Picture, to output: Output) {
        enhanced += 1
        let map =
            picture.width == frame.picture.width && picture.height == frame.picture.height
            ? frame.map
            : frame.map.composed(with: ScaleNode.map(from: picture, to: frame.picture, fit: .stretch))
        output.emit(frame.replacing(picture: picture, map: map))
    }
}
