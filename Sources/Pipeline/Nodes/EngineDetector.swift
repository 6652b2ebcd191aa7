// SPDX-License-Identifier: Apache-2.0
internal import Inference
internal import Media
internal import Networks
internal import Vision

/// Vision's detector as `DetectNode` runs it: its output wrapped as a frame's result, and a line for the report.
final class EngineDetector<Decoder: OutputDecoder>: PictureDetector {
    private let detector: Detector<Decoder>
    private let wrap: (Decoder.Output) -> FrameResult
    let summary: String

    /// For a network that the catalogue does not know; `summary` describes it in the report.
    init(_ detector: Detector<Decoder>, _ summary: String, wrap: @escaping (Decoder.Output) -> FrameResult) {
        self.detector = detector
        self.summary = summary
        self.wrap = wrap
    }

    convenience init(
        _ detector: Detector<Decoder>, _ model: NodeModel, wrap: @escaping (Decoder.Output) -> FrameResult
    ) {
        let settings = detector.model.settings
        let state = model.weights.metadata["state"] == "preview" ? " (preview weights: weak)" : ""
        let summary =
            "\(model.architecture.network) \(model.architecture.variant) at \(model.size), \(settings.engineFloat), "
            + "\(settings.streams) streams of \(settings.threads) threads in all, \(model.path)\(state)"
        self.init(detector, summary, wrap: wrap)
    }

    var capacity: Int { detector.capacity }

    var paritySubject: ParitySubject? {
        ParitySubject(preprocessor: detector.preprocessor, model: detector.model) {
            [detector, wrap] outputs, placement in
            wrap(detector.decoder.decode(outputs, placement: placement))
        }
    }

    func onCompletion(_ wake: @escaping @Sendable () -> Void) throws { try detector.onCompletion(wake) }

    func submit(_ picture: Picture) throws -> Bool { try detector.submit(picture) }

    func nextResult() throws -> FrameResult? { try detector.nextCompleted().map(wrap) }
}

extension BuildContext {
    /// How a node's network is compiled for this run.
    func compileOptions(_ precision: Precision) -> CompileOptions {
        .automatic(cores: options.cores, precision: precision, cache: options.cache)
    }
}
