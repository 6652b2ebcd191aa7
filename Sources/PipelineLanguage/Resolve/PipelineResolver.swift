// SPDX-License-Identifier: Apache-2.0

/// The second pass over a pipeline file: turns nodes and links that were read without errors into a pipeline in which
/// nothing is left open.
///
///     [DraftNode] + [DraftLink] --GraphFlow--> order, liveness, link rules, results, ladder --> ValidatedPipeline
struct PipelineResolver {
    let source: SourceText
    let drafts: [DraftNode]
    let links: [DraftLink]

    /// The pipeline; nil where the drafts hold an error after all.
    func resolve(
        name: String?, target: PipelineTarget?, ladder: LadderChoice, warnings: [Diagnostic]
    ) -> ValidatedPipeline? {
        let flow = GraphFlow(drafts: drafts, links: links)
        guard flow.order.count == drafts.count else { return nil }
        var isLive = Array(repeating: false, count: drafts.count)
        for index in flow.order {
            guard let contract = drafts[index].contract, let settings = drafts[index].settings else { return nil }
            let incoming = flow.incoming[index]
            isLive[index] =
                incoming.isEmpty ? contract.liveness.isLive(settings) : incoming.contains { isLive[$0.from] }
        }
        var resolved: [[ValidatedLink]] = Array(repeating: [], count: drafts.count)
        for link in links {
            guard let made = resolve(link, isLive: isLive[link.from], flow) else { return nil }
            resolved[link.to].append(made)
        }
        var nodes: [ValidatedNode] = []
        for index in flow.order {
            let draft = drafts[index]
            guard let contract = draft.contract, let settings = draft.settings else { return nil }
            let outputs = flow.outgoing[index].map { resolved[$0.to][$0.position] }
            nodes.append(
                ValidatedNode(
                    id: draft.id, contract: contract, settings: settings, onError: draft.onError,
                    isSensitive: draft.isSensitive, allowRaw: draft.allowRaw, inputs: resolved[index], outputs: outputs,
                    sources: flow.sources[index].map { drafts[$0].id },
                    isLive: isLive[index], reachesSink: flow.reachesSink[index],
                    results: flow.carried[index].first ?? flow.arriving[index],
                    position: source.position(of: draft.location.offset)))
        }
        let steps =
            switch ladder {
            case .usual: target == nil ? Ladder(isAutomatic: true) : Ladder.usual(for: nodes)
            case .steps(let steps): Ladder(steps: steps)
            }
        return ValidatedPipeline(
            file: source.file, name: name, target: target, ladder: steps, nodes: nodes, warnings: warnings)
    }

    private func resolve(_ link: DraftLink, isLive: Bool, _ flow: GraphFlow) -> ValidatedLink? {
        guard let writer = drafts[link.from].contract, let reader = drafts[link.to].contract,
            let settings = drafts[link.to].settings, let port = link.port
        else { return nil }
        let place = LinkRule.Place(
            isLive: isLive, isFromSource: writer.category == .source,
            carriesResults: !flow.carried[link.from][link.fromPort].isEmpty,
            reader: kind(of: reader, settings, at: link.position, inputs: drafts[link.to].inputs.count))
        return ValidatedLink(
            from: drafts[link.from].id, fromPort: writer.outputs[link.fromPort].name, fromPortIndex: link.fromPort,
            to: drafts[link.to].id, toPort: port.name, toPortIndex: link.position,
            rule: LinkRule(link.input, default: port.link ?? LinkRule.default(at: place)),
            isRuleGiven: link.input.policy != nil || link.input.capacity != nil)
    }

    private func kind(
        of reader: Contract, _ settings: Settings, at position: Int, inputs: Int
    ) -> LinkRule.Place.Reader {
        if inputs > 1, reader.joinsOneSource {
            return reader.waitsForBranches(settings) ? .join : .newestJoin(isPrimary: position == 0)
        }
        return reader.category == .inference ? .network : .node
    }
}

extension LinkRule {
    /// What the file says about a link, completed by the default.
    fileprivate init(_ input: DraftInput, default rule: LinkRule) {
        guard let policy = input.policy else {
            // More than one place with "latest" is what "dropOldest" does.
            let isWidened = rule.policy == .latest && input.capacity ?? 1 > 1
            self.init(isWidened ? .dropOldest : rule.policy, capacity: input.capacity ?? rule.capacity)
            return
        }
        let capacity = policy == .latest ? 1 : policy == rule.policy ? rule.capacity : LinkRule.lossless.capacity
        self.init(policy, capacity: input.capacity ?? capacity)
    }
}
