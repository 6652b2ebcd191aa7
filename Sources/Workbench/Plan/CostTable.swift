// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Foundation
internal import Media
internal import Networks
internal import PipelineLanguage

/// Figures measured on this machine, kept from one plan to the next.
///
/// An entry is known by everything that its figure depends on: the nodes and settings that were run, the files they
/// read, the processor, and the program. A table that cannot be read or written costs time, nothing else.
struct CostTable {
    private struct Entry: Codable {
        var figures: TrialRun.Figures
        var measured: Date
    }

    private static let limit = 500

    private let path: String
    private var entries: [String: Entry]

    /// The table of this user: `$XDG_CACHE_HOME/vpipe/costs.json` or `~/.cache/vpipe/costs.json`.
    static var standardPath: String { (Folders().cache ?? NSTemporaryDirectory() + "/vpipe") + "/costs.json" }

    init(path: String = standardPath) {
        self.path = path
        let data = FileManager.default.contents(atPath: path)
        entries = data.flatMap { try? JSONDecoder().decode([String: Entry].self, from: $0) } ?? [:]
    }

    /// The figures kept under a key.
    subscript(key: String) -> TrialRun.Figures? { entries[key]?.figures }

    /// Keeps figures, and forgets the oldest ones when there are many.
    mutating func store(_ figures: TrialRun.Figures, under key: String, at date: Date = Date()) {
        entries[key] = Entry(figures: figures, measured: date)
        while entries.count > Self.limit, let oldest = entries.min(by: { $0.value.measured < $1.value.measured }) {
            entries[oldest.key] = nil
        }
    }

    /// Writes the table, whole or not at all.
    func save() {
        let file = URL(fileURLWithPath: path)
        try? FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try? encoder.encode(entries).write(to: file, options: .atomic)
    }

    /// What the figures of running `pipeline` depend on.
    ///
    /// - Parameter engine: name and version of the engine, for pipelines with networks.
    static func key(
        of pipeline: ValidatedPipeline, isPaced: Bool, isLive: Bool, cores: Int, engine: String = ""
    ) -> String {
        let limit = pipeline.target?.latencyMilliseconds.map { " within \($0) ms" } ?? ""
        var parts = [program, "\(cores) cores", isPaced ? "paced" + limit : isLive ? "live, unpaced" : "free"]
        if pipeline.usesEngine { parts.append(engine) }
        for node in pipeline.nodes {
            let links = node.inputs.map { link in
                let writer = pipeline.nodes.firstIndex { $0.id == link.from }.map { String($0) } ?? "?"
                return "\(writer).\(link.fromPort) \(link.rule)"
            }
            let settings = node.contract.parameters.compactMap { text(of: $0, in: node.settings) }
            parts.append(
                "\(node.id): \(node.type)" + settings.map { " " + $0 }.joined() + " <- " + links.joined(separator: ", ")
            )
        }
        return parts.joined(separator: "; ")
    }

    /// What of a parameter decides the cost; nil where nothing does.
    private static func text(of parameter: ParamSpec, in settings: Settings) -> String? {
        let value = settings.value(named: parameter.name)?.text
        switch parameter.role {
        case .input(let standard):
            guard let identity = value.flatMap(ContentIdentity.of) else {
                let folders = standard().compactMap { folder in
                    ContentIdentity.of(folder).map { "\(folder) (\($0))" }
                }
                guard value != nil || !folders.isEmpty else { return nil }
                return "\(parameter.name)=\(redacted(value ?? "")) \(folders.joined(separator: ", "))"
            }
            // What was measured of weights decides their arithmetic.
            let record = value.flatMap { ContentIdentity.of(QuantisationRecord.path(besides: $0)) }
            return "\(parameter.name)=\(redacted(value ?? "")) (\(identity)\(record.map { "; record \($0)" } ?? ""))"
        case .output, .peer:
            // Where it goes does not matter, but for what a name's ending or a scheme says of the format.
            let scheme = value.flatMap { text in text.firstRange(of: "://").map { String(text[..<$0.lowerBound]) } }
            return value.map { "\(parameter.name)=\(scheme ?? URL(fileURLWithPath: $0).pathExtension)" }
        case .setting, .pace, .length:
            return value.map { "\(parameter.name)=\(redacted($0))" }
        }
    }

    /// The processor and this program.
    private static let program: String = {
        let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(separator: "\n") ?? []
        let model = lines.first { $0.hasPrefix("model name") || $0.hasPrefix("CPU part") }.map { String($0) } ?? "?"
        return "\(model), program of \(ContentIdentity.of("/proc/self/exe") ?? "?")"
    }()
}

extension ValidatedPipeline {
    /// Whether some node may run a network.
    var usesEngine: Bool { nodes.contains { $0.reachesSink && $0.contract.category == .inference } }
}
