// SPDX-License-Identifier: Apache-2.0
public import Networks

/// Runs a network in f32 and notes the range of every value that a convolution reads.
///
/// - Note: Thread-safety: confined.
public final class RangeObserver {
    private let request: InferRequest
    private let names: [String]
    private let inputName: String
    private var lows: [String: [Float]] = [:]
    private var highs: [String: [Float]] = [:]
    /// Inputs looked at.
    public private(set) var count = 0

    /// Prepares a network of one input.
    ///
    /// - Throws: `NetworkError` where the weights do not fit, `InferenceError`.
    public init(
        _ network: Network, weights: Weights, engine: any InferenceEngine, compile: CompileOptions
    ) throws {
        let (folded, numbers) = try network.foldedModel(weights)
        let observed = folded.convolutionInputs
        let source = ModelSource(
            name: "\(network.name) \(network.variant), observed", onnx: try observed.onnxAsIs(weights: numbers))
        var options = compile
        options.precision = .f32
        request = try engine.compile(source, options: options).makeRequest()
        names = observed.outputs.map(\.name)
        inputName = observed.inputs.first?.name ?? ""
    }

    /// Runs the network on what `body` fills the input with.
    public func observe(filling body: (UnsafeMutableBufferPointer<Float>) -> Void) throws(InferenceError) {
        body(request.inputs[0].floats)
        note(inputName, request.inputs[0].floats)
        try request.run()
        for tensor in request.outputs where names.contains(tensor.info.name) { note(tensor.info.name, tensor.floats) }
        count += 1
    }

    private func note(_ name: String, _ values: UnsafeMutableBufferPointer<Float>) {
        var (low, high) = (Float.infinity, -Float.infinity)
        for value in values {
            low = min(low, value)
            high = max(high, value)
        }
        lows[name, default: []].append(low)
        highs[name, default: []].append(high)
    }

    /// The ranges so far: the least and the largest number of each input, averaged over the inputs.
    ///
    /// The average leaves rare peaks out, which costs less than steps that are coarse for all the rest.
    public var ranges: [String: ValueRange] {
        var result: [String: ValueRange] = [:]
        for (name, low) in lows {
            guard let high = highs[name], !low.isEmpty else { continue }
            let range = ValueRange(
                low.reduce(0, +) / Float(low.count), high.reduce(0, +) / Float(high.count))
            if range.isSound { result[name] = range }
        }
        return result
    }
}
