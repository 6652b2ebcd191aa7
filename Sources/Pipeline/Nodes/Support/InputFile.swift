// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Foundation
internal import Glibc
internal import Media
internal import PipelineLanguage

/// Files that a pipeline names for reading: the mistakes that can be known before one is opened.
enum InputFile {
    /// What is wrong with a name whatever is in the file; empty for addresses, and for files that may come yet.
    ///
    /// - Parameters:
    ///   - parameter: the name's own.
    ///   - many: what to do where many files are meant, by a pattern for them.
    static func problems(
        _ text: String, _ parameter: String, many: (_ pattern: String) -> String
    ) -> [SettingsProblem] {
        guard let path = local(text) else { return [] }
        if isFolder(path) {
            let folder = path.hasSuffix("/") ? path : path + "/"
            return [
                SettingsProblem(
                    parameter: parameter, message: "is a folder, not a file", fix: many(printable(folder + "**/*.mp4")))
            ]
        }
        guard path.contains(where: { "*?[".contains($0) }), access(path, F_OK) != 0 else { return [] }
        return [
            SettingsProblem(
                parameter: parameter, message: "takes one file, and there is none of this name",
                fix: many(printable(path)))
        ]
    }

    /// Refuses the name of a file that is not there, as a mistake in the pipeline's text.
    ///
    /// - Throws: `PipelineFileError` with the place and what may have been meant.
    static func require(_ text: String, _ parameter: String, of node: ValidatedNode, in context: BuildContext) throws {
        guard let path = local(text), access(path, F_OK) != 0, errno == ENOENT || errno == ENOTDIR else { return }
        throw mistake("no such file", text, parameter, of: node, in: context)
    }

    /// The mistake of naming what is not there.
    static func mistake(
        _ message: String, _ text: String, _ parameter: String, of node: ValidatedNode, in context: BuildContext
    ) -> PipelineFileError {
        PipelineFileError([
            Diagnostic(
                file: context.pipeline.file, line: node.position.line, column: node.position.column,
                path: "nodes.\(node.id).\(parameter)", message: message, found: "\"\(redacted(text))\"",
                fix: remedy(local(text) ?? text))
        ])
    }

    /// The path that a setting names; nil for what FFmpeg reads otherwise.
    private static func local(_ text: String) -> String? {
        text.hasPrefix("file:") || !InputProtocols.begins(text) ? FilePath.local(text) : nil
    }

    private static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// What may have been meant by a path that leads nowhere.
    private static func remedy(_ path: String) -> String {
        if isFolder(path) { return "name a folder that holds some" }
        let (folder, name) = FilePath.split(path)
        guard isFolder(folder) else { return "there is no folder \"\(folder)\" either" + origin(of: path) }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        if let near = closest(to: name, among: names.filter { !$0.hasPrefix(".") }.sorted()) {
            return "did you mean \"\(folder == "." ? near : folder + "/" + near)\"?"
        }
        return "name a file that is there" + origin(of: path)
    }

    private static func origin(of path: String) -> String {
        path.hasPrefix("/")
            ? "" : "; the path begins at the folder in which vpipe runs, \(FileManager.default.currentDirectoryPath)"
    }
}
