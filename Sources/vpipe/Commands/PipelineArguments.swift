// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Pipeline
internal import PipelineLanguage

/// What all commands that read a pipeline file take.
struct PipelineArguments: ParsableArguments {
    @Argument(help: "The pipeline file; - is standard input.", completion: .file(extensions: ["json"]))
    var pipeline: String

    @Option(name: .customLong("set"), help: ArgumentHelp("Override a parameter.", valueName: "node.param=value"))
    var overrides: [String] = []

    /// Reads and checks the file; warnings are told in the form of `log`.
    func validated(log: LogFormat = .text, isQuiet: Bool = false) throws -> ValidatedPipeline {
        do {
            let file = try PipelineFile(path: pipeline)
            let valid = try file.validated(against: Installation.registry.contracts, overrides: overrides)
            for warning in isQuiet ? [] : valid.warnings { log.say("warning", lines: warning.lines) }
            return valid
        } catch {
            throw Failure(error)
        }
    }
}
