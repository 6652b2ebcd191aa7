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
    static let overwrite = Param.boolean("overwrite", default: false, doc: "Replace archives that exist")

    static let contract = Contract(
        "npz", .sink, summary: "Stores raw tensors, one NumPy archive per frame",
        details:
            "Archives are named by source and frame number, camera-000042.npz, and appear whole. An array is called "
            + "`node.output`: `numpy.load(\"camera-000042.npz\")[\"depth.output\"]`. Frames without tensors store nothing.",
        inputs: [InputPort(needs: .anyOf([.tensors]))], parameters: [folder, overwrite],
        examples: [.init("Outputs of a network", #"{ "type": "npz", "input": "depth", "path": "depth" }"#)])

    private let folder: String
    private let overwrites: Bool
    private var stored = 0

    static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        let path = node.settings[folder]
        try OutputFolder.make(path)
        return .node(NPZNode(path, overwrites: node.settings[overwrite] || context.options.overwrites))
    }

    init(_ folder: String, overwrites: Bool) {
        self.folder = folder
        self.overwrites = overwrites
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
        let path = "\(folder)/\(frame.stream.source)-\(padded).npz"
        guard overwrites || access(path, F_OK) != 0 else {
            throw OutputError("\(path): exists already; allow it with \"overwrite\": true or --overwrite")
        }
        try ModelFile.write(NPZ.write(arrays), to: path)
        stored += 1
        return .done
    }

    var notes: [String] { ["\(folder): \(stored) archives"] }
}
