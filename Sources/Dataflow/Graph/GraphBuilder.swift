// SPDX-License-Identifier: Apache-2.0

/// What a node's failure means for the rest of the graph.
public enum ErrorPolicy: Sendable, Hashable {
    /// The others go on; when no sink is left that works, the sources end.
    case isolate
    /// The sources end and everything in flight is delivered.
    case stop
}

/// A node in a `GraphBuilder`.
public struct NodeID: Sendable, Hashable {
    let index: Int
}

/// Collects nodes and edges, checks them, and builds the graph.
///
/// An edge carries the frames of one source. A node with outputs has one input; a node without outputs may have
/// several, taken in turn; a join has any number, all from the same source.
///
/// **Diamonds.** A join waits for the branch that is slowest, while the frames after the one it waits for queue up on
/// its other ports. If such a queue were smaller than what the slow branch may hold before it lets a frame go, the
/// fan-out would stall on the full queue, the slow branch would never be fed on, and the join would wait forever (with
/// a dropping policy: it would lose the very frames the branch is about to answer). So each edge into a join holds at
/// least what the nodes and edges of the other ports' branches hold, counted back to where they part from its own:
/// the sum of `maxHeld + 1` and the edge capacities, and one more. The builder raises smaller ones, of any policy, and
/// lists them in `Graph.adjustments`.
///
/// A join for the `newest` never waits, so its primary edge is left as it is; the others hold what may come before the
/// primary item they belong to.
public struct GraphBuilder {
    struct Entry {
        var name: String
        var role: Stage.Role
        var onError: ErrorPolicy
        var inFlightLimit = 0
        var maxHeld: Int

        /// How its ports are matched; nil unless it is a join.
        var matching: JoinMatching? { if case .join(let join) = role { join.matching } else { nil } }
        var isSource: Bool { if case .source = role { true } else { false } }
        var isJoin: Bool { if case .join = role { true } else { false } }
    }

    struct Connection {
        var from: Int
        var fromPort: Int
        var to: Int
        var toPort: Int
        var policy: EdgePolicy
        var capacity: Int
    }

    let name: String
    let clock: MonotonicClock
    let historyLength: Int
    var entries: [Entry] = []
    var connections: [Connection] = []

    /// Starts an empty graph.
    ///
    /// - Parameters:
    ///   - name: shows in queue labels and reports.
    ///   - rememberedFates: how many frames of each source `Graph.fate` can answer for, 8 bytes each.
    public init(name: String, clock: MonotonicClock = .system, rememberedFates: Int = 32_768) {
        self.name = name
        self.clock = clock
        historyLength = max(1, rememberedFates)
    }

    /// Adds a source.
    ///
    /// - Parameter inFlightLimit: the most frames in flight; rounded up to a power of two, and up to
    ///   what the nodes may hold; in a graph with a join, to what nodes and edges may hold together.
    public mutating func addSource(
        _ name: String, _ node: any SourceNode, inFlightLimit: Int = 256, onError: ErrorPolicy = .isolate
    ) -> NodeID {
        add(
            Entry(
                name: name, role: .source(node), onError: onError, inFlightLimit: inFlightLimit, maxHeld: node.maxHeld))
    }

    /// Adds a node with one input, or a sink with one or more.
    public mutating func addNode(_ name: String, _ node: any Node, onError: ErrorPolicy = .isolate) -> NodeID {
        add(
            Entry(
                name: name, role: .node(node), onError: onError, maxHeld: node.maxHeld))
    }

    /// Adds a join.
    ///
    /// Its input ports are numbered from 0, the primary one, without gaps.
    public mutating func addJoin(_ name: String, _ node: any JoinNode, onError: ErrorPolicy = .isolate) -> NodeID {
        add(Entry(name: name, role: .join(node), onError: onError, maxHeld: node.maxHeld))
    }

    private mutating func add(_ entry: Entry) -> NodeID {
        entries.append(entry)
        return NodeID(index: entries.count - 1)
    }

