// SPDX-License-Identifier: Apache-2.0

/// Checks a whole pipeline tree, collecting every problem; without an error the resolver gets what was read.
struct PipelineValidator {
    let source: SourceText
    /// The frame rate that the target promises, and where it says so.
    private(set) var wantedRate: (fps: Double, location: SourceLocation)?
    let contracts: ContractTable
    var problems: ProblemList
    var drafts: [DraftNode] = []
    var indexOfNode: [String: Int] = [:]

    /// More nodes than this are refused.
    static let nodeLimit = 1000
    static let topKeys = ["$schema", "$comment", "name", "target", "ladder", "for", "nodes"]
    static let targetKeys = ["fps", "latencyMs"]
    static let fpsSpec = ParamSpec(
        name: "fps", kind: .number, limits: ParamLimits(lowest: 0.1, highest: 1000),
        doc: "Frames per second the pipeline promises to keep")
    static let latencySpec = ParamSpec(
        name: "latencyMs", kind: .number, unit: "ms", limits: ParamLimits(lowest: 1, highest: 60_000),
        doc: "Time from capture to delivery that it promises to stay under")

    init(source: SourceText, contracts: ContractTable, problems: ProblemList) {
        self.source = source
        self.contracts = contracts
        self.problems = problems
    }

    mutating func validate(_ root: JSONNode) -> ValidatedPipeline? {
        guard case .object(let members) = root.value else {
            if !root.isInvalid {
                report(
                    root.location, JSONPath(), "a pipeline is a JSON object", found: root.foundText,
                    fix: "start with { \"nodes\": { ... } }")
            }
            return nil
        }
        checkKeys(members, allowed: Self.topKeys, at: JSONPath(), noun: "keys")
        let name = readName(root["name"])
        let target = readTarget(root["target"])
        for key in ["$schema", "$comment"] {
            if let value = root[key], value.string == nil, !value.isInvalid {
                report(value.location, JSONPath(key), "must be text in double quotes", found: value.foundText)
            }
        }
        readNodes(root)
        let ladder = readLadder(root["ladder"], target: target)
        let links = resolveLinks()
        checkGraph(links)
        guard !problems.hasErrors else { return nil }
        return PipelineResolver(source: source, drafts: drafts, links: links).resolve(
            name: name, target: target, ladder: ladder, warnings: problems.diagnostics(in: source))
    }

    // MARK: The top of the file

    private mutating func readName(_ node: JSONNode?) -> String? {
        guard let node, !node.isInvalid else { return nil }
        guard let name = node.string else {
            report(
                node.location, JSONPath("name"), "must be text in double quotes", found: node.foundText,
                expected: "text in double quotes")
            return nil
        }
        return name
    }

    private mutating func readTarget(_ node: JSONNode?) -> PipelineTarget? {
        guard let node, !node.isInvalid else { return nil }
        guard case .object(let members) = node.value else {
            report(
                node.location, JSONPath("target"), "must be an object", found: node.foundText, expected: "an object",
                fix: "write { \"fps\": 30, \"latencyMs\": 80 }")
            return nil
        }
        checkKeys(members, allowed: Self.targetKeys, at: JSONPath("target"), noun: "keys")
        var target = PipelineTarget()
        target.fps = readNumber(node["fps"], Self.fpsSpec)
        if let fps = target.fps, let field = node["fps"] { wantedRate = (fps, field.location) }
        target.latencyMilliseconds = readNumber(node["latencyMs"], Self.latencySpec)
        return target
    }

    private mutating func readNumber(_ node: JSONNode?, _ spec: ParamSpec) -> Double? {
        guard let node, let value = decode(spec, node, at: JSONPath("target", spec.name)) else { return nil }
        if case .number(let number) = value { return number }
        return nil
    }

    private mutating func readNodes(_ root: JSONNode) {
        guard let node = root["nodes"] else {
            report(
                root.location, JSONPath("nodes"), "is missing",
                fix: "add \"nodes\": { \"ID\": { \"type\": ... }, ... }")
            return
        }
        if node.isInvalid { return }
        guard case .object(let members) = node.value else {
            report(
                node.location, JSONPath("nodes"), "must be an object of nodes by id", found: node.foundText,
                expected: "an object", fix: "write \"nodes\": { \"ID\": { \"type\": ... }, ... }")
            return
        }
        guard members.count <= Self.nodeLimit else {
            report(
                node.location, JSONPath("nodes"), "must hold at most \(Self.nodeLimit) nodes", found: "\(members.count)"
            )
            return
        }
        if members.isEmpty {
            report(
                node.location, JSONPath("nodes"), "holds no node",
                fix: "add \"ID\": { \"type\": ... }; `vpipe nodes` lists the types")
        }
        for member in members {
            indexOfNode[member.key] = drafts.count
            let draft = readNode(member)
            drafts.append(draft)
        }
    }

    // MARK: Reporting

    mutating func report(
        _ location: SourceLocation, _ path: JSONPath, _ message: String, found: String? = nil,
        expected: String? = nil, fix: String? = nil, severity: Diagnostic.Severity = .error
    ) {
        problems.add(
            Problem(
                severity: severity, location: location, path: path.text, message: message, found: found,
                expected: expected, fix: fix))
    }

    /// A suggestion for an unknown word; none once so many problems are known that no more are kept.
    func suggest(for word: String, among candidates: [String], noun: String) -> String? {
        problems.isFull ? nil : suggestion(for: word, among: candidates, noun: noun)
    }

    /// Reports every key that is not allowed.
    mutating func checkKeys(
        _ members: [JSONMember], allowed: [String], at path: JSONPath, noun: String, synonyms: [String: String] = [:]
    ) {
        for member in members where !allowed.contains(member.key) {
            let fix = synonyms[member.key.lowercased()].map { "did you mean \"\($0)\"?" }
            report(
                member.keyLocation, path.appending(member.key), "unknown key",
                fix: fix ?? suggest(for: member.key, among: allowed.filter { !$0.hasPrefix("$") }, noun: noun))
        }
    }

    /// Reads a parameter, reporting what is wrong with it.
    mutating func decode(_ spec: ParamSpec, _ node: JSONNode, at path: JSONPath) -> ParamValue? {
        do throws(ParamMistake) {
            return try spec.decode(node)
        } catch {
            report(
                node.location, path, error.message, found: error.found, expected: error.expected, fix: error.fix)
            return nil
        }
    }
}
