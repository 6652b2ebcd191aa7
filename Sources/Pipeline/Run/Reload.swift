// SPDX-License-Identifier: Apache-2.0
internal import PipelineLanguage

/// What differs between a running pipeline and a changed file, when all of it can change while running.
struct Reload {
    /// Ids of the nodes with new settings.
    private(set) var nodes: [String] = []
    /// One line for each changed parameter.
    private(set) var lines: [String] = []

    /// - Throws: `ReloadError` with everything that needs a restart.
    init(from old: ValidatedPipeline, to new: ValidatedPipeline) throws(ReloadError) {
        var reasons: [String] = []
        if old.target != new.target { reasons.append("target") }
        // An automatic ladder follows from the nodes' settings: it changes with them.
        if old.ladder.written != new.ladder.written { reasons.append("ladder") }
        for node in old.nodes where new[node.id] == nil { reasons.append("nodes.\(node.id) (removed)") }
        for node in new.nodes {
            guard let before = old[node.id] else {
                reasons.append("nodes.\(node.id) (new)")
                continue
            }
            if before.type != node.type { reasons.append("nodes.\(node.id).type") }
            if before.inputs != node.inputs { reasons.append("nodes.\(node.id).inputs") }
            if before.onError != node.onError { reasons.append("nodes.\(node.id).onError") }
            if before.isSensitive != node.isSensitive { reasons.append("nodes.\(node.id).sensitive") }
            if before.allowRaw != node.allowRaw { reasons.append("nodes.\(node.id).allowRaw") }
            guard before.type == node.type else { continue }
            for parameter in node.contract.parameters {
                let (was, now) = (before.text(of: parameter), node.text(of: parameter))
                guard was != now else { continue }
                guard parameter.isChangeable else {
                    reasons.append("nodes.\(node.id).\(parameter.name)")
                    continue
                }
                if nodes.last != node.id { nodes.append(node.id) }
                lines.append("\(node.id).\(parameter.name): \(was ?? "unset") -> \(now ?? "unset")")
            }
        }
        guard reasons.isEmpty else { throw ReloadError(reasons: reasons) }
    }
}

/// What a running pipeline took over of a changed file, and what it did not.
public struct ReloadOutcome: Sendable, Hashable {
    /// What changed, one line each, as `node.parameter: old -> new`.
    public var changes: [String] = []
    /// Paths of what would need a restart.
    public var restarts: [String] = []
    /// One sentence for each node that cannot have its new settings, or saying that the run is over.
    public var failures: [String] = []

    /// One line for the user on each change, and on what is left as it was.
    public var lines: [String] {
        var lines = changes.map { "reloaded: \($0)" }
        if !restarts.isEmpty {
            lines.append("not reloaded, as it needs a restart: " + restarts.joined(separator: ", "))
        }
        lines += failures.map { "not reloaded: \($0)" }
        return lines.isEmpty ? ["reloaded: nothing has changed"] : lines
    }
}

extension ValidatedPipeline {
    /// This pipeline with those settings of a changed file that can change while it runs, but for the nodes in `fixed`.
    func taking(_ new: ValidatedPipeline, except fixed: Set<String>) -> ValidatedPipeline {
        let nodes = nodes.map { node -> ValidatedNode in
            guard let other = new[node.id], other.type == node.type, !fixed.contains(node.id) else { return node }
            var settings = other.settings
            for parameter in node.contract.parameters where !parameter.isChangeable {
                settings = settings.replacing(parameter.name, with: node.settings.value(named: parameter.name))
            }
            return node.with(settings)
        }
        return ValidatedPipeline(
            file: file, name: name, target: target, ladder: ladder, nodes: nodes, warnings: new.warnings)
    }
}

/// A changed file that a running pipeline cannot take over; nothing of it is in force.
public struct ReloadError: Error, CustomStringConvertible {
    /// Paths of what would need a restart.
    public let reasons: [String]
    /// Ids of the nodes in `failures`.
    let nodes: [String]
    /// One sentence for each node that cannot have its new settings, or saying that the run is over.
    public let failures: [String]

    init(reasons: [String] = [], failures: [String] = [], of nodes: [String] = []) {
        self.reasons = reasons
        self.nodes = nodes
        self.failures = failures
    }

    /// One line for the user.
    public var description: String {
        let restart = reasons.isEmpty ? [] : ["a restart is needed for " + reasons.joined(separator: ", ")]
        return "nothing was reloaded: " + (restart + failures).joined(separator: "; ")
    }
}

extension ValidatedNode {
    fileprivate func text(of parameter: ParamSpec) -> String? { settings.value(named: parameter.name)?.text }
}

extension Ladder {
    /// The steps that the file names; nil where it names none.
    fileprivate var written: [String]? { isAutomatic ? nil : (0..<rungCount).map { name(of: $0) } }
}
