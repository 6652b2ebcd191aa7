// SPDX-License-Identifier: Apache-2.0

/// What passes through every node of an acyclic graph: order, sources, results, and whether it arrives.
struct GraphFlow {
    /// Links into each node, by position.
    private(set) var incoming: [[DraftLink]]
    /// Links out of each node, in the order of the file.
    private(set) var outgoing: [[DraftLink]]
    /// Every node after those it reads; otherwise in the order of the file.
    private(set) var order: [Int] = []
    /// Source nodes whose frames pass through each node, ascending.
    private(set) var sources: [[Int]]
    /// Results on the frames of each output port.
    private(set) var carried: [[[ResultKind]]]
    /// Results on the frames that arrive at each node.
    private(set) var arriving: [[ResultKind]]
    private(set) var reachesSink: [Bool]

    init(drafts: [DraftNode], links: [DraftLink]) {
        let count = drafts.count
        incoming = Array(repeating: [], count: count)
        outgoing = Array(repeating: [], count: count)
        sources = Array(repeating: [], count: count)
        carried = drafts.map { draft in (draft.contract?.outputs ?? [OutputPort()]).map(\.adds) }
        arriving = Array(repeating: [], count: count)
        reachesSink = Array(repeating: false, count: count)
        for link in links {
            incoming[link.to].append(link)
            outgoing[link.from].append(link)
        }
        sortByDependency()
        for index in order { pass(through: index, drafts[index].contract) }
        for index in order.reversed() {
            let isSink = drafts[index].contract?.category == .sink
            reachesSink[index] = isSink || outgoing[index].contains { reachesSink[$0.to] }
        }
    }

    private mutating func sortByDependency() {
        var waiting = incoming.map(\.count)
        var ready = waiting.indices.filter { waiting[$0] == 0 }
        var next = 0
        while next < ready.count {
            let node = ready[next]
            next += 1
            order.append(node)
            for link in outgoing[node] {
                waiting[link.to] -= 1
                guard waiting[link.to] == 0 else { continue }
                // Among nodes that are ready, the one that comes first in the file goes first.
                let place = ready[next...].firstIndex { $0 > link.to } ?? ready.endIndex
                ready.insert(link.to, at: place)
            }
        }
    }

    private mutating func pass(through index: Int, _ contract: Contract?) {
        let inputs = incoming[index]
        if inputs.isEmpty {
            sources[index] = contract?.category == .source ? [index] : []
        } else {
            sources[index] = Set(inputs.flatMap { sources[$0.from] }).sorted()
        }
        var before: [ResultKind] = []
        for link in inputs {
            for kind in carried[link.from][link.fromPort] where !before.contains(kind) { before.append(kind) }
        }
        arriving[index] = before
        for (port, output) in (contract?.outputs ?? [OutputPort()]).enumerated() where output.keeps {
            carried[index][port] = before + carried[index][port].filter { !before.contains($0) }
        }
    }
}
