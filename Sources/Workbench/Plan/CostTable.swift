// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Foundation
internal import Media
internal import PipelineLanguage

/// Figures measured on this machine, kept from one plan to the next.
///
/// An entry is known by everything that its figure depends on: the nodes and settings that were run, the files they
/// read, the processor, and the program. A table that cannot be read or written costs time, nothing else.
struct CostTable {
    private struct Entry: Codable {
        var figures: Rehearsal.Figures
        var measured: Date
    }

    private static let limit = 500

    private let path: String
    private var entries: [String: Entry]

    /// The table of this user: `$XDG_CACHE_HOME/vpipe/costs.json` or `~/.cache/vpipe/costs.json`.
    static var standardPath: String {
        let environment = ProcessInfo.processInfo.environment
        let cache =
            environment["XDG_CACHE_HOME"].flatMap { $0.isEmpty ? nil : $0 }
            ?? (environment["HOME"] ?? NSTemporaryDirectory()) + "/.cache"
        return cache + "/vpipe/costs.json"
    }

    init(path: String = standardPath) {
        self.path = path
        let data = FileManager.default.contents(atPath: path)
        entries = data.flatMap { try? JSONDecoder().decode([String: Entry].self, from: $0) } ?? [:]
    }

    /// The figures kept under a key.
    subscript(key: String) -> Rehearsal.Figures? { entries[key]?.figures }

    /// Keeps figures, and forgets the oldest ones when there are many.
    mutating func store(_ figures: Rehearsal.Figures, under key: String, at date: Date = Date()) {
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
    static func key(of pipeline: ValidatedPipeline, isPaced: Bool, isLive: Bool, cores: Int) -> String {
        let limit = pipeline.target?.latencyMilliseconds.map { " within \($0) ms" } ?? ""
        var parts = [machine, "\(cores) cores", isPaced ? "paced" + limit : isLive ? "live, unpaced" : "free"]
        for node in pipeline.nodes {
            var text = node.type
            for parameter in node.contract.parameters where !parameter.isWritten && parameter.name != "path" {
                guard let value = node.settings.value(named: parameter.name) else { continue }
                text += " \(parameter.name)=\(redacted(value.text))"
                if [.path, .url].contains(parameter.kind) { text += identity(ofFile: value.text) }
            }
            text +=
                " <- "
                + node.inputs.map { link in
                    let writer = pipeline.nodes.firstIndex { $0.id == link.from }.map { String($0) } ?? "?"
                    return "\(writer).\(link.fromPort) \(link.rule)"
                }.joined(separator: ", ")
            parts.append(text)
        }
        return parts.joined(separator: "; ")
    }

    private static let machine: String = {
        let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(separator: "\n") ?? []
        let model = lines.first { $0.hasPrefix("model name") || $0.hasPrefix("CPU part") }.map { String($0) } ?? "?"
        return model
            + identity(ofFile: (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "")
    }()

    /// Size and time of a file, for noticing that it is another one now.
    private static func identity(ofFile path: String) -> String {
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: path) else { return "" }
        let size = (attributes[.size] as? Int) ?? 0
        let time = (attributes[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
        return " (\(size) bytes, \(Int(time)))"
    }
}
