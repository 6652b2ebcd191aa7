// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Foundation
internal import Networks
import Pipeline

/// `vpipe models`; each subcommand has its own file.
struct ModelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models", abstract: "List, inspect, import, export, check, measure and quantize network weights.",
        subcommands: [
            List.self,
            Info.self,
            Import.self,
            Export.self,
            Init.self,
            Verify.self,
            Parity.self,
            Eval.self,
            Quantize.self,
        ], defaultSubcommand: List.self)

    /// Reads a size given on the command line.
    static func inputSize(_ text: String?) throws -> InputSize? {
        guard let text else { return nil }
        guard let size = InputSize(text) else {
            throw ValidationError("a size is WIDTHxHEIGHT, as in 512x512 (got \(text))")
        }
        return size
    }

    /// The catalogue entry of a network, in its first variant when none is named.
    static func architecture(_ network: String, _ variant: String?) throws -> Architecture {
        do {
            let family = try NetworkFamily.named(network)
            return try variant.map { try family.architecture($0) } ?? family.architectures[0]
        } catch {
            throw Failure(.usage, "vpipe: \(error)")
        }
    }

    /// The weights of a network: a file's, or initial ones of a seed, or the best that are installed.
    static func model(
        of architecture: Architecture, weights: String?, randomSeed: UInt64?, size: InputSize?
    ) throws -> NodeModel {
        if let randomSeed {
            return NodeModel(
                architecture, try architecture.build().initialWeights(seed: randomSeed),
                path: "initial weights of seed \(randomSeed)", size: size)
        }
        return try NodeModel(
            architecture.family, variant: architecture.variant, weights: weights, size: size)
    }

    /// A count in thousand millions, as papers give multiply-accumulates.
    static func giga(_ count: Int) -> String { Figures.fixed(Double(count) / 1e9, 3) }
}

extension ModelsCommand {
    /// Refuses a file that exists and may not be replaced.
    static func checkFree(_ path: String, overwrite: Bool) throws {
        guard !overwrite, FileManager.default.fileExists(atPath: path) else { return }
        throw Failure(.failed, "vpipe: \(path): exists already; replace it with --overwrite")
    }
}
