// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Inference
internal import Media
internal import Networks
internal import Vision

/// Vision's detector as `DetectNode` runs it: its output wrapped as a frame's result, and a line for the report.
final class EngineDetector<Network: PictureNetwork>: PictureDetector {
    private let detector: Network
    private let wrap: (Network.Output) -> FrameResult
    let summary: String

    /// For a network that the catalogue does not know; `summary` describes it in the report.
    init(_ detector: Network, _ summary: String, wrap: @escaping (Network.Output) -> FrameResult) {
        self.detector = detector
        self.summary = summary
        self.wrap = wrap
    }

    /// For a network of the catalogue; `note` adds to its description.
    convenience init(
        _ detector: Network, _ model: NodeModel, note: String? = nil,
        wrap: @escaping (Network.Output) -> FrameResult
    ) {
        let settings = detector.model.settings
        let isPreview = model.weights.metadata[Weights.MetadataKey.state] == Weights.State.preview
        let summary =
            "\(model.architecture.network) \(model.architecture.variant) at \(model.size)\(note.map { ", \($0)" } ?? ""), "
            + "\(settings.engineFloat), \(settings.streams) streams of \(settings.threads) threads in all, \(model.path)"
            + (isPreview ? " (preview weights: weak)" : "")
        self.init(detector, summary, wrap: wrap)
    }

    var capacity: Int { detector.capacity }

    var stages: PictureStages<FrameResult>? { detector.stages?.map(wrap) }

    func onCompletion(_ wake: @escaping @Sendable () -> Void) throws { try detector.onCompletion(wake) }

    func submit(_ picture: Picture) throws -> Bool { try detector.submit(picture) }

    func nextResult() throws -> FrameResult? { try detector.nextCompleted().map(wrap) }
}
