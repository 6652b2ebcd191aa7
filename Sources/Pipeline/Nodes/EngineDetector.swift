// SPDX-License-Identifier: Apache-2.0
internal import Inference
internal import Media
internal import Networks
internal import Vision

/// A network on the engine with its pre- and post-processing: what `DetectNode` runs.
final class EngineDetector<Decoder: OutputDecoder>: PictureDetector {
    private let pool: RequestPool
    private let preprocessor: Preprocessor
    private let decoder: Decoder
    private let wrap: (Decoder.Output) -> FrameResult
    private var placements: [Placement?]
    let summary: String

    /// Compiles `model` and prepares its requests.
    init(
        _ model: NodeModel, precision: Precision, context: BuildContext, filter: Preprocessor.Filter,
        decoder: (CompiledModel) throws -> Decoder, wrap: @escaping (Decoder.Output) -> FrameResult
    ) throws {
        let architecture = model.architecture
        let source = ModelSource(
            name: architecture.network, onnx: try architecture.onnx(at: model.size, weights: model.weights))
        let options = CompileOptions.automatic(
            cores: context.options.cores, precision: precision, cache: context.options.cache)
        let compiled = try OpenVINOEngine.shared().compile(source, options: options)
        pool = try RequestPool(model: compiled)
        preprocessor = Preprocessor(size: model.size, normalisation: architecture.normalisation, filter: filter)
        self.decoder = try decoder(compiled)
        self.wrap = wrap
        placements = Array(repeating: nil, count: pool.requests.count)
        let settings = compiled.settings
        let state = model.weights.metadata["state"] == "preview" ? " (preview weights: weak)" : ""
        summary = "\(architecture.network) \(architecture.variant) at \(model.size), \(settings.engineFloat), "
            + "\(settings.streams) streams of \(settings.threads) threads, \(model.path)\(state)"
    }

    var capacity: Int { pool.requests.count }

    func onCompletion(_ wake: @escaping @Sendable () -> Void) throws { try pool.onCompletion(wake) }

    func submit(_ picture: Picture) throws -> Bool {
        guard let slot = pool.acquire() else { return false }
        let tensor = slot.request.inputs[0].floats
        placements[slot.index] = preprocessor.fill(tensor, from: picture)
        try pool.submit(slot)
        return true
    }

    func nextResult() throws -> FrameResult? {
        guard let (slot, failure) = pool.nextCompleted() else { return nil }
        defer { pool.release(slot) }
        if let failure { throw failure }
        guard let placement = placements[slot.index] else { preconditionFailure("a submitted request has a placement") }
        return wrap(decoder.decode(slot.request.outputs, placement: placement))
    }
}
