// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Networks
internal import Pipeline
public import PipelineLanguage

/// A pipeline as a batch uses it: one source takes the item, and what sinks write goes to the item's folder.
///
/// A value, and cheap: the text of the file and what is to be set in it.
public struct BatchPipeline: Sendable {
    /// The part of every item that is looked at.
    public struct Part: Sendable, Hashable {
        /// Seconds of the recording; nil begins at its beginning.
        public var start: Double?
        /// Seconds of the recording; nil ends at its end.
        public var end: Double?
        /// Every how many frames.
        public var every: Int?

        /// Everything.
        public init() {}
    }

    /// The file's text and name, for the processes that run it.
    let file: PipelineFile
    /// Texts of `--set` that hold for all items.
    let overrides: [String]
    /// The source that reads the items.
    let source: (id: String, parameter: String)
    /// Whether a folder is one item.
    public let takesFolders: Bool
    /// What sinks write, below an item's folder.
    let outputs: [(node: String, parameter: String, path: String)]
    /// Everything that decides what an item's results are, beside the item: of the pipeline, and of the files it uses.
    let fingerprint: Fingerprint

    /// What results depend on.
    struct Fingerprint: Sendable, Hashable, Codable {
        /// SHA-256 of the pipeline as resolved.
        var pipeline: String
        /// SHA-256 of the weights and other files that nodes read.
        var files: String
        /// This program's version.
        var program: String
    }

    /// Checks a pipeline for use in a batch.
    ///
    /// - Parameters:
    ///   - source: the id of the source that reads the items; nil where there is only one.
    ///   - example: one of the items, with which the pipeline is validated.
    /// - Throws: `PipelineFileError` with the mistakes in the file, `BatchError` for what a batch cannot do.
    public init(
        _ file: PipelineFile, overrides: [String], source named: String?, part: Part, contracts: ContractTable,
        version: String
    ) throws {
        self.file = file
        // What the source reads by itself does not matter, be it there or not.
        let pipeline = try file.validated(
            against: contracts, overrides: overrides + Self.standIn(file, named, contracts))
        let node = try Self.source(of: pipeline, named: named)
        guard let parameter = node.contract.parameters.first(where: { $0.role.isInputFile }) else {
            throw BatchError("nodes.\(node.id): a \(node.type) reads no file that an input could stand for")
        }
        source = (node.id, parameter.name)
        takesFolders = node.contract.parameters.contains { $0.name == parameter.name && $0.synonyms.contains("folder") }
        outputs = try Self.outputs(of: pipeline)
        self.overrides = try overrides + Self.settings(of: node, part)
        let resolved = try file.validated(
            against: contracts, overrides: self.overrides + Self.standIn(file, named, contracts))
        fingerprint = Self.fingerprint(
            resolved, source: source, outputs: outputs, version: version)
    }

    /// What is set for one item, written into `folder`.
    func overrides(for input: BatchInput, in folder: String) -> [String] {
        func text(_ value: String) -> String { JSONDocument.string(value).compact }
        return ["\(source.id).\(source.parameter)=\(text(input.location))"]
            + outputs.map { "\($0.node).\($0.parameter)=\(text(folder + "/" + $0.path))" }
    }

    /// The pipeline of one item, checked.
    public func validated(_ input: BatchInput, in folder: String, contracts: ContractTable) throws -> ValidatedPipeline
    {
        try file.validated(against: contracts, overrides: overrides + overrides(for: input, in: folder))
    }

    // MARK: - What is replaced

    /// Sets what the source reads to some name, by the text of the file alone; nothing where it is not clear which it is.
    private static func standIn(_ file: PipelineFile, _ named: String?, _ contracts: ContractTable) -> [String] {
        let found = JSONTree(bytes: file.source.bytes).root?["nodes"]?.members.compactMap { member -> String? in
            guard named == nil || named == member.key, let type = member.value["type"]?.string,
                let contract = contracts[type], contract.category == .source,
                let parameter = contract.parameters.first(where: { $0.role.isInputFile })
            else { return nil }
            return "\(member.key).\(parameter.name)=input"
        }
        guard let found, found.count == 1 else { return [] }
        return found
    }

    private static func source(of pipeline: ValidatedPipeline, named: String?) throws -> ValidatedNode {
        let all = pipeline.nodes.filter { $0.contract.category == .source && $0.reachesSink }
        let reading = all.filter { $0.contract.parameters.contains { $0.role.isInputFile } }
        if let named {
            guard let node = reading.first(where: { $0.id == named }) else {
                let names = reading.map(\.id).joined(separator: ", ")
                throw BatchError(
                    "--source \(named): no such source that reads files in \(pipeline.file)"
                        + (names.isEmpty ? "" : "; there is \(names)"))
            }
            return node
        }
        guard let node = reading.first else {
            throw BatchError(
                "\(pipeline.file): no source reads files, so inputs have no place; a batch needs a video or an images node"
            )
        }
        guard reading.count == 1 else {
            throw BatchError(
                "\(pipeline.file): several sources read files (\(reading.map(\.id).joined(separator: ", "))): say with "
                    + "--source which of them reads the inputs")
        }
        return node
    }

