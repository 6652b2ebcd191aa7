// SPDX-License-Identifier: Apache-2.0

/// Quantisation that needs no pictures: all it knows is what batch normalisation learned.
///
/// Channels are equalised across layers, high biases absorbed, ranges taken from the normalisations' means and
/// deviations, and the shift of the means that rounding the kernels brings is taken out of the biases.
///
/// - Note: Source: Nagel, van Baalen, Blankevoort, Welling: "Data-Free Quantization Through Weight Equalization and Bias
///   Correction", ICCV 2019. ReLU6 is kept, so that channels are not equalised across it; kernels have one scale per
///   output channel.
/// - Note: Thread-safety: a value.
public struct DataFreeQuantisation: Sendable {
    /// The folded network that ``weights`` belong to.
    public let network: Network
    /// Folded weights, equalised, biases corrected.
    public let weights: Weights
    /// Ranges of everything that is known of.
    public let quantisation: Quantisation

    /// Quantises `network`, as its architecture builds it.
    ///
    /// - Parameters:
    ///   - weights: trained ones, with batch normalisations.
    ///   - normalisation: tells the range of the input.
    ///   - floatBlocks: blocks that stay in floating point.
    /// - Throws: `NetworkError` with code `.weights`; `.unsupported` where there are no statistics.
    public init(
        _ network: Network, weights: Weights, normalisation: InputNormalisation, floatBlocks: Set<String> = []
    ) throws(NetworkError) {
        var model = try FoldedModel(network, weights: weights)
        model.equalise()
        model.absorbBiases()
        quantisation = Quantisation(ranges: model.ranges(normalisation), floatBlocks: floatBlocks)
        model.correctBiases(quantisation, normalisation)
        self.network = model.network
        self.weights = model.current
    }
}
