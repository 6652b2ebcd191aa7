// SPDX-License-Identifier: Apache-2.0

/// Turns published model files into weights of the catalogue's networks, verified name by name.
public enum ModelImporter {
    /// Weights ready to be written, and how they came about.
    public struct Result: Sendable {
        /// Everything the network needs, under its own names, with metadata.
        public let weights: Weights
        /// What was mapped, changed and left out.
        public let report: ImportReport
    }

    /// Imports a file: TensorFlow Lite, PyTorch (both formats), Caffe or safetensors, told apart by content.
    ///
    /// - Parameters:
    ///   - network: checks that the file holds this network; nil accepts any.
    ///   - variant: needed only where a file does not tell (`mobilenet0.25` or `mobilenet0.25-leaky`).
    ///   - choose: asked where neither the file nor `variant` tells; is given the import as each variant that it can be,
    ///     and answers with the position of one, or nil.
    /// - Throws: `NetworkError`; code `.weights` carries the report of what did not fit.
    public static func read(
        path: String, network: String? = nil, variant: String? = nil, choose: ([Result]) -> Int? = { _ in nil }
    ) throws(NetworkError) -> Result {
        do {
            return try read(ModelFile.read(path), network: network, variant: variant, choose: choose)
        } catch {
            throw NetworkError(error.code, path: error.path ?? path, error.detail)
        }
    }

    /// Imports a file's bytes.
    public static func read(
        _ bytes: [UInt8], network: String? = nil, variant: String? = nil, choose: ([Result]) -> Int? = { _ in nil }
    ) throws(NetworkError) -> Result {
        let draft: ImportDraft
        if bytes.count >= 8, bytes[4..<8].elementsEqual("TFL3".utf8) {
            draft = try Self.draft(of: .operators(TFLiteReader(bytes))) {
                "no known network has these operators"
            }
        } else if ZipArchive.matches(bytes) || TorchReader.matchesOldFormat(bytes) {
            let format = ZipArchive.matches(bytes) ? "PyTorch checkpoint (zip)" : "PyTorch checkpoint (old format)"
            draft = try named(TorchReader.read(bytes), format: format)
        } else if bytes.count > 8, bytes[8] == UInt8(ascii: "{") {
            draft = try named(SafeTensors.read(bytes), format: "safetensors")
        } else if CaffeReader.matches(bytes) {
            let file = try CaffeReader(bytes)
            draft = try Self.draft(of: .layers(file)) {
                let some = file.layers.prefix(3).map(\.name).joined(separator: ", ")
                return "no known network has these layers: \(some) ... (\(file.layers.count) in all)"
            }
        } else {
            throw NetworkError(
                .format,
                "neither a TensorFlow Lite, nor a PyTorch, nor a Caffe, nor a safetensors file (\(bytes.count) bytes)")
        }
        return try finish(draft, bytes, network, variant, choose)
    }

    // MARK: - Private

    /// Files whose tensors carry names: the names tell the network.
    private static func named(_ file: Weights, format: String) throws(NetworkError) -> ImportDraft {
        let source = DWTANetImport.averaged(file) ?? file
        let isWrapped = !source.names.isEmpty && source.names.allSatisfy { $0.contains("module.") }
        var weights = Weights()
        weights.metadata = source.metadata
        var origin: [String: String] = [:]
        for name in source.names {
            let short = isWrapped ? afterModule(name) : withoutWrapper(name)
            guard weights[short] == nil else { throw NetworkError(.weights, path: short, "is in the file twice") }
            weights[short] = source[name]
            origin[short] = name
        }
        return try draft(of: .named(.init(weights: weights, origin: origin, format: format))) {
            let some = source.names.prefix(3).joined(separator: ", ")
            return "no known network has these tensors: \(some) ... (\(source.count) in all)"
        }
    }

    /// Asks every family whether a file is its own.
    private static func draft(
        of file: ReleaseFile, orElse complaint: () -> String
    ) throws(NetworkError) -> ImportDraft {
        for family in NetworkFamily.all {
            if let draft = try family.draft(of: file) { return draft }
        }
        throw NetworkError(.unsupported, complaint())
    }

    /// Training on several devices puts `module.` in front of every name.
    private static func afterModule(_ name: String) -> String {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard let index = parts.firstIndex(of: "module") else { return name }
        return parts[(index + 1)...].joined(separator: ".")
    }

    /// Training scripts put the weights under one of these keys of a larger dictionary.
    private static func withoutWrapper(_ name: String) -> String {
        for wrapper in ["state_dict.", "model.", "net."] where name.hasPrefix(wrapper) {
            return String(name.dropFirst(wrapper.count))
        }
        return name
    }

    private static func finish(
        _ draft: ImportDraft, _ bytes: [UInt8], _ network: String?, _ variant: String?, _ choose: ([Result]) -> Int?
    ) throws(NetworkError) -> Result {
        let digest = SHA256.hexDigest(bytes)
        let release = KnownRelease.find(sha256: digest)
        if let network, network != draft.network {
            throw NetworkError(.weights, "the file holds \(draft.network), not \(network)")
        }
        let known = release?.variant ?? draft.variant ?? draft.weights.metadata[Weights.MetadataKey.variant]
        if let variant, let known, variant != known {
            throw NetworkError(.weights, "the file holds \(draft.network) \(known), not \(variant)")
        }
        guard let chosen = variant ?? known else {
            var results: [Result] = []
            for choice in draft.choices { results.append(try finish(draft, bytes, network, choice, choose)) }
            if let index = choose(results), results.indices.contains(index) { return results[index] }
            throw NetworkError(
                .weights, path: draft.network,
                "the file does not tell its variant; name one of " + draft.choices.joined(separator: ", "))
        }
        let architecture = try draft.family.architecture(chosen)
        let built = try architecture.build(for: draft.weights)
        let target = draft.isFolded ? built.folded : built
        let load = target.check(draft.weights)
        guard load.isComplete, load.unexpected.isEmpty else { throw NetworkError(.weights, load.description) }

        var weights = Weights()
        for parameter in target.parameters { weights[parameter.name] = draft.weights[parameter.name] }
        weights.metadata = draft.weights.metadata
        weights.metadata[Weights.MetadataKey.network] = draft.network
        weights.metadata[Weights.MetadataKey.variant] = chosen
        weights.metadata[Weights.MetadataKey.sourceSHA256] = digest
        weights.metadata[Weights.MetadataKey.inputSize] =
            draft.inputSize?.description ?? weights.metadata[Weights.MetadataKey.inputSize]
        if let release {
            weights.metadata[Weights.MetadataKey.licence] = release.licence
            weights.metadata[Weights.MetadataKey.provenance] = release.provenance
        }
        weights = try weights.recorded(for: architecture)
        let report = ImportReport(
            format: draft.format, sha256: digest, release: release, network: draft.network, variant: chosen,
            mappings: draft.mappings.filter { weights[$0.target] != nil }, ignored: draft.ignored + load.ignored,
            load: load)
        return Result(weights: weights, report: report)
    }
}

/// What a format's reader and a network's table make of a file, before it is verified.
struct ImportDraft {
    let format: String
    let family: NetworkFamily
    /// The family's name.
    var network: String { family.name }
    /// Nil when the file cannot tell.
    let variant: String?
    let inputSize: InputSize?
    /// Whether batch normalisations are already inside the convolutions.
    let isFolded: Bool
    let weights: Weights
    let mappings: [ImportReport.Mapping]
    /// The variants it can be when it cannot tell.
    var choices: [String] = []
    /// Tensors of the file that only training uses, left out of `weights`.
    var ignored: [String] = []
}
