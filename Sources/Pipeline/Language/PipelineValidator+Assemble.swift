// SPDX-License-Identifier: Apache-2.0

extension PipelineValidator {
    /// Puts together the pipeline of a file without errors.
    func assemble(
        _ links: [DraftLink], name: String?, target: PipelineTarget?, ladder: LadderChoice
    ) -> ValidatedPipeline? {
        let flow = GraphFlow(drafts: drafts, links: links)
        guard flow.order.count == drafts.count else { return nil }
        var isLive = Array(repeating: false, count: drafts.count)
        for index in flow.order {
            let draft = drafts[index]
            guard let contract = draft.contract, let settings = draft.settings else { return nil }
            isLive[index] =
                flow.incoming[index].isEmpty
                ? contract.liveness.isLive(settings) : flow.incoming[index].contains { isLive[$0.from] }
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
                    inputs: resolved[index], outputs: outputs, sources: flow.sources[index].map { drafts[$0].id },
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
            file: source.file, name: name, target: target, ladder: steps, nodes: nodes,
            warnings: problems.diagnostics(in: source))
    }

    private func resolve(_ link: DraftLink, isLive: Bool, _ flow: GraphFlow) -> ValidatedLink? {
        guard let writer = drafts[link.from].contract, let port = link.port else { return nil }
        let isGiven = link.input.policy != nil || link.input.capacity != nil
        guard let usual = port.link ?? usualRule(link, isLive: isLive, flow) else { return nil }
        return ValidatedLink(
            from: drafts[link.from].id, fromPort: writer.outputs[link.fromPort].name, fromPortIndex: link.fromPort,
            to: drafts[link.to].id, toPort: port.name, toPortIndex: link.position,
            rule: Self.rule(link.input, usual: usual), isRuleGiven: isGiven)
    }

    /// What a link is where neither the file nor the port says: lossless, but live sources are never held up.
    private func usualRule(_ link: DraftLink, isLive: Bool, _ flow: GraphFlow) -> LinkRule? {
        guard let writer = drafts[link.from].contract, let reader = drafts[link.to].contract,
            let settings = drafts[link.to].settings
        else { return nil }
        // A network was spent on frames with results: they are not thrown away to make room for others.
        let isUnspent = flow.carried[link.from][link.fromPort].isEmpty
        if drafts[link.to].inputs.count > 1, reader.joinsOneSource {
            guard reader.waitsForBranches(settings) else {
                return !isLive ? .lossless : link.position == 0 ? .live : .newestResults
            }
            return isLive && isUnspent ? .liveJoin : .join
        }
        guard isLive else { return .lossless }
        if reader.category == .inference { return isUnspent ? .live : .liveNetwork }
        return writer.category == .source ? .live : .liveLater
    }

    /// What the file says about a link, completed by what is usual.
    private static func rule(_ input: DraftInput, usual: LinkRule) -> LinkRule {
        guard let policy = input.policy else {
            guard let capacity = input.capacity else { return usual }
            // More than one place with "latest" is what "dropOldest" does.
            return LinkRule(usual.policy == .latest && capacity > 1 ? .dropOldest : usual.policy, capacity: capacity)
        }
        let capacity = policy == .latest ? 1 : policy == usual.policy ? usual.capacity : LinkRule.lossless.capacity
        return LinkRule(policy, capacity: input.capacity ?? capacity)
    }
}
