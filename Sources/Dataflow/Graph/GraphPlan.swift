// SPDX-License-Identifier: Apache-2.0

/// The graph as numbers: checks it, orders it, and sizes the edges into joins.
struct GraphPlan {
    let entries: [GraphBuilder.Entry]
    var connections: [GraphBuilder.Connection]
    /// The entries, every one after those that feed it.
    private(set) var order: [Int] = []
    private(set) var adjustments: [String] = []
    /// The joins and all that lies upstream of one.
    private var feedsJoin = Set<Int>()

    init(entries: [GraphBuilder.Entry], connections: [GraphBuilder.Connection]) {
        self.entries = entries
        self.connections = connections
    }

    /// The connections into an entry, by port.
    func inputs(of entry: Int) -> [Int] {
        connections.indices.filter { connections[$0].to == entry }
            .sorted { connections[$0].toPort < connections[$1].toPort }
    }

    func outputs(of entry: Int) -> [Int] {
        connections.indices.filter { connections[$0].from == entry }
    }

    // MARK: Checks

    /// Every problem found, in words; also finds the order.
    mutating func check() -> [String] {
        var problems: [String] = []
        if entries.isEmpty { problems.append("the graph has no nodes") }
        if entries.count + connections.count > 0xffff { problems.append("more than 65535 nodes and edges") }
        var seen = Set<String>()
        for entry in entries where !seen.insert(entry.name).inserted {
            problems.append("two nodes are named \(entry.name)")
        }
        for link in connections {
            let text = "\(entries[link.from].name).\(link.fromPort) -> \(entries[link.to].name).\(link.toPort)"
            if !(1...1 << 20).contains(link.capacity) {
                problems.append("\(text): capacity \(link.capacity) is not within 1...1048576")
            }
            if !(0..<64).contains(link.fromPort) || !(0..<64).contains(link.toPort) {
                problems.append("\(text): a port is not within 0..<64")
            }
        }
        for index in entries.indices { problems += checkEntry(index) }
        guard problems.isEmpty else { return problems }
        order = topologicalOrder()
        guard order.count == entries.count else {
            let stuck = entries.indices.filter { !order.contains($0) }.map { entries[$0].name }
            return ["a cycle goes through or feeds \(stuck.joined(separator: ", "))"]
        }
        return checkSources()
    }

    private func checkEntry(_ index: Int) -> [String] {
        let entry = entries[index]
        let inputs = inputs(of: index)
        let outputs = outputs(of: index)
        let ports = inputs.map { connections[$0].toPort }
        var problems: [String] = []
        if !(0...1 << 16).contains(entry.maxHeld) {
            problems.append("\(entry.name): maxHeld \(entry.maxHeld) is not within 0...65536")
        }
        if Set(ports).count < ports.count { problems.append("\(entry.name): an input port has two edges") }
        if outputs.count > 64 { problems.append("\(entry.name): more than 64 edges leave it") }
        if entry.isSource {
            if !inputs.isEmpty { problems.append("\(entry.name): a source has no inputs") }
            if outputs.isEmpty { problems.append("\(entry.name): nothing takes what the source makes") }
        } else if inputs.isEmpty {
            problems.append("\(entry.name): nothing feeds it")
        } else if entry.isJoin {
            if ports != Array(0..<ports.count) {
                problems.append("\(entry.name): the input ports of a join are numbered from 0 without gaps")
            }
        } else if inputs.count > 1, !outputs.isEmpty {
            problems.append("\(entry.name): a node with outputs has one input; use a join to bring branches together")
        }
        return problems
    }

    private func topologicalOrder() -> [Int] {
        var waiting = entries.indices.map { inputs(of: $0).count }
        var ready = entries.indices.filter { waiting[$0] == 0 }
        var result: [Int] = []
        while !ready.isEmpty {
            let index = ready.removeFirst()
            result.append(index)
            for link in outputs(of: index) {
                waiting[connections[link].to] -= 1
                if waiting[connections[link].to] == 0 { ready.append(connections[link].to) }
            }
        }
        return result
    }

    private func checkSources() -> [String] {
        var problems: [String] = []
        var source = [Int](repeating: -1, count: entries.count)
        for index in order {
            if entries[index].isSource {
                source[index] = index
                continue
            }
            let feeding = Set(inputs(of: index).map { source[connections[$0].from] })
            if feeding.count > 1, entries[index].isJoin {
                let names = feeding.filter { $0 >= 0 }.map { entries[$0].name }.sorted()
                problems.append(
                    "\(entries[index].name): joins frames of different sources (\(names.joined(separator: ", ")))")
            }
            source[index] = feeding.first ?? -1
        }
        return problems
    }

    // MARK: Joins

    /// Whether a join lies downstream of a connection.
    func leadsToJoin(_ link: GraphBuilder.Connection) -> Bool { feedsJoin.contains(link.to) }

    /// Gives every edge into a join the room that the other branches call for, see `GraphBuilder`.
    mutating func raiseCapacities() {
        for index in order.reversed()
        where entries[index].isJoin || outputs(of: index).contains(where: { leadsToJoin(connections[$0]) }) {
            feedsJoin.insert(index)
        }
        for index in order where entries[index].isJoin {
            let ports = inputs(of: index)
            // What a port may have to wait for: any other, or none but the primary.
            let isNewest = entries[index].matching == .newest
            for port in isNewest ? Array(ports.dropFirst()) : ports {
                var upstream = Set<Int>()
                collectUpstream(of: connections[port].from, into: &upstream)
                var known: [Int: Int] = [:]
                let needed =
                    (isNewest ? Array(ports.prefix(1)) : ports.filter { $0 != port })
                    .map { held(before: $0, stoppingAt: upstream, known: &known) + 1 }.max() ?? 0
                let link = connections[port]
                guard link.capacity < needed else { continue }
                connections[port].capacity = min(needed, 1 << 20)
                adjustments.append(
                    "\(entries[link.from].name) -> \(entries[link.to].name): capacity raised from \(link.capacity) to "
                        + "\(needed), what the other branches may hold")
            }
        }
    }

    private func collectUpstream(of entry: Int, into set: inout Set<Int>) {
        guard set.insert(entry).inserted else { return }
        for link in inputs(of: entry) { collectUpstream(of: connections[link].from, into: &set) }
    }

    /// How many frames the branch ending in a connection may hold before that connection; at most a ring's limit.
    private func held(before link: Int, stoppingAt parting: Set<Int>, known: inout [Int: Int]) -> Int {
        let from = connections[link].from
        if parting.contains(from) { return 0 }
        if let answer = known[from] { return answer }
        var longest = 0
        for upstream in inputs(of: from) {
            let before = held(before: upstream, stoppingAt: parting, known: &known)
            longest = max(longest, connections[upstream].capacity + before)
        }
        let answer = min(1 << 20, min(entries[from].maxHeld, 1 << 20) + 1 + longest)
        known[from] = answer
        return answer
    }
}
