// SPDX-License-Identifier: Apache-2.0

internal import Foundation

/// A pipeline as its author wrote it, before anything in it has been checked.
public struct PipelineFile: Sendable {
    /// What was read, for showing lines of it.
    public let source: SourceText

    /// Takes a text held in memory; `name` is what messages call it.
    public init(name: String, text: String) {
        source = SourceText(file: name, bytes: Array(text.utf8))
    }

    /// Takes bytes held in memory; `name` is what messages call it.
    public init(name: String, bytes: [UInt8]) {
        source = SourceText(file: name, bytes: bytes)
    }

    /// Reads a file; `-` is standard input.
    ///
    /// - Throws: `PipelineFileError` with one diagnostic when it cannot be read.
    public init(path: String) throws(PipelineFileError) {
        do {
            let name = path == "-" ? "standard input" : path
            let handle =
                try path == "-" ? FileHandle.standardInput : FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            // One byte more than is accepted, so that the parser sees that it is too long.
            let data = try handle.read(upToCount: JSONTree.byteLimit + 1) ?? Data()
            source = SourceText(file: name, bytes: Array(data))
        } catch {
            var isFolder: ObjCBool = false
            let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
            let message =
                isFolder.boolValue
                ? "is a folder, not a pipeline file" : exists ? "cannot be read" : "no such pipeline file"
            throw PipelineFileError([Diagnostic(file: path, message: message)])
        }
    }

    /// What checking a file gave.
    public struct Check: Sendable {
        /// nil exactly when a diagnostic is an error.
        public let pipeline: ValidatedPipeline?
        /// All errors and warnings, in the order of the file; those of flags last.
        public let diagnostics: [Diagnostic]
    }

    /// Checks everything that can be checked without opening anything.
    ///
    /// `overrides` are the texts of `--set`, such as `detect.threshold=0.5`, applied in order before anything else;
    /// `environment` is what `${NAME}` reads; nil is the environment of the process.
    public func check(
        against contracts: ContractTable, overrides: [String] = [],
        environment: [String: String]? = nil
    ) -> Check {
        let tree = JSONTree(bytes: source.bytes)
        var problems = ProblemList()
        for problem in tree.problems { problems.add(problem) }
        guard tree.isComplete, var root = tree.root else {
            return Check(pipeline: nil, diagnostics: problems.diagnostics(in: source))
        }
        var repetition = Repetition()
        repetition.apply(to: &root, problems: &problems)
        // Flags before the environment: a value that a flag replaces may name variables that are not set.
        for (index, text) in overrides.enumerated() {
            Override(number: index, text: text).apply(to: &root, copies: repetition.copies, problems: &problems)
        }
        let interpolation = Interpolation(environment: environment ?? ProcessInfo.processInfo.environment)
        interpolation.apply(to: &root, path: JSONPath(), problems: &problems)
        var validator = PipelineValidator(source: source, contracts: contracts, problems: problems)
        var pipeline = validator.validate(root)
        pipeline?.origin = PipelineOrigin(
            file: self, contracts: contracts, overrides: overrides, environment: environment)
        if let warnings = pipeline?.warnings { pipeline?.warnings = repetition.merged(warnings) }
        return Check(
            pipeline: pipeline, diagnostics: repetition.merged(validator.problems.diagnostics(in: source)))
    }

    /// Checks everything and gives the pipeline, with its warnings inside.
    ///
    /// - Throws: `PipelineFileError` with every diagnostic, when one of them is an error.
    public func validated(
        against contracts: ContractTable, overrides: [String] = [],
        environment: [String: String]? = nil
    ) throws(PipelineFileError) -> ValidatedPipeline {
        let check = check(against: contracts, overrides: overrides, environment: environment)
        guard let pipeline = check.pipeline else { throw PipelineFileError(check.diagnostics) }
        return pipeline
    }
}
