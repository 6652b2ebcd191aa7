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
        return try Dictionary(
            zip(model.outputs.map(\.name), request.outputs.map { try $0.numbers() }),
            uniquingKeysWith: { first, _ in first })
    }
}

extension TensorBuffer {
    /// A copy of the elements as 32-bit floats, for comparing and storing: f32, i32, i64 and u8 tensors.
    ///
    /// - Throws: `unsupportedModel` for other element types.
    package func numbers() throws(InferenceError) -> [Float] {
        func converted<Number: BinaryInteger>(_ type: Number.Type) -> [Float] {
            bytes.bindMemory(to: type).map { Float($0) }
        }
        switch info.element {
        case .f32: return Array(floats)
        case .i64: return converted(Int64.self)
        case .i32: return converted(Int32.self)
        case .u8: return converted(UInt8.self)
        default:
            throw InferenceError(
                .unsupportedModel, operation: info.name, detail: "\(info.element.rawValue) is not read here")
        }
    }
}
