// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
@preconcurrency internal import Dispatch
internal import PipelineLanguage

/// Owns what is in force in a run: one whole accepted file, on one rung of its ladder.
///
///     reload --> prepare (its own queue, may take seconds) --+
///                                                            +--> control queue: commit at a frame boundary
///     governor --> rung, prepared with its file -------------+
///
/// One reload is prepared at a time, later ones wait for it. Rungs are changed at once, also meanwhile: by what was
/// prepared with the file in force. A reload takes effect on the rung that is in force when it is ready.
/// - Note: Thread-safety: thread-safe.
final class RunController: @unchecked Sendable {
    // Invariant of @unchecked Sendable: `inForce` and `rung` are touched on `queue` only; `prepare` of nodes is called on
    // `preparations` only, once `init` is over.

    private let queue = DispatchQueue(label: "vpipe.control")
    private let preparations = DispatchQueue(label: "vpipe.prepare")
    private let nodes: [String: AnyObject]
    private let graph: Graph
    private var inForce: PreparedSettings
    private var rung = 0

    /// Prepares every rung of the ladder.
    ///
    /// - Throws: `PreparedSettings.Failure`.
    init(_ pipeline: ValidatedPipeline, nodes: [String: AnyObject], graph: Graph) throws {
        self.nodes = nodes
        self.graph = graph
        inForce = try PreparedSettings(pipeline) { try Self.prepare(nodes[$0], $1) }
    }

    /// The file in force.
    var pipeline: ValidatedPipeline { queue.sync { inForce.pipeline } }

    /// Puts a rung of the ladder into force.
    func take(rung: Int) { queue.sync { commit(inForce, on: rung) } }

    /// Puts what a changed file says into force, all of it or, when something needs a restart, nothing.
    ///
    /// - Returns: what changed, one line each.
    /// - Throws: `ReloadError`.
    func reload(_ new: ValidatedPipeline) throws(ReloadError) -> [String] {
        try preparations.sync { () -> Result<[String], ReloadError> in
            // Nobody else puts another file into force: reloads come one after the other.
            let old = queue.sync { inForce }
            do {
                let changes = try Reload(from: old.pipeline, to: new)
                let next = try PreparedSettings(new, changed: changes.nodes, since: old) {
                    try Self.prepare(nodes[$0], $1)
                }
                queue.sync { commit(next, on: min(rung, new.ladder.rungCount - 1)) }
                return .success(changes.lines)
            } catch let error as ReloadError {
                return .failure(error)
            } catch let failure as PreparedSettings.Failure {
                return .failure(ReloadError(failures: failure.causes.map { "nodes.\($0.node): \($0.cause)" }))
            } catch {
                return .failure(ReloadError(failures: ["\(error)"]))
            }
        }.get()
    }

    /// On the control queue.
    private func commit(_ next: PreparedSettings, on rung: Int) {
        let changes = next.changes(on: rung, since: inForce, on: self.rung)
        (inForce, self.rung) = (next, rung)
        guard !changes.isEmpty else { return }
        let generation = graph.generation + 1
        for change in changes { change.commit(from: generation) }
        graph.advanceGeneration()
    }

    private static func prepare(_ node: AnyObject?, _ settings: Settings) throws -> PreparedChange {
        guard let node = node as? any AdjustableNode else { throw OutputError("cannot change while running") }
        return try node.prepare(settings)
    }
}
