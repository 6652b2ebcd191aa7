// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Foundation
public import Networks

/// The weights files on this machine, and which of them a node uses by default.
///
/// Looked for in this order: `$VPIPE_MODELS`, the user's own folder, the folder beside the program, the source tree,
/// `/usr/local/share/vpipe/models`, `/usr/share/vpipe/models`.
public struct ModelStore: Sendable {
    /// One weights file, known by its metadata.
    public struct Entry: Sendable {
        /// Where it is.
        public let path: String
        /// Architecture and variant it is for.
        public let network: String
        /// Variant of the architecture.
        public let variant: String
        /// All its metadata.
        public let metadata: [String: String]
        /// Input size it was trained or released for.
        public var inputSize: InputSize? { metadata[Weights.MetadataKey.inputSize].flatMap { InputSize($0) } }
        /// How good it was measured to be, in words; nil where nobody has said.
        public var accuracy: String? { metadata[Weights.MetadataKey.accuracy] }
        /// Whether it is one of our first weights, weaker than the official ones.
        public var isPreview: Bool { metadata[Weights.MetadataKey.state] == Weights.State.preview }
    }

    /// The folders searched, those that exist, best first.
    public let folders: [String]
    /// The weights found, best first.
    public let entries: [Entry]

    /// Where `vpipe models import` puts weights: `$XDG_DATA_HOME/vpipe/models` or `~/.local/share/vpipe/models`.
    public static var userFolder: String { (Folders().data ?? "/.local/share/vpipe") + "/models" }

    /// Looks through the standard folders.
    public init() { self.init(folders: Self.standardFolders) }

    /// Looks through `folders`; files that are no weights, or untrained ones, are passed over.
    public init(folders: [String]) {
        var entries: [Entry] = []
        var existing: [String] = []
        for folder in folders {
            guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else { continue }
            existing.append(folder)
            for name in names.sorted() where name.hasSuffix(".safetensors") {
                let path = folder + "/" + name
                guard let metadata = try? SafeTensors.metadata(path: path),
                    let network = metadata[Weights.MetadataKey.network],
                    let variant = metadata[Weights.MetadataKey.variant],
                    metadata[Weights.MetadataKey.state] != Weights.State.untrained
                else { continue }
                entries.append(Entry(path: path, network: network, variant: variant, metadata: metadata))
            }
        }
        self.folders = existing
        self.entries = entries
    }

    /// The weights that a node of a network in `variant` uses by default: the first found, the size asked for preferred.
    ///
    /// A release family (`mobilenet0.25-first`) serves its variant.
    public func best(_ family: NetworkFamily, variant: String, size: InputSize? = nil) -> Entry? {
        let fitting = entries.filter { $0.network == family.name && family.serves($0.variant, for: variant) }
        if let size, let exact = fitting.first(where: { $0.inputSize == size && !$0.isPreview }) { return exact }
        return fitting.first { !$0.isPreview } ?? fitting.first
    }

    static var standardFolders: [String] {
        var folders: [String] = []
        if let own = Folders.variable("VPIPE_MODELS"), !own.isEmpty { folders.append(own) }
        folders.append(userFolder)
        // A program of somebody else's that embeds this one is not installed beside the weights.
        let system = ["/usr/local/share/vpipe/models", "/usr/share/vpipe/models"]
        let own = shipped("models")
        return folders + own + system.filter { !own.contains($0) }
    }

    /// Where a folder that comes with the program may be: installed beside it, or in the source tree it was built in.
    package static func shipped(_ name: String) -> [String] {
        // The program's real place: links into a bin folder are followed.
        guard let program = Folders.executable else { return [] }
        var folder = URL(fileURLWithPath: program).deletingLastPathComponent()
        var folders = [folder.deletingLastPathComponent().path + "/share/vpipe/" + name]
        // In a source tree the program is some levels below the folder that holds `Package.swift`.
        for _ in 0..<5 {
            if FileManager.default.fileExists(atPath: folder.path + "/Package.swift") {
                folders.append(folder.path + "/" + name)
                break
            }
            folder.deleteLastPathComponent()
        }
        return folders
    }
}
