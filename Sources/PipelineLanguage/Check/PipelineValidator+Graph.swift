// SPDX-License-Identifier: Apache-2.0
internal import Basics

extension PipelineValidator {
    /// Checks what only the whole graph shows: cycles, ends, branches nobody reads, joins and results.
    mutating func checkGraph(_ links: [DraftLink]) {
        guard !drafts.isEmpty else { return }
        checkWrittenFiles()
        checkEnds()
        checkReaders(links)
        checkRepeatedInputs(links)
        guard !reportCycles(links) else { return }
        let flow = GraphFlow(drafts: drafts, links: links)
        checkJoins(flow)
        checkResults(flow)
        checkRate(flow)
        checkDisclosure(flow)
    }

    /// Refuses a target that nodes on the way to every sink keep from being held.
    private mutating func checkRate(_ flow: GraphFlow) {
        guard let wantedRate else { return }
        // The highest rate that can leave each node, and the node that limits it.
        var most: [(rate: Double, node: Int?)] = Array(repeating: (.infinity, nil), count: drafts.count)
        for index in flow.order {
            most[index] = flow.incoming[index].map { most[$0.from] }.max { $0.rate < $1.rate } ?? (.infinity, nil)
            guard let contract = drafts[index].contract, let settings = drafts[index].settings else { continue }
            for parameter in contract.parameters where parameter.limitsRate {
                guard case .rate(let rate)? = settings.value(named: parameter.name), rate.perSecond < most[index].rate
                else { continue }
                most[index] = (rate.perSecond, index)
            }
        }
        for source in drafts.indices where drafts[source].contract?.category == .source {
            let sinks = drafts.indices.filter {
                drafts[$0].contract?.category == .sink && flow.sources[$0].contains(source)
            }
            guard let best = sinks.map({ most[$0] }).max(by: { $0.rate < $1.rate }), let node = best.node,
                best.rate < wantedRate.fps * 0.999
            else { continue }
            return report(
                wantedRate.location, JSONPath("target", "fps"),
                "cannot be held: nodes.\(drafts[node].id) lets \(plain(best.rate)) frames a second through at most",
                found: plain(wantedRate.fps), fix: "ask for no more than that, or let it through more")
        }
    }

    /// Refuses what would be written by two, and what is read by one and written by another, under whatever names.
    private mutating func checkWrittenFiles() {
        var readers: [WrittenPlace: String] = [:]
        if let own = WrittenPlace(file: source.file) { readers[own] = "this pipeline file" }
        for draft in drafts {
            for file in draft.read {
                guard let place = WrittenPlace(file: file.value), readers[place] == nil else { continue }
                readers[place] = "what nodes.\(draft.id).\(file.spec.name) reads"
            }
        }
        var writers: [WrittenPlace: String] = [:]
        for draft in drafts {
            for file in draft.written {
                let path = draft.path.appending(file.spec.name)
                let place = WrittenPlace(file.value)
                let found = quoted(shortened(redacted(file.value)))
                if let reader = readers[place] {
                    report(file.location, path, "is \(reader)", found: found, fix: "write to another file")
                }
                if let other = writers[place] {
                    let (verb, noun) = file.spec.role.isPeer ? ("fed", "an address") : ("written", "a path")
                    report(
                        file.location, path, "is \(verb) by nodes.\(other) too", found: found,
                        fix: "give each \(noun) of its own")
                } else {
                    writers[place] = "\(draft.id).\(file.spec.name)"
                }
            }
        }
    }

    private mutating func checkEnds() {
        // With a node of unknown type nobody can tell what is missing.
        let categories = drafts.compactMap { $0.contract?.category }
        guard categories.count == drafts.count, let first = drafts.first else { return }
        for (category, what) in [
            (Contract.Category.source, "no source: no node brings frames in"),
            (.sink, "no sink: every frame would be thrown away"),
        ] where !categories.contains(category) {
            let types = contracts.contracts.filter { $0.category == category }.map(\.type)
            let nodesLocation = SourceLocation(offset: first.location.offset)
            report(
                nodesLocation, JSONPath("nodes"), what,
                fix: types.isEmpty ? nil : "add a node of type " + alternatives(types.map(quoted)))
        }
    }

    private mutating func checkReaders(_ links: [DraftLink]) {
        // A reference that could not be resolved may be the one that would have read the node.
        guard drafts.allSatisfy(\.inputsAreKnown), links.count == drafts.reduce(0, { $0 + $1.inputs.count }) else {
            return
        }
        // So may a node that lacks its input; and without any sink there is a plainer thing to say.
        guard drafts.allSatisfy({ $0.contract?.category == .source || !$0.inputs.isEmpty }),
            drafts.contains(where: { $0.contract?.category == .sink })
        else { return }
        let isRead = Set(links.map(\.from))
        for (index, draft) in drafts.enumerated() where !isRead.contains(index) {
            guard let contract = draft.contract, contract.category != .sink else { continue }
            report(
                draft.location, draft.path, "unconnected: nothing reads its output",
                fix: "let a sink read it (\"input\": \(quoted(draft.id))), or remove the node",
                severity: .warning)
        }
    }

    private mutating func checkRepeatedInputs(_ links: [DraftLink]) {
        var seen: Set<[Int]> = []
        for link in links where !seen.insert([link.to, link.from, link.fromPort]).inserted {
            report(
                link.input.location, link.input.path, "reads \"\(link.input.from)\" a second time",
                fix: "remove one of the two", severity: .warning)
        }
    }

