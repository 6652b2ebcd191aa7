// SPDX-License-Identifier: Apache-2.0

/// What sensitive sources see must not be given away as it is.
///
/// ```
///  camera (sensitive) --raw--> faces --raw--> redact --> overlay --> file       fine
///                                 +----results----------^
///                                 +--raw--> snapshots                           refused, unless it says "allowRaw"
/// ```
/// Pictures go along the links that a node takes them from; tensors, which may be pictures, along all. Sound goes by the
/// graph: any sink behind the source may take it; so do its packets, where a sink stores them as they came.
extension PipelineValidator {
    static let sensitiveSpec = ParamSpec(
        name: "sensitive", kind: .boolean, default: .boolean(false),
        doc: "Whether pictures and sound may leave the pipeline only redacted")
    static let allowRawSpec = ParamSpec(
        name: "allowRaw", kind: .string,
        doc: "The reason for which the sink may give away what a sensitive source sees; it stands in the report")

    /// Reads `sensitive` of a source and `allowRaw` of a sink.
    mutating func readDisclosure(_ node: JSONNode, _ contract: Contract, into draft: inout DraftNode) {
        if let member = node.member("sensitive") {
            let path = draft.path.appending("sensitive")
            if contract.category != .source {
                report(
                    member.keyLocation, path, "only a source can be sensitive",
                    fix: "say it at the source; everything behind it is checked")
            } else if case .boolean(let flag) = decode(Self.sensitiveSpec, member.value, at: path) {
                draft.isSensitive = flag
            }
        }
        if let member = node.member("allowRaw") {
            let path = draft.path.appending("allowRaw")
            if contract.category != .sink {
                report(
                    member.keyLocation, path, "only a sink gives anything away", fix: "say it at the sink that may")
            } else if case .string(let reason) = decode(Self.allowRawSpec, member.value, at: path) {
                if reason.contains(where: { !$0.isWhitespace }) {
                    draft.allowRaw = reason
                } else {
                    report(
                        member.value.location, path, "gives no reason", found: member.value.foundText,
                        fix: "write why it is allowed; the report will say so")
                }
            }
        }
    }

    /// Where what a source sees came from on its way to a node: the node before it by source.
    private typealias Origins = [Int: Int]

    /// Refuses every sink that would give away what it must not, naming the way.
    mutating func checkDisclosure(_ flow: GraphFlow) {
        guard drafts.contains(where: \.isSensitive) else { return }
        var pictures: [Origins] = Array(repeating: [:], count: drafts.count)
        var tensors: [Origins] = Array(repeating: [:], count: drafts.count)
        /// Along every link, whatever is covered.
        var reached: [Origins] = Array(repeating: [:], count: drafts.count)
        for index in flow.order {
            let draft = drafts[index]
            if draft.isSensitive { (pictures[index], reached[index]) = ([index: index], [index: index]) }
            for link in flow.incoming[index] {
                for source in reached[link.from].keys where reached[index][source] == nil {
                    reached[index][source] = link.from
                }
                let isSeen = draft.contract?.pictures != .firstInput || link.position == 0
                if isSeen {
                    for source in pictures[link.from].keys where pictures[index][source] == nil {
                        pictures[index][source] = link.from
                    }
                }
                for source in tensors[link.from].keys where tensors[index][source] == nil {
                    tensors[index][source] = link.from
                }
            }
            if draft.contract?.redacts == true { (pictures[index], tensors[index]) = ([:], [:]) }
            if let contract = draft.contract, contract.category != .sink, let settings = draft.settings,
                contract.discloses(settings).contains(.tensors)
            {
                tensors[index].merge(pictures[index]) { old, _ in old }
            }
            refuse(index, flow, pictures, tensors, reached)
        }
    }

    private mutating func refuse(
        _ index: Int, _ flow: GraphFlow, _ pictures: [Origins], _ tensors: [Origins], _ reached: [Origins]
    ) {
        let draft = drafts[index]
        guard let contract = draft.contract, contract.category == .sink, draft.allowRaw == nil,
            let settings = draft.settings
        else { return }
        let disclosed = contract.discloses(settings)
        let redact = contracts.contracts.first { $0.redacts }.map { "read from a \(quoted($0.type)) node" }
        let fix = [redact, "say \"allowRaw\": \"the reason\""].compactMap { $0 }.joined(separator: ", or ")
        for source in drafts.indices where drafts[source].isSensitive {
            let name = quoted(drafts[source].id)
            var given: [String] = []
            if disclosed.contains(.pictures), pictures[index][source] != nil {
                given.append("raw pictures of \(name), which is sensitive: \(way(index, source, pictures))")
            } else if disclosed.contains(.tensors), tensors[index][source] != nil {
                given.append(
                    "tensors of raw pictures of \(name), which is sensitive: \(way(index, source, tensors, pictures))")
            }
            for what in given { report(draft.location, draft.path, "gives away \(what)", fix: fix) }
            if disclosed.contains(.packets), flow.sources[index].contains(source) {
                report(
                    draft.location, draft.path,
                    "gives away the packets of \(name), which is sensitive, as they came: "
                        + way(index, source, reached),
                    fix: "name a codec, so that the redacted picture is stored, or say \"allowRaw\": \"the reason\"")
            }
            if disclosed.contains(.sound), flow.sources[index].contains(source) {
                let canDrop = contract.parameter("audio") != nil
                report(
                    draft.location, draft.path, "gives away the sound of \(name), which is sensitive",
                    fix: canDrop ? "say \"audio\": \"none\", or \"allowRaw\": \"the reason\"" : fix)
            }
        }
    }

    /// The way from a source to a node; `before` goes on where `origins` begin.
    private func way(_ index: Int, _ source: Int, _ origins: [Origins], _ before: [Origins] = []) -> String {
        var nodes = [index]
        while let last = nodes.last, last != source, nodes.count <= drafts.count {
            guard let next = origins[last][source] ?? (before.isEmpty ? nil : before[last][source]) else { break }
            nodes.append(next)
        }
        let names = nodes.reversed().map { drafts[$0].id }
        let text = names.count <= 12 ? names : Array(names.prefix(6)) + ["..."] + Array(names.suffix(5))
        return text.joined(separator: " -> ")
    }
}
