// SPDX-License-Identifier: Apache-2.0
public import Networks

/// One way to run a network, to be compared with another.
public protocol NetworkRunner: Sendable {
    /// For reports: `OpenVINO f32`.
    var name: String { get }

    /// The outputs by name for inputs by name; indices come as floats.
    func run(_ network: Network, weights: Weights, inputs: [String: [Float]]) throws -> [String: [Float]]
}

/// Plain loops in Swift: slow, and right by inspection.
public struct PlainRunner: NetworkRunner {
    /// For reports.
    public let name = "plain loops"

    /// Nothing to choose.
    public init() {}

    /// Runs the network with ``ReferenceExecutor``.
    public func run(
        _ network: Network, weights: Weights, inputs: [String: [Float]]
    ) throws(NetworkError) -> [String: [Float]] {
        try ReferenceExecutor(network: network, weights: weights).run(inputs)
    }
}

/// An engine in one precision.
public struct EngineRunner: NetworkRunner {
    private let engine: any InferenceEngine
    private let precision: Precision

    /// Names engine and precision; ``run(_:weights:inputs:)`` refuses a precision that the processor lacks.
    public init(_ engine: any InferenceEngine, precision: Precision) {
        self.engine = engine
        self.precision = precision
    }

    /// For reports: `OpenVINO f32`.
    public var name: String { "\(engine.name) \(precision.rawValue)" }

    /// Compiles the network and runs it once.
    ///
    /// - Throws: `NetworkError` (weights), `InferenceError`; `unsupportedModel` where the engine falls back to another
    ///   precision.
    public func run(_ network: Network, weights: Weights, inputs: [String: [Float]]) throws -> [String: [Float]] {
        let source = ModelSource(
            name: "\(network.name) \(network.variant)", onnx: try network.onnxAsIs(weights: weights))
        let model = try engine.compile(
            source, options: CompileOptions(.single, cores: 2, precision: precision, cache: .off))
        guard model.settings.precision == precision else {
            throw InferenceError(
                .unsupportedModel, operation: name,
                detail: "this processor has no \(precision.rawValue): the engine runs \(model.settings.engineFloat)")
        }
        let request = try model.makeRequest()
        for tensor in request.inputs {
            guard let values = inputs[tensor.info.name], values.count == tensor.info.count else {
                throw InferenceError(.inferenceFailed, operation: tensor.info.description, detail: "has no input")
            }
            _ = tensor.floats.update(fromContentsOf: values)
        }
        try request.run()
        return Dictionary(
            zip(model.outputs.map(\.name), request.outputs.map { $0.numbers() }),
            uniquingKeysWith: { first, _ in first })
    }
}

extension TensorBuffer {
    /// A copy of the elements that are there, as 32-bit floats, for comparing and storing.
    package func numbers() -> [Float] {
        let count = shape.reduce(1, *)
        return info.element == .f32 ? Array(floats.prefix(count)) : (0..<count).map { number(at: $0) }
    }

    /// One element as a 32-bit float, the nearest where it is wider.
    @inline(__always)
    package func number(at index: Int) -> Float {
        switch info.element {
        case .f32: base.load(fromByteOffset: index &* 4, as: Float.self)
        case .i64: Float(base.load(fromByteOffset: index &* 8, as: Int64.self))
        case .i32: Float(base.load(fromByteOffset: index &* 4, as: Int32.self))
        case .u8: Float(base.load(fromByteOffset: index, as: UInt8.self))
        case .i8: Float(base.load(fromByteOffset: index, as: Int8.self))
        case .f16: HalfFloat.float(base.load(fromByteOffset: index &* 2, as: UInt16.self))
        case .bf16: Float(bitPattern: UInt32(base.load(fromByteOffset: index &* 2, as: UInt16.self)) << 16)
        }
    }
}
