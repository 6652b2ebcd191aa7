// SPDX-License-Identifier: Apache-2.0

extension Weights {
    /// Digest of every tensor's name, number format, shape and bytes: `sha256:` and 64 hexadecimal digits.
    ///
    /// Metadata and the order of the tensors take no part.
    public var checksum: String {
        let lines = names.sorted().compactMap { name in
            self[name].map { "\(name) \($0.type.rawValue) \(dimensions($0.shape)) \(SHA256.hexDigest($0.bytes))\n" }
        }
        return "sha256:" + SHA256.hexDigest(Array(lines.joined().utf8))
    }

    /// Whether the tensors are the ones whose checksum the metadata holds; nil when it holds none.
    public var isIntact: Bool? { metadata[MetadataKey.checksum].map { $0 == checksum } }

    /// The same tensors with what is known of them in the metadata: counts, input sizes and pre-processing of the
    /// architecture, and the checksum.
    ///
    /// Licence and provenance are kept; where there are none they become `unknown`, so that a reader sees the gap.
    ///
    /// - Throws: `NetworkError.Code.size` when the metadata names an input size that is not possible.
    public func recorded(for architecture: Architecture) throws(NetworkError) -> Weights {
        let size = metadata[MetadataKey.inputSize].flatMap { InputSize($0) } ?? architecture.defaultSize
        let network = try architecture.build(at: size, for: self)
        var result = self
        result.metadata[MetadataKey.network] = architecture.network
        result.metadata[MetadataKey.variant] = architecture.variant
        result.metadata[MetadataKey.parameters] = String(network.parameterCount)
        result.metadata[MetadataKey.multiplyAccumulates] = "\(network.multiplyAccumulates) at \(size)"
        result.metadata[MetadataKey.inputSizes] = architecture.sizes.description
        result.metadata[MetadataKey.preprocessing] = architecture.normalisation.description
        for key in [MetadataKey.licence, MetadataKey.provenance] where result.metadata[key] == nil {
            result.metadata[key] = "unknown"
        }
        result.metadata[MetadataKey.checksum] = checksum
        return result
    }
}