    /// The part that is asked for, and a pace and a length that a batch can have.
    private static func settings(of node: ValidatedNode, _ part: Part) throws -> [String] {
        var settings: [String] = []
        for parameter in node.contract.parameters {
            switch parameter.role {
            case .pace(let freely): settings.append("\(node.id).\(parameter.name)=\(freely.text)")
            case .length(let endless):
                guard node.settings.value(named: parameter.name)?.text == endless.text else { continue }
                throw BatchError(
                    "nodes.\(node.id).\(parameter.name): is \(endless.text), so an item would never end; leave it out, or "
                        + "--set \(node.id).\(parameter.name)=…")
            default: continue
            }
        }
        func set(_ option: String, _ name: String, _ value: String) throws {
            guard node.contract.parameters.contains(where: { $0.name == name }) else {
                throw BatchError("--\(option): a \(node.type) source has no \"\(name)\"; leave it out")
            }
            settings.append("\(node.id).\(name)=\(value)")
        }
        if let start = part.start { try set("from", "start", "\(Int((start * 1000).rounded()))ms") }
        if let end = part.end { try set("to", "end", "\(Int((end * 1000).rounded()))ms") }
        if let every = part.every { try set("every", "every", String(every)) }
        return settings
    }

    /// Where sinks write, below an item's folder: what their paths have in common is left out.
    private static func outputs(of pipeline: ValidatedPipeline) throws -> [(
        node: String, parameter: String, path: String
    )] {
        var found: [(node: String, parameter: String, parts: [Substring])] = []
        for node in pipeline.nodes where node.reachesSink {
            for parameter in node.contract.parameters {
                guard case .string(let value)? = node.settings.value(named: parameter.name) else { continue }
                let place = "nodes.\(node.id).\(parameter.name)"
                switch parameter.role {
                case .peer:
                    throw BatchError(
                        "\(place): \(node.type) sends to others, and would again for an item that is done again; leave the "
                            + "node out, or write a file")
                case .output:
                    guard value != "-" else {
                        throw BatchError(
                            "\(place): is the standard output, which items cannot share; give a file's name")
                    }
                    let parts = value.split(separator: "/").filter { $0 != "." }
                    guard !parts.contains("..") else {
                        throw BatchError(
                            "\(place): \"\(value)\" leads out of the item's folder; give a path without ..")
                    }
                    found.append((node.id, parameter.name, parts))
                default: continue
                }
            }
        }
        guard let first = found.first else {
            throw BatchError(
                "\(pipeline.file): no node writes a file, so nothing would be left of a batch; add a sink such as jsonl"
            )
        }
        var shared = first.parts.count - 1
        for (_, _, parts) in found {
            shared = min(shared, parts.count - 1)
            while shared > 0, parts.prefix(shared) != first.parts.prefix(shared) { shared -= 1 }
        }
        return found.map { ($0.node, $0.parameter, $0.parts.dropFirst(max(0, shared)).joined(separator: "/")) }
    }

    // MARK: - What results depend on

    private static func fingerprint(
        _ pipeline: ValidatedPipeline, source: (id: String, parameter: String),
        outputs: [(node: String, parameter: String, path: String)], version: String
    ) -> Fingerprint {
        var text: [String] = []
        var files: [String] = []
        let store = ModelStore()
        for node in pipeline.nodes where node.reachesSink {
            var words = ["\(node.id): \(node.type)"]
            for parameter in node.contract.parameters {
                let value = node.settings.value(named: parameter.name)?.text
                if let output = outputs.first(where: { $0.node == node.id && $0.parameter == parameter.name }) {
                    words.append("\(parameter.name)=\(output.path)")
                } else if (node.id, parameter.name) == source {
                    continue
                } else if parameter.role.isInputFile {
                    let file = file(node, value, store)
                    guard let file, let data = FileManager.default.contents(atPath: file) else {
                        words.append("\(parameter.name)=\(value ?? "")")
                        continue
                    }
                    let record = FileManager.default.contents(atPath: QuantisationRecord.path(besides: file))
                    let digests = [data, record].compactMap { $0 }.map { SHA256.hexDigest(Array($0)) }
                    files.append("\(node.id).\(parameter.name) \(digests.joined(separator: " "))")
                } else if let value {
                    words.append("\(parameter.name)=\(value)")
                }
            }
            words += node.inputs.map { "<- \($0.from).\($0.fromPort) \($0.rule)" }
            text.append(words.joined(separator: " "))
        }
        func digest(_ lines: [String]) -> String { SHA256.hexDigest(Array(lines.joined(separator: "\n").utf8)) }
        return Fingerprint(pipeline: digest(text), files: digest(files), program: version)
    }

    /// The file that an input parameter stands for: the one it names, or the weights that are used by default.
    private static func file(_ node: ValidatedNode, _ value: String?, _ store: ModelStore) -> String? {
        if let value, value != NodeModel.defaultWeights { return value }
        guard node.contract.category == .inference, let family = try? NetworkFamily.named(node.type),
            case .string(let variant)? = node.settings.value(named: "variant")
        else { return nil }
        var size: InputSize?
        if case .size(let pixels)? = node.settings.value(named: "size") {
            size = InputSize(width: pixels.width, height: pixels.height)
        }
        return store.best(family, variant: variant, size: size)?.path
    }
}
