// SPDX-License-Identifier: Apache-2.0
public import Inference
public import PipelineLanguage

extension NodeRegistry {
    /// Adds a node type that takes one frame and returns one or none.
    ///
    /// - Throws: `ContractError` when one of its names is taken, or when its contract contradicts itself.
    public mutating func register<Processor: FrameProcessor>(_ type: Processor.Type) throws(ContractError) {
        let contract = Processor.contract
        guard contract.inputs.count == 1, contract.inputs[0].count == 1...1, contract.outputs.count <= 1 else {
            throw ContractError(
                type: contract.type, problems: ["a FrameProcessor has one required input and at most one output"])
        }
        try register(contract) { node, context in
            .node(ProcessorNode(try Processor(node.settings, context)))
        }
    }
}

extension PipelineRun {
    /// Reads a pipeline file, checks it, and opens everything it names.
    ///
    /// - Parameters:
    ///   - path: the file; `-` is standard input.
    ///   - registry: the node types it may use.
    ///   - overrides: values that replace those of the file, as `node.parameter=value`.
    ///   - engine: runs the networks; opened when the first of them is built. OpenVINO by default.
    ///   - options: how the run may use the machine and the disk.
    /// - Throws: `PipelineFileError` with every mistake in the file, or ``PipelineRunError`` naming the node that cannot
    ///   work and why.
    public convenience init(
        file path: String, registry: NodeRegistry, overrides: [String] = [],
        engine: @escaping @autoclosure BuildContext.EngineSource = try OpenVINOEngine.shared(),
        options: BuildContext.Options = .init()
    ) throws {
        try self.init(
            PipelineFile(path: path), registry: registry, overrides: overrides, engine: try engine(), options: options)
    }

    /// Checks a pipeline held in memory, and opens everything it names; see ``init(file:registry:overrides:engine:options:)``.
    public convenience init(
        _ file: PipelineFile, registry: NodeRegistry, overrides: [String] = [],
        engine: @escaping @autoclosure BuildContext.EngineSource = try OpenVINOEngine.shared(),
        options: BuildContext.Options = .init()
    ) throws {
        let pipeline = try file.validated(against: registry.contracts, overrides: overrides)
        try self.init(pipeline, registry: registry, engine: try engine(), options: options)
    }

    /// The frames that leave a node's first output, with everything found in them so far.
    ///
    /// Call it before ``run()`` to get every frame, or at any time during the run. Nothing is copied, and a pipeline whose
    /// frames nobody reads pays one load a frame.
    /// - Parameters:
    ///   - node: id of a node of the pipeline that leads to a sink; a mistake here is the program's and traps.
    ///   - buffering: what happens to frames that the reader has not taken yet.
    /// - Note: Thread-safety: may be called from any thread.
    public func frames(from node: String, buffering: FrameBuffering = .newest(1)) -> FrameStream {
        let stream = FrameStream(buffering: buffering)
        attach(stream.queue, to: node)
        return stream
    }
}
