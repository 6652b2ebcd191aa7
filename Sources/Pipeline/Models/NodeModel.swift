// SPDX-License-Identifier: Apache-2.0
public import Networks

/// The architecture, weights and input size that an inference node ends up with.
public struct NodeModel: Sendable {
    /// The network.
    public let architecture: Architecture
    /// Its weights.
    public let weights: Weights
    /// Where they come from, for messages.
    public let path: String
    /// Size of the network's input.
    public let size: InputSize

    /// What stands for the best weights that are installed, in place of a path.
    public static let defaultWeights = "default"

    /// Puts together what is already known; a nil size is the one the weights were made for.
    public init(_ architecture: Architecture, _ weights: Weights, path: String, size: InputSize?) {
        self.architecture = architecture
        self.weights = weights
        self.path = path
        self.size =
            size ?? weights.metadata[Weights.MetadataKey.inputSize].flatMap { InputSize($0) }
            ?? architecture.defaultSize
    }

    /// The same in 8 bits, as the record beside the weights says.
    ///
    /// - Throws: a sentence where there is no record, or it is damaged, newer or of other weights.
    package func quantised() throws -> NodeModel {
        guard let record = try QuantisationRecord.read(besides: path, for: weights) else {
            throw OutputError(
                "\(path): nothing was measured of these weights in 8 bits; \"vpipe models quantize "
                    + "\(architecture.network) --data FOLDER\" does")
        }
        return try quantised(by: record)
    }

    /// The same in 8 bits, by a record that was read.
    package func quantised(by record: QuantisationRecord) throws -> NodeModel {
        NodeModel(architecture, try record.applied(to: weights, of: architecture), path: path, size: size)
    }

    /// The same with the input's sides divided, up to the next size that the network takes.
    package func downscaled(by factor: Int) -> NodeModel {
        let wanted = InputSize(width: size.width / factor, height: size.height / factor)
        let sizes = architecture.sizes
        return NodeModel(
            architecture, weights, path: path,
            size: sizes.allows(wanted) ? wanted : sizes.nearest(to: wanted).last ?? size)
    }

    /// Chooses by a node's settings.
    ///
    /// - Parameters:
    ///   - family: the network.
    ///   - variant: its name in the family.
    ///   - path: a file (`.safetensors`, or an official release); nil or `defaultWeights` for the best installed.
    ///   - size: nil takes what the weights were made for.
    ///   - store: where installed weights are looked for.
    /// - Throws: a sentence that names the file, or the commands that would provide weights.
    public init(
        _ family: NetworkFamily, variant: String, weights path: String?, size: InputSize?,
        store: @autoclosure () -> ModelStore = ModelStore()
    ) throws {
        let found: Weights
        let origin: String
        if let path, path != Self.defaultWeights {
            found =
                path.hasSuffix(".safetensors")
                ? try SafeTensors.read(path: path)
                : try ModelImporter.read(path: path, network: family.name, variant: nil).weights
            origin = path
        } else if let entry = store().best(family, variant: variant, size: size) {
            found = try SafeTensors.read(path: entry.path)
            origin = entry.path
        } else {
            throw MissingWeights(network: family.name, variant: variant)
        }
        if let other = found.metadata[Weights.MetadataKey.network], other != family.name {
            throw OutputError("\(origin): weights of \(other), not of \(family.name)")
        }
        // The file knows its release family better than the user does.
        let actual = found.metadata[Weights.MetadataKey.variant] ?? variant
        guard family.serves(actual, for: variant) else {
            throw OutputError("\(origin): weights of \(family.name) \(actual), but \"variant\" is \"\(variant)\"")
        }
        self.init(try family.architecture(actual), found, path: origin, size: size)
    }
}

/// There are no weights for a node; says what would provide some.
package struct MissingWeights: Error, CustomStringConvertible {
    package let network: String
    package let variant: String

    package var description: String {
        "no weights for \(network) \(variant) are installed; import an official release with \"vpipe models import FILE\" "
            + "or train your own with \"python -m vpipe_training train \(network)\" (training/README.md) and name the file "
            + "as \"weights\"; \"vpipe models list\" shows what is there"
    }
}
