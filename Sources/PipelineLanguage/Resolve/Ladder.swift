// SPDX-License-Identifier: Apache-2.0

/// The ways a pipeline may get cheaper while it runs, in the order they are taken.
///
/// Rung 0 is the pipeline as written. Every further rung changes some parameters and keeps the changes of those above.
public struct Ladder: Sendable {
    /// One parameter changed by a rung.
    public struct Change: Sendable {
        /// Id of the node.
        public let node: String
        /// Name of the parameter, which is one that can change while running.
        public let parameter: String
        /// Its value from this rung on.
        public let value: ParamValue

        /// The change as the file would write it.
        public var text: String { "\(node).\(parameter) = \(value.text)" }
    }

    /// The rungs below the pipeline as written.
    public let steps: [[Change]]
    /// Whether the steps follow from the nodes' settings, because the file names none.
    public let isAutomatic: Bool

    /// Makes a ladder; validation has checked nodes and parameters.
    public init(steps: [[Change]] = [], isAutomatic: Bool = false) {
        self.steps = steps
        self.isAutomatic = isAutomatic
    }

    /// Rungs, the pipeline as written included.
    public var rungCount: Int { steps.count + 1 }

    /// A rung in words.
    public func name(of rung: Int) -> String {
        rung == 0 ? "as written" : steps[rung - 1].map(\.text).joined(separator: ", ")
    }

    /// A node's settings on a rung.
    public func settings(of node: ValidatedNode, on rung: Int) -> Settings {
        var settings = node.settings
        for change in steps.prefix(rung).joined() where change.node == node.id {
            settings = settings.replacing(change.parameter, with: change.value)
        }
        return settings
    }

    /// The nodes that some rung changes.
    public var nodes: Set<String> { Set(steps.joined().map(\.node)) }

    /// What is done when the file does not say: networks look at fewer frames, drawing gets plainer, then networks look at
    /// a quarter of the pixels.
    ///
    /// The smaller network comes late, for it finds less, but it has to come: beside other programs one inference of the
    /// large one can take longer than the latency allows, however seldom it runs.
    /// Only for live pipelines: a file that is worked off has time, and its results should not depend on the machine.
    package static func usual(for nodes: [ValidatedNode]) -> Ladder {
        /// The changes of all parameters that save something, where `value` makes one of it.
        func changes(_ value: (ParamSaving, ParamSpec, ParamValue?) -> ParamValue?) -> [Change] {
            nodes.filter(\.isLive).flatMap { node in
                node.contract.parameters.compactMap { parameter in
                    guard let saving = parameter.saving,
                        let value = value(saving, parameter, node.settings.value(named: parameter.name))
                    else { return nil }
                    return Change(node: node.id, parameter: parameter.name, value: value)
                }
            }
        }
        func times(_ factor: Int, _ parameter: ParamSpec, _ own: ParamValue?) -> ParamValue? {
            guard case .integer(let own)? = own else { return nil }
            return .integer(min(parameter.limits.highest.map { Int($0) } ?? .max, own * factor))
        }
        func frames(_ factor: Int) -> [Change] {
            changes { if case .fewerFrames = $0 { times(factor, $1, $2) } else { nil } }
        }
        let pixels = changes { if case .fewerPixels = $0 { times(2, $1, $2) } else { nil } }
        let drawing = changes { saving, _, _ in if case .plainer(let value) = saving { value } else { nil } }
        return Ladder(
            steps: [frames(2), frames(3), frames(5) + drawing, pixels, frames(10)].filter { !$0.isEmpty },
            isAutomatic: true)
    }
}
