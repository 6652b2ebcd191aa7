// SPDX-License-Identifier: Apache-2.0
public import Inference
public import Networks

/// DWTA-Net's two networks, compiled at one size, with the requests that one video needs.
///
/// Stage I has two requests that take turns: the next frame is written into one while the other runs, and the features
/// of the frame before are read where that request left them.
/// - Note: Thread-safety: confined to the queue of its user; only completions run on a thread of the engine.
public final class EnhancementNetworks {
    /// Stage I, compiled.
    public let enhance: CompiledModel
    /// Stage II's refinement, compiled.
    public let refine: CompiledModel
    /// Size of the images.
    public let size: InputSize

    private let enhancers: [InferRequest]
    private let refiner: InferRequest
    private let ports: Ports
    private let cellFlow: FlowField

    /// Positions of the tensors among a model's.
    private struct Ports {
        let frame, features1, features2, estimate, features: Int
        let current, blend, omega, refined: Int
    }

    /// Builds both networks at a size and compiles them.
    ///
    /// - Parameter architecture: an entry of the catalogue of DWTA-Net.
    /// - Throws: `VisionError`, `NetworkError` (size, weights), `InferenceError`.
    public init(
        _ architecture: Architecture, weights: Weights, size: InputSize? = nil, engine: any InferenceEngine,
        compile: CompileOptions
    ) throws {
        guard let variant = (architecture.definition as? DWTANet)?.variant else {
            throw VisionError(
                .architecture,
                "video is enhanced by \"\(DWTANet.family.name)\", not by "
                    + "\"\(architecture.network) \(architecture.variant)\"")
        }
        let size = size ?? architecture.defaultSize
        func model(_ stage: DWTANet.Stage, _ name: String) throws -> CompiledModel {
            let network = try DWTANet(variant, stage: stage).network(at: size)
            return try engine.compile(
                ModelSource(
                    name: "\(architecture.network) \(variant.rawValue) \(name) \(size)",
                    onnx: try network.onnx(weights: weights)),
                options: compile)
        }
        self.size = size
        enhance = try model(.enhance, "stage I")
        refine = try model(.refine, "stage II")
        let image = [1, 3, size.height, size.width]
        let cells = (width: size.width / DWTANet.cell, height: size.height / DWTANet.cell)
        let maps = [1, DWTANet(variant).featureChannels, cells.height, cells.width]
        ports = Ports(
            frame: try enhance.inputs.position(of: "frame", shape: image),
            features1: try enhance.inputs.position(of: "features1", shape: maps),
            features2: try enhance.inputs.position(of: "features2", shape: maps),
            estimate: try enhance.outputs.position(of: "estimate", shape: image),
            features: try enhance.outputs.position(of: "features", shape: maps),
            current: try refine.inputs.position(of: "current", shape: image),
            blend: try refine.inputs.position(of: "blend", shape: image),
            omega: try refine.inputs.position(of: "omega", shape: [1, 1, size.height, size.width]),
            refined: try refine.outputs.position(of: "refined", shape: image))
        enhancers = [try enhance.makeRequest(), try enhance.makeRequest()]
        refiner = try refine.makeRequest()
        cellFlow = FlowField(width: cells.width, height: cells.height)
        for request in enhancers + [refiner] { try request.onCompletion {} }
    }

    /// Names who is woken after each inference.
    ///
    /// Call while nothing runs.
    public func onCompletion(_ wake: @escaping @Sendable () -> Void) throws(InferenceError) {
        for request in enhancers + [refiner] { try request.onCompletion(wake) }
    }

    // MARK: - Stage I

    /// Where the frame of a turn goes: `[3, h, w]`, not while that turn runs.
    func frame(_ turn: Int) -> MutableFloatPlanes { planes(enhancers[turn].inputs[ports.frame]) }

    /// Starts stage I of a turn; features of the turn before come along `flow`, none where it is nil.
    func startEnhancing(_ turn: Int, along flow: FlowField?) throws(InferenceError) {
        let request = enhancers[turn]
        let targets = [ports.features1, ports.features2].map { planes(request.inputs[$0]) }
        if let flow {
            let past = enhancers[1 - turn]
            flow.reduce(by: DWTANet.cell, into: cellFlow)
            // The older features were warped to the turn before already; once more brings them here.
            Warp.sample(planes(past.outputs[ports.features]).readOnly, along: cellFlow, into: targets[0])
            Warp.sample(planes(past.inputs[ports.features1]).readOnly, along: cellFlow, into: targets[1])
        } else {
            for target in targets { target.base.update(repeating: 0, count: target.count) }
        }
        try request.start()
    }

    /// Whether stage I of a turn is over.
    func hasEnhanced(_ turn: Int) -> Bool { enhancers[turn].isDone }

    /// What stage I of a turn made.
    func estimate(_ turn: Int) throws(InferenceError) -> FloatPlanes {
        try enhancers[turn].finish()
        return planes(enhancers[turn].outputs[ports.estimate]).readOnly
    }

    // MARK: - Stage II

    /// Starts the refinement of what the aggregation made.
    func startRefining(current: FloatPlanes, blend: FloatPlanes, weights: FloatPlanes) throws(InferenceError) {
        for (port, source) in [(ports.current, current), (ports.blend, blend), (ports.omega, weights)] {
            planes(refiner.inputs[port]).base.update(from: source.base, count: source.count)
        }
        try refiner.start()
    }

    /// Whether the refinement is over.
    var hasRefined: Bool { refiner.isDone }

    /// What the refinement made; valid until the next one starts.
    func refined() throws(InferenceError) -> FloatPlanes {
        try refiner.finish()
        return planes(refiner.outputs[ports.refined]).readOnly
    }

    private func planes(_ tensor: TensorBuffer) -> MutableFloatPlanes {
        let shape = tensor.info.shape
        return MutableFloatPlanes(
            base: tensor.base.assumingMemoryBound(to: Float.self), channels: shape[1], width: shape[3],
            height: shape[2])
    }
}