    // MARK: Cycles

    /// Reports each cycle once, as the path the frames would take; true when there is one.
    private mutating func reportCycles(_ links: [DraftLink]) -> Bool {
        var incoming: [[DraftLink]] = Array(repeating: [], count: drafts.count)
        for link in links { incoming[link.to].append(link) }
        var state = Array(repeating: 0, count: drafts.count)  // 0 unseen, 1 on the current path, 2 done
        var found = 0
        for root in drafts.indices where state[root] == 0 {
            var path: [(node: Int, next: Int)] = [(root, 0)]
            state[root] = 1
            while let top = path.last {
                guard top.next < incoming[top.node].count else {
                    state[top.node] = 2
                    path.removeLast()
                    continue
                }
                path[path.count - 1].next += 1
                let link = incoming[top.node][top.next]
                if state[link.from] == 0 {
                    state[link.from] = 1
                    path.append((link.from, 0))
                } else if state[link.from] == 1, let start = path.firstIndex(where: { $0.node == link.from }) {
                    found += 1
                    // The path runs against the frames, from reader to writer.
                    if found <= 5 { reportCycle(path[start...].map(\.node).reversed(), incoming) }
                }
            }
        }
        return found > 0
    }

    private mutating func reportCycle(_ nodes: [Int], _ incoming: [[DraftLink]]) {
        // Told from the node that comes first in the file, so that the message does not depend on the search.
        guard let first = nodes.indices.min(by: { nodes[$0] < nodes[$1] }) else { return }
        let turned = Array(nodes[first...] + nodes[..<first])
        guard let head = turned.first, let last = turned.last,
            let closing = incoming[head].first(where: { $0.from == last })
        else { return }
        let names = (turned + [head]).map { drafts[$0].id }
        let text = names.count <= 12 ? names : Array(names.prefix(6)) + ["..."] + Array(names.suffix(5))
        report(
            closing.input.location, closing.input.path, "cycle: " + text.joined(separator: " -> "),
            fix: turned.count == 1 ? "a node cannot read itself" : "remove one of these links; frames flow one way")
    }

    // MARK: What flows

    private mutating func checkJoins(_ flow: GraphFlow) {
        for index in drafts.indices {
            guard let contract = drafts[index].contract, contract.joinsOneSource else { continue }
            let inputs = flow.incoming[index]
            guard let first = inputs.first, !flow.sources[first.from].isEmpty else { continue }
            let expected = flow.sources[first.from]
            for link in inputs.dropFirst() {
                let sources = flow.sources[link.from]
                guard !sources.isEmpty, sources != expected else { continue }
                report(
                    link.input.location, link.input.path,
                    "carries frames of \(names(sources)), but the first input those of \(names(expected)): "
                        + "they never meet",
                    found: quoted(shortened(link.input.from)), fix: "give each source its own \"\(contract.type)\"")
            }
        }
    }

    private func names(_ nodes: [Int]) -> String {
        nodes.map { quoted(drafts[$0].id) }.joined(separator: " and ")
    }

    private mutating func checkResults(_ flow: GraphFlow) {
        guard drafts.allSatisfy({ $0.contract != nil }) else { return }
        for index in drafts.indices {
            let draft = drafts[index]
            let inputs = flow.incoming[index]
            guard let contract = draft.contract, !inputs.isEmpty, inputs.count == draft.inputs.count,
                let location = draft.inputsLocation
            else { continue }
            for port in contract.inputs {
                let carried = inputs.filter { $0.port?.name == port.name }.flatMap {
                    flow.carried[$0.from][$0.fromPort]
                }
                let wanted: [ResultKind]?
                switch port.needs {
                case .none: continue
                case .any: wanted = nil
                case .anyOf(let kinds): wanted = kinds
                }
                let isMet = wanted.map { kinds in kinds.contains { carried.contains($0) } } ?? !carried.isEmpty
                guard !isMet else { continue }
                let makers = contracts.contracts.filter { maker in
                    maker.outputs.contains { output in
                        output.adds.contains { kind in wanted.map { $0.contains(kind) } ?? true }
                    }
                }.prefix(8)
                let what = wanted.map { alternatives($0.map(\.name)) } ?? "results"
                report(
                    location, draft.path.appending(inputs.count > 1 ? "inputs" : inputs[0].input.path.lastKey),
                    "its frames carry no \(what): \"\(contract.type)\" has nothing to work with",
                    fix: makers.isEmpty
                        ? nil : "read from a node that makes them: \(alternatives(makers.map { quoted($0.type) }))",
                    severity: .warning)
            }
        }
    }
}

/// What a setting names, the same for every spelling of it: `./a`, links, hard links, `file:a`.
private enum WrittenPlace: Hashable {
    case file(FileIdentity)
    case path(String)
    case address(String)

    init(_ text: String) {
        guard let path = FilePath.local(text) else {
            self = .address(text)
            return
        }
        let canonical = FilePath.canonical(path)
        if ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].contains(path) {
            self = .address("-")
        } else if let file = FileIdentity(path: path), !canonical.hasPrefix("/dev/") {
            self = .file(file)
        } else {
            self = .path(canonical)
        }
    }

    /// A file that exists; nil for anything else.
    init?(file text: String) {
        guard let path = FilePath.local(text), let file = FileIdentity(file: path) else { return nil }
        self = .file(file)
    }
}
