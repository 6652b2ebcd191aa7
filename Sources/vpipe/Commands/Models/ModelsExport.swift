// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Foundation
internal import Networks
import Pipeline

extension ModelsCommand {
    /// `vpipe models export`.
    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a network with its weights as ONNX, for other tools.")

        @Argument(help: "The network: mlsd or retinaface.") var network: String
        @Option(help: "Variant of the network.") var variant: String?
        @Option(help: "Weights file; the default ones otherwise.") var weights: String?
        @Option(help: ArgumentHelp("Input size.", valueName: "WxH")) var size: String?
        @Option(name: .shortAndLong, help: "The ONNX file to write.") var output: String

        func run() throws {
            let wanted = try ModelsCommand.inputSize(size)
            guard let usual = Architecture.all.first(where: { $0.network == network })?.variant else {
                throw Failure(.usage, "vpipe: no network \"\(network)\"")
            }
            do {
                let model = try NodeModel(network: network, variant: variant ?? usual, weights: weights, size: wanted)
                let bytes = try model.architecture.onnx(at: model.size, weights: model.weights)
                try Data(bytes).write(to: URL(fileURLWithPath: output), options: .atomic)
                Console.line(
                    "wrote \(output): \(network) \(model.architecture.variant) at \(model.size) from \(model.path)")
            } catch {
                throw Failure(.failed, "vpipe: \(error)")
            }
        }
    }
}
