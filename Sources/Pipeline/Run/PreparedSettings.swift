// SPDX-License-Identifier: Apache-2.0
internal import PipelineLanguage

/// One accepted file, and for every rung of its ladder what puts it into force: committing any of it cannot fail.
struct PreparedSettings: Sendable {
    /// A node's settings, as a key.
    private struct Key: Hashable {
        let node: String
        let values: [String?]

        init(_ node: ValidatedNode, _ settings: Settings) {
            self.node = node.id
            values = node.contract.parameters.map { settings.value(named: $0.name)?.text }
        }
    }

    /// Why some nodes cannot take their settings.
    struct Failure: Error {
        /// One for each, in the order of the graph.
        let causes: [(node: String, cause: any Error)]
    }

    /// The file.
    let pipeline: ValidatedPipeline
    private var changes: [Key: PreparedChange] = [:]

    /// Prepares the nodes that the ladder or a reload changes, on every rung.
    ///
    /// - Parameters:
    ///   - changed: ids of the nodes that differ from what is in force.
    ///   - old: what is in force; what it has prepared is used again.
    ///   - prepare: the first phase of a node.
    /// - Throws: `Failure` with everything that went wrong.
    init(
        _ pipeline: ValidatedPipeline, changed: [String] = [], since old: PreparedSettings? = nil,
        prepare: (_ node: String, _ settings: Settings) throws -> PreparedChange
    ) throws(Failure) {
        self.pipeline = pipeline
        let wanted = pipeline.ladder.nodes.union(changed)
        var causes: [(node: String, cause: any Error)] = []
        for node in pipeline.nodes where node.reachesSink && wanted.contains(node.id) {
            do {
                for rung in 0..<pipeline.ladder.rungCount {
                    let settings = pipeline.ladder.settings(of: node, on: rung)
                    let key = Key(node, settings)
                    if changes[key] == nil { changes[key] = try old?.changes[key] ?? prepare(node.id, settings) }
                }
            } catch {
                causes.append((node.id, error))
            }
        }
        guard causes.isEmpty else { throw Failure(causes: causes) }
    }

    /// What leads from a rung of `old` to a rung of this file: the changes of all nodes whose settings differ.
    func changes(on rung: Int, since old: PreparedSettings, on before: Int) -> [PreparedChange] {
        pipeline.nodes.compactMap { node in
            guard node.reachesSink, let was = old.pipeline[node.id] else { return nil }
            let key = Key(node, pipeline.ladder.settings(of: node, on: rung))
            guard key != Key(was, old.pipeline.ladder.settings(of: was, on: before)) else { return nil }
            guard let change = changes[key] else { preconditionFailure("\(node.id) was prepared for every rung") }
            return change
        }
    }
}
