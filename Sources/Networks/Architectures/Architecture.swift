// SPDX-License-Identifier: Apache-2.0

/// One entry of the catalogue: an architecture in one variant, buildable at any size it allows.
///
/// - Note: Thread-safety: an immutable value.
public struct Architecture: Sendable {
    /// What builds it.
    public let definition: any NetworkDefinition
    /// What it is one of.
    public var family: NetworkFamily { type(of: definition).family }
    /// The network's name: `mlsd`, `retinaface`.
    public var network: String { family.name }
    /// The variant's name, unique within the network.
    public var variant: String { definition.variantName }
    /// What it finds, in one line.
    public var summary: String { family.summary }
    /// Authors, title, venue.
    public var paper: String { family.paper }
    /// Where the reference code is and under which licence.
    public var reference: String { definition.reference }
    /// The size used when none is asked for.
    public var defaultSize: InputSize { family.defaultSize }
    /// The sizes it can be built at.
    public var sizes: SizeRule { family.sizes }
    /// How an image becomes its input.
    public var normalisation: InputNormalisation { family.normalisation }

    /// The entry of a network.
    public init(_ definition: any NetworkDefinition) { self.definition = definition }

    /// Builds the network at a size, at the default one when nil.
    ///
    /// - Parameters:
    ///   - weights: what the network is going to hold; where it is trained for any number of classes, they tell it.
    /// - Throws: `NetworkError.Code.size` naming the nearest possible sizes.
    public func build(at size: InputSize? = nil, for weights: Weights? = nil) throws(NetworkError) -> Network {
        let definition = weights.map { self.definition.adapted(to: $0) } ?? self.definition
        return try definition.network(at: size ?? defaultSize)
    }

    /// The ONNX model at a size with weights inside: the one call from weights to an engine.
    ///
    /// - Parameter metadata: written into the model for readers; engines ignore it.
    /// - Throws: `NetworkError` with code `.size` or `.weights`.
    public func onnx(
        at size: InputSize? = nil, weights: Weights, metadata: [String: String] = [:]
    ) throws(NetworkError) -> [UInt8] {
        try build(at: size, for: weights).onnx(weights: weights, metadata: metadata)
    }

    /// The ONNX model to train: every head, and batch normalisations as layers of their own.
    ///
    /// Weights whose normalisations are folded already, such as a teacher's, give the folded network.
    ///
    /// - Parameter metadata: written into the model for readers; engines ignore it.
    /// - Throws: `NetworkError` with code `.size` or `.weights`.
    public func trainingONNX(
        at size: InputSize? = nil, weights: Weights, metadata: [String: String] = [:]
    ) throws(NetworkError) -> [UInt8] {
        let network = try definition.supervised.adapted(to: weights).network(at: size ?? defaultSize)
        let folded = network.folded
        return try folded.check(weights).isComplete
            ? folded.onnxAsIs(weights: weights, metadata: metadata)
            : network.onnxAsIs(weights: weights, metadata: metadata)
    }

    /// All architectures, in the order `vpipe models list` shows them.
    ///
    /// The light detectors are listed at their usual width; `find` builds entries of other widths.
    public static let all: [Architecture] = NetworkFamily.all.flatMap(\.architectures)

    /// Finds an entry; `mobilenet` variants exist in every width that can be built.
    ///
    /// - Throws: `NetworkError.Code.unknown` naming the choices.
    public static func find(_ network: String, _ variant: String) throws(NetworkError) -> Architecture {
        try NetworkFamily.named(network).architecture(variant)
    }
}
