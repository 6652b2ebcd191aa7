// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Networks

/// `vpipe models`; each subcommand has its own file.
struct ModelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models", abstract: "List, import, inspect and export network weights; make initial ones.",
        subcommands: [
            List.self,
            Info.self,
            Import.self,
            Export.self,
            Init.self,
            Eval.self,
        ], defaultSubcommand: List.self)

    /// The catalogue entry of a network, in its first variant when none is named.
    static func architecture(_ network: String, _ variant: String?) throws -> Architecture {
        guard let variant = variant ?? Architecture.all.first(where: { $0.network == network })?.variant else {
            let names = Set(Architecture.all.map(\.network)).sorted().joined(separator: ", ")
            throw Failure(.usage, "vpipe: no network \"\(network)\"; there are \(names)")
        }
        do {
            return try Architecture.find(network, variant)
        } catch {
            throw Failure(.usage, "vpipe: \(error)")
        }
    }

    /// Reads a size given on the command line.
    static func inputSize(_ text: String?) throws -> InputSize? {
        guard let text else { return nil }
        guard let size = InputSize(text) else {
            throw ValidationError("a size is WIDTHxHEIGHT, as in 512x512 (got \(text))")
        }
        return size
    }
}
