// SPDX-License-Identifier: Apache-2.0
public import Annotations
internal import Foundation
internal import Media
public import PipelineLanguage
internal import Vision

/// The user's own names and colours of a segmentation's classes, in the order of the network's labels.
///
/// ```json
/// { "classes": [ { "name": "road", "color": "#804080" }, { "name": "field" } ] }
/// ```
/// A class without a colour gets one that differs from those around it.
public enum ClassFile {
    /// Reads and checks a file.
    ///
    /// - Throws: every mistake in it, with line and column.
    public static func read(_ path: String) throws(PipelineFileError) -> ClassSet {
        guard let handle = FileHandle(forReadingAtPath: path),
            let data = try? handle.read(upToCount: JSONTree.byteLimit + 1)
        else { throw PipelineFileError([Diagnostic(file: path, message: "no such file of classes, or not readable")]) }
        return try parse(SourceText(file: path, bytes: Array(data)))
    }

    /// Checks a text.
    static func parse(_ source: SourceText) throws(PipelineFileError) -> ClassSet {
        let tree = JSONTree(bytes: source.bytes)
        var problems = ProblemList()
        for problem in tree.problems { problems.add(problem) }
        var members: [ClassSet.Member] = []
        if tree.isComplete, let root = tree.root { members = read(root, &problems) }
        guard !problems.hasErrors else { throw PipelineFileError(problems.diagnostics(in: source)) }
        let name = source.file.split(separator: "/").last.map(String.init) ?? source.file
        return ClassSet(name, members)
    }

    private static func read(_ root: JSONNode, _ problems: inout ProblemList) -> [ClassSet.Member] {
        func complain(
            _ node: JSONNode, _ path: String, _ message: String, found: String? = nil, fix: String? = nil
        ) {
            guard !node.isInvalid else { return }
            problems.add(Problem(location: node.location, path: path, message: message, found: found, fix: fix))
        }
        for member in root.members where member.key != "classes" && member.key != "$comment" {
            problems.add(
                Problem(
                    location: member.keyLocation, path: member.key, message: "unknown key",
                    fix: suggestion(for: member.key, among: ["classes"], noun: "keys")))
        }
        guard let list = root["classes"], case .array(let entries) = list.value else {
            complain(
                root["classes"] ?? root, "classes", "must be a list of classes",
                fix: ##"{ "classes": [ { "name": "road", "color": "#804080" } ] }"##)
            return []
        }
        let limit = 254
        guard (2...limit).contains(entries.count) else {
            complain(list, "classes", "must hold 2 to \(limit) classes", found: "\(entries.count)")
            return []
        }
        var members: [ClassSet.Member] = []
        for (index, entry) in entries.enumerated() {
            let path = "classes[\(index)]"
            guard case .object = entry.value, let name = entry["name"] else {
                complain(
                    entry, path, "must be an object with a \"name\"", fix: ##"{ "name": "road", "color": "#804080" }"##)
                continue
            }
            for member in entry.members where member.key != "name" && member.key != "color" {
                problems.add(
                    Problem(
                        location: member.keyLocation, path: "\(path).\(member.key)", message: "unknown key",
                        fix: suggestion(for: member.key, among: ["name", "color"], noun: "keys")))
            }
            var color = Color.distinct(index)
            if let written = entry["color"] {
                if let text = written.string, let parsed = Color(text), parsed.alpha == 255 {
                    color = parsed
                } else {
                    complain(
                        written, "\(path).color", "must be a colour", found: written.string.map { quoted($0) },
                        fix: "write it as \"#RRGGBB\", as in \"#804080\"")
                }
            }
            guard let text = name.string, !text.isEmpty else {
                complain(name, "\(path).name", "must be a text that is not empty")
                continue
            }
            if let other = members.firstIndex(where: { $0.name == text }) {
                complain(name, "\(path).name", "is the name of classes[\(other)], too", found: quoted(text))
            }
            members.append(.init(text, color))
        }
        return members
    }
}