    /// Connects an output port to an input port.
    ///
    /// An output port may feed several edges, an input port has one.
    ///
    /// - Parameter capacity: how many items the edge holds; the policy's default when absent.
    public mutating func connect(
        _ from: NodeID, port: Int = 0, to: NodeID, port toPort: Int = 0, policy: EdgePolicy = .block,
        capacity: Int? = nil
    ) {
        connections.append(
            Connection(
                from: from.index, fromPort: port, to: to.index, toPort: toPort, policy: policy,
                capacity: capacity ?? policy.defaultCapacity))
    }

    /// Checks everything and builds the graph.
    ///
    /// - Throws: `GraphError.Code.invalidGraph`, whose detail lists every problem found.
    public func build() throws(GraphError) -> Graph {
        var plan = GraphPlan(entries: entries, connections: connections)
        let problems = plan.check()
        guard problems.isEmpty else {
            throw GraphError(code: .invalidGraph, detail: problems.joined(separator: "\n"))
        }
        plan.raiseCapacities()
        return assemble(plan)
    }

    private func assemble(_ plan: GraphPlan) -> Graph {
        let control = GraphControl(name: name, clock: clock)
        let order = plan.order
        let sources = order.filter { entries[$0].isSource }
        let wakeups = entries.map { _ in Wakeup() }
        let ledgers = makeLedgers(plan, sources: sources)
        control.sources = sources.map { wakeups[$0] }
        let edges = plan.connections.enumerated().map { i, link in
            let from = entries[link.from].name + (link.fromPort == 0 ? "" : ".\(link.fromPort)")
            let to = entries[link.to].name + (link.toPort == 0 ? "" : ".\(link.toPort)")
            return Edge(
                index: i, name: "\(from) -> \(to)", place: entries.count + i, policy: link.policy,
                capacity: link.capacity, needsBounds: plan.leadsToJoin(link), producer: wakeups[link.from],
                consumer: wakeups[link.to])
        }
        let stages = order.enumerated().map { place, index in
            let entry = entries[index]
            let outputs = plan.outputs(of: index)
            let ports = (0..<(outputs.map { plan.connections[$0].fromPort + 1 }.max() ?? 0)).map { port in
                outputs.filter { plan.connections[$0].fromPort == port }.map { edges[$0] }
            }
            let frames = OpenFrames(
                place: place, isSource: entry.isSource, isSink: outputs.isEmpty, maxHeld: entry.maxHeld, clock: clock,
                ledgers: ledgers, sourceWakeups: control.sources)
            let output = Output(
                graph: control, frames: frames, outbox: Outbox(ports: ports, frames: frames),
                ledger: sources.firstIndex(of: index).map { ledgers[$0] })
            return Stage(
                name: entry.name, place: place, role: entry.role, onError: entry.onError, graph: control,
                wakeup: wakeups[index], inputs: EdgeList(plan.inputs(of: index).map { edges[$0] }), output: output)
        }
        return Graph(
            name: name, adjustments: plan.adjustments, stages: stages, edges: edges, ledgers: ledgers,
            sourceNames: sources.map { entries[$0].name }, control: control)
    }

    /// How many sinks an entry leads to.
    private func sinkCount(of entry: Int) -> Int {
        var reached: Set<Int> = [entry]
        var waiting = [entry]
        var sinks = 0
        while let next = waiting.popLast() {
            let outputs = connections.filter { $0.from == next }
            if outputs.isEmpty { sinks += 1 }
            for output in outputs where reached.insert(output.to).inserted { waiting.append(output.to) }
        }
        return sinks
    }

    private func makeLedgers(_ plan: GraphPlan, sources: [Int]) -> [Ledger] {
        // With a join, no admission may be refused that the missing item depends on: room for all that fits anywhere.
        let hasJoin = entries.contains(where: \.isJoin)
        let fits =
            entries.reduce(2) { $0 + $1.maxHeld + 2 }
            + (hasJoin ? plan.connections.reduce(0) { $0 + $1.capacity + 1 } : 0)
        return sources.enumerated().map { i, entry in
            Ledger(
                source: i, window: min(max(entries[entry].inFlightLimit, fits), 1 << 17),
                placeCount: entries.count + connections.count, historyLength: historyLength,
                sinkCount: sinkCount(of: entry))
        }
    }
}
