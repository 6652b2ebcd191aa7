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
        func changes(_ parameter: String, _ value: (Settings) -> ParamValue?) -> [Change] {
            nodes.compactMap { node in
                guard node.isLive, node.contract.parameter(parameter)?.isChangeable == true,
                    let value = value(node.settings)
                else { return nil }
                return Change(node: node.id, parameter: parameter, value: value)
            }
        }
        func times(_ factor: Int, _ parameter: String, atMost limit: Int) -> [Change] {
            changes(parameter) { settings in
                guard case .integer(let own)? = settings.value(named: parameter) else { return nil }
                return .integer(min(limit, own * factor))
            }
        }
        func every(_ factor: Int) -> [Change] { times(factor, "every", atMost: 1000) }
        let plainDrawing = changes("labels") { _ in .boolean(false) } + changes("scores") { _ in .boolean(false) }
        return Ladder(
            steps: [
                every(2), every(3), every(5) + plainDrawing, times(2, "downscale", atMost: 8), every(10),
            ].filter { !$0.isEmpty }, isAutomatic: true)
    }
}
