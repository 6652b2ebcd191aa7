// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Foundation
internal import Networks
import Pipeline

extension ModelsCommand {
    /// `vpipe models export`.
    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a network with its weights as ONNX for other tools, or its weights alone.",
            discussion: "Both carry what is known of the weights: counts, input sizes, pre-processing, provenance, "
                + "licence and a checksum. The ONNX model takes the input tensor after pre-processing.")

        @Argument(help: "The network, as \"vpipe models list\" names it.") var network: String
        @Option(help: "Variant of the network.") var variant: String?
        @Option(help: "Weights file; the default ones otherwise.") var weights: String?
        @Option(help: "Initial weights of this seed instead, for training; see \"vpipe models init\".")
        var randomSeed: UInt64?
        @Flag(help: "As training needs it: every head, batch normalisations as layers of their own.")
        var training = false
        @Option(help: ArgumentHelp("Input size.", valueName: "WxH")) var size: String?
        @Flag(help: "In 8 bits, as \"vpipe models quantize\" recorded it: QuantizeLinear and DequantizeLinear inside.")
        var int8 = false
        @Option(name: .shortAndLong, help: "The file to write: .onnx or .safetensors.") var output: String

        func validate() throws {
            if randomSeed != nil, weights != nil {
                throw ValidationError("--random-seed and --weights exclude each other")
            }
            guard !int8 || !training && output.hasSuffix(".onnx") else {
                throw ValidationError("--int8 is for .onnx files that are not for training")
            }
            guard output.hasSuffix(".onnx") || output.hasSuffix(".safetensors") else {
                throw ValidationError("the name of an export ends in .onnx or .safetensors (got \(output))")
            }
        }

        @Flag(help: "Replace the output if it exists.") var overwrite = false

        func run() throws {
            try ModelsCommand.checkFree(output, overwrite: overwrite)
            let wanted = try ModelsCommand.inputSize(size)
            let architecture = try ModelsCommand.architecture(network, variant)
            do {
                let found = try ModelsCommand.model(
                    of: architecture, weights: weights, randomSeed: randomSeed, size: wanted)
                let model = int8 ? try found.quantised() : found
                let recorded = try model.weights.recorded(for: model.architecture)
                if output.hasSuffix(".safetensors") {
                    try SafeTensors.write(recorded, path: output)
                } else {
                    let (size, metadata) = (model.size, recorded.metadata)
                    let bytes =
                        try training
                        ? model.architecture.trainingONNX(at: size, weights: recorded, metadata: metadata)
                        : model.architecture.onnx(at: size, weights: recorded, metadata: metadata)
                    try Data(bytes).write(to: URL(fileURLWithPath: output), options: .atomic)
                }
                Console.line(
                    "wrote \(output): \(network) \(model.architecture.variant) at \(model.size) from \(model.path)")
            } catch {
                throw Failure(.failed, "vpipe: \(error)")
            }
        }
    }
}
