// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Dataflow
internal import Glibc
internal import Media
internal import Networks
internal import PipelineLanguage

/// `npz`: the raw tensors of each frame as a NumPy archive.
final class NPZNode: Node, NodeType, ReportingNode {
    static let folder = Param.path(
        "path", role: .output, synonyms: ["folder", "directory"], doc: "Folder the archives go to; made if missing")

    static let contract = Contract(
        "npz", .sink, summary: "Stores raw tensors, one NumPy archive per frame",
        details:
            "Archives are named by source and frame number, camera-000042.npz, and appear whole. An array is called "
            + "`node.output`: `numpy.load(\"camera-000042.npz\")[\"depth.output\"]`. Frames without tensors store nothing.",
        inputs: [InputPort(needs: .anyOf([.tensors]))],
        parameters: [folder, OutputParams.ifExists, OutputParams.overwrite],
        discloses: { _ in .tensors },
        examples: [.init("Outputs of a network", #"{ "type": "npz", "input": "depth", "path": "depth" }"#)],
        check: { OutputParams.problems(in: $0[folder], parameter: folder.spec.name) + OutputParams.conflicts($0) })

    private let folder: String
    private let ifExists: IfExists
    private var stored = 0

    static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        let path = node.settings[folder]
        try OutputFolder.make(path)
        return .node(NPZNode(path, ifExists: OutputParams.rule(node.settings, context)))
    }

    init(_ folder: String, ifExists: IfExists) {
        self.folder = folder
        self.ifExists = ifExists
    }

    func process(_ item: Item, to output: Output) throws -> Disposition {
        let frame = item.frame
        var arrays: [String: Tensor] = [:]
        frame.annotations.forEach { entry in
            for tensor in entry.list.items(RawTensor.self) ?? [] {
                arrays["\(entry.node).\(tensor.name)"] = Tensor(shape: tensor.shape, floats: tensor.values)
            }
        }
        guard !arrays.isEmpty else { return .done }
        let number = String(frame.ticket.sequence)
        let padded = String(repeating: "0", count: max(0, 6 - number.count)) + number
        let name = "\(folder)/\(frame.stream.source)-\(padded).npz"
        var (path, copy) = (name, 1)
        while ifExists != .replace, access(path, F_OK) == 0 {
            guard ifExists != .fail else { throw OutputError("\(path): exists already; \(OutputParams.remedy)") }
            copy += 1
            path = FileNamePattern.numbered(name, copy)
        }
        try ModelFile.write(NPZ.write(arrays), to: path)
        stored += 1
        return .done
    }

    var notes: [String] { ["\(folder): \(stored) archives"] }
}
