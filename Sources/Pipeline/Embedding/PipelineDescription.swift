// SPDX-License-Identifier: Apache-2.0

/// A pipeline made in code rather than read from a file; the same validator checks both.
///
/// ```swift
/// var door = PipelineDescription(name: "door")
/// door.add("video", "video", ["url": "door.mp4"])
/// door.add("faces", "retinaface", inputs: ["video"], ["threshold": 0.6])
/// door.add("found", "jsonl", inputs: ["faces"], ["path": "door.jsonl"])
/// let run = try PipelineRun(door.file)
/// ```
///
/// Mistakes are reported as for a file, with the JSON path (`nodes.faces.threshold`) of what is wrong.
public struct PipelineDescription: Sendable {
    private var members: [(String, JSONDocument)] = []
    private var nodes: [(String, JSONDocument)] = []
    /// Rungs of the ladder, each a set of `"node.parameter"`: value.
    public var ladder: [[String: JSONDocument]] = []

    /// An empty pipeline; `fps` and `latencyMs` are its target, promised only where given.
    public init(name: String = "pipeline", fps: Double? = nil, latencyMs: Double? = nil) {
        members.append(("name", .string(name)))
        var target: [(String, JSONDocument)] = []
        if let fps { target.append(("fps", .number(fps))) }
        if let latencyMs { target.append(("latencyMs", .number(latencyMs))) }
        if !target.isEmpty { members.append(("target", .object(target))) }
    }

    /// Adds a node: its id, its type, the ids (or `id.port`) it reads, and its parameters by name.
    public mutating func add(
        _ id: String, _ type: String, inputs: [String] = [], _ parameters: KeyValuePairs<String, JSONDocument> = [:]
    ) {
        var node: [(String, JSONDocument)] = [("type", .string(type))]
        if inputs.count == 1 {
            node.append(("input", .string(inputs[0])))
        } else if !inputs.isEmpty {
            node.append(("inputs", .array(inputs.map { .string($0) })))
        }
        node += parameters.map { ($0.key, $0.value) }
        nodes.append((id, .object(node)))
    }

    /// The pipeline as a file would hold it.
    public var json: String {
        var all = members
        if !ladder.isEmpty {
            all.append(
                (
                    "ladder",
                    .array(
                        ladder.map { rung in
                            .object(rung.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
                        })
                ))
        }
        all.append(("nodes", .object(nodes)))
        return JSONDocument.object(all).pretty
    }

    /// The pipeline as a file that can be validated; messages call it `(code)`.
    public var file: PipelineFile { PipelineFile(name: "(code)", text: json) }
}
