// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Networks

/// `vpipe models`; each subcommand has its own file.
struct ModelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models", abstract: "List, import, inspect and export network weights.",
        subcommands: [
            List.self,
            Info.self,
            Import.self,
            Export.self,
        ], defaultSubcommand: List.self)

    /// Reads a size given on the command line.
    static func inputSize(_ text: String?) throws -> InputSize? {
        guard let text else { return nil }
        guard let size = InputSize(text) else {
            throw ValidationError("a size is WIDTHxHEIGHT, as in 512x512 (got \(text))")
        }
        return size
    }
}
