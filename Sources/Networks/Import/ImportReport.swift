// SPDX-License-Identifier: Apache-2.0

/// What an import made of a file: where every tensor went and what was left out.
public struct ImportReport: Sendable, Hashable, CustomStringConvertible {
    /// One tensor's way from the file into the weights.
    public struct Mapping: Sendable, Hashable {
        /// The tensor's name in the file.
        public let source: String
        /// Its key in the weights.
        public let target: String
        /// Its shape in the weights.
        public let shape: [Int]
        /// What was changed besides the layout; empty when nothing was.
        public let note: String
    }

    /// The file's format in words.
    public let format: String
    /// Digest of the whole file.
    public let sha256: String
    /// The published file this is, when it is one.
    public let release: KnownRelease?
    /// Catalogue name.
    public let network: String
    /// Catalogue variant.
    public let variant: String
    /// Every tensor that was taken over.
    public let mappings: [Mapping]
    /// Tensors of the file that inference does not need.
    public let ignored: [String]
    /// How the result fits the network; always complete for an import that succeeded.
    public let load: LoadReport

    /// A readable summary for the terminal.
    public var description: String {
        var lines = [
            "\(format), sha256 \(sha256)",
            release.map { "known release: \($0.provenance) (\($0.licence))" } ?? "not a release known by its digest",
            "\(network) \(variant): \(mappings.count) tensors",
        ]
        for mapping in mappings where !mapping.note.isEmpty {
            lines.append("  \(mapping.source) -> \(mapping.target): \(mapping.note)")
        }
        if !ignored.isEmpty { lines.append("  not needed: \(ignored.count) tensors, e.g. \(ignored[0])") }
        lines.append(load.description)
        return lines.joined(separator: "\n")
    }
}
