// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Networks
import Pipeline

extension ModelsCommand {
    /// `vpipe models init`.
    struct Init: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "init", abstract: "Write weights to start training from: random, reproducible.",
            discussion: "Kernels are drawn as Kaiming He proposes, batch norms change nothing, biases are 0.")

        @Argument(help: "The network, as \"vpipe models list\" names it.") var network: String
        @Option(help: "Variant of the network.") var variant: String?
        @Option(help: "Which random numbers.") var seed: UInt64 = 1
        @Option(name: .shortAndLong, help: "The .safetensors file to write.") var output: String

        @Flag(help: "Replace the output if it exists.") var overwrite = false

        func run() throws {
            try ModelsCommand.checkFree(output, overwrite: overwrite)
            let architecture = try ModelsCommand.architecture(network, variant)
            do {
                let weights = try architecture.build().initialWeights(seed: seed).recorded(for: architecture)
                try SafeTensors.write(weights, path: output)
                Console.line(
                    "wrote \(output): \(network) \(architecture.variant), \(weights.count) tensors, "
                        + "\(Figures.count(UInt64(weights.floatCount))) numbers, untrained, seed \(seed)")
            } catch {
                throw Failure(.failed, "vpipe: \(error)")
            }
        }
    }
}
