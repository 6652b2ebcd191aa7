// SPDX-License-Identifier: Apache-2.0

/// Named tensors and what is known of their origin.
///
/// - Note: Thread-safety: a value; tensors share their bytes until changed.
public struct Weights: Sendable, Hashable {
    /// Keys in the order they were added.
    public private(set) var names: [String] = []
    private var tensors: [String: Tensor] = [:]
    /// Free text by key; `MetadataKey` lists the ones written here.
    public var metadata: [String: String] = [:]
    /// What makes a network of these weights one of 8-bit convolutions; nil for floating point throughout.
    ///
    /// Files do not hold it: see ``QuantisationRecord``.
    public var quantisation: Quantisation?

    /// No tensors.
    public init() {}

    /// How many tensors there are.
    public var count: Int { names.count }

    /// The tensor of a name; setting nil removes it.
    public subscript(name: String) -> Tensor? {
        get { tensors[name] }
        set {
            let isKnown = tensors.updateOrRemove(name, newValue)
            if newValue != nil, !isKnown { names.append(name) }
            if newValue == nil, isKnown { names.removeAll { $0 == name } }
        }
    }

    /// Total numbers of the floating-point tensors.
    public var floatCount: Int {
        tensors.values.reduce(0) { $0 + ($1.type.isFloatingPoint ? $1.count : 0) }
    }

    /// The same tensors with every float tensor stored as `type` (f32 or f16).
    public func converted(to type: ElementType) -> Weights {
        var result = self
        for name in names {
            if let tensor = tensors[name], tensor.type.isFloatingPoint, let other = tensor.converted(to: type) {
                result.tensors[name] = other
            }
        }
        return result
    }

    /// Metadata keys of files written by `vpipe models import` and `export`.
    public enum MetadataKey {
        /// Catalogue name.
        public static let network = "network"
        /// Catalogue variant.
        public static let variant = "variant"
        /// SPDX identifier of the weights' licence.
        public static let licence = "licence"
        /// Where the numbers came from.
        public static let provenance = "provenance"
        /// Digest of the imported file.
        public static let sourceSHA256 = "source_sha256"
        /// Input size the weights were trained for, width first.
        public static let inputSize = "input_size"
        /// Names of the classes in the order of the output's channels, separated by commas.
        public static let classes = "classes"
        /// What logits are divided by before the softmax, so that of what has a probability p a share p is right.
        public static let temperature = "temperature"
        /// How good the weights were measured to be: figure, data, and the reference's figure, in words.
        public static let accuracy = "accuracy"
        /// One of `State`; absent for finished weights.
        public static let state = "state"
        /// The sizes the network can be built at.
        public static let inputSizes = "input_sizes"
        /// How a picture becomes the input tensor.
        public static let preprocessing = "preprocessing"
        /// Trainable numbers of the network.
        public static let parameters = "parameters"
        /// Multiply-accumulates of one inference, and the size they were counted at.
        public static let multiplyAccumulates = "multiply_accumulates"
        /// `Weights.checksum` when the file was written.
        public static let checksum = "checksum"
    }

    /// Values of `MetadataKey.state`.
    public enum State {
        /// Our own first weights, weaker than the official ones.
        public static let preview = "preview"
        /// Numbers to start training from: they find nothing.
        public static let untrained = "untrained"
    }
}

extension Dictionary {
    /// Sets or removes a key; whether it was there before.
    fileprivate mutating func updateOrRemove(_ key: Key, _ value: Value?) -> Bool {
        guard let value else { return removeValue(forKey: key) != nil }
        return updateValue(value, forKey: key) != nil
    }
}
