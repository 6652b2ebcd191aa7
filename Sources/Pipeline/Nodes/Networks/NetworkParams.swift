// SPDX-License-Identifier: Apache-2.0
internal import Inference
internal import Networks
internal import PipelineLanguage

/// The parameters that all inference nodes share.
enum NetworkParams {
    /// The arithmetic a user can ask for.
    enum PrecisionChoice: String, CaseIterable, Sendable { case auto, f32, bf16, int8 }

    static let weights = Param.path(
        "weights", role: .input(standard: { ModelStore.standardFolders }),
        doc:
            "\"default\", the best installed ones (\"vpipe models list\" names them), or a weights file (.safetensors, or "
            + "an official release); \"default\" when absent"
    ).optional
    static let size = Param.size(
        "size", range: 32...4096, changeable: true,
        doc: "Size of the network's input; what the weights were made for when absent"
    ).rebuildsNetwork.optional
    static let downscale = Param.integer(
        "downscale", default: 1, range: 1...8, changeable: true,
        doc: "Divide the input's width and height by this, up to the next size the network takes; for rungs of a ladder"
    ).rebuildsNetwork.cheaper(by: .fewerPixels)
    static let precision = Param.choice(
        "precision", default: PrecisionChoice.auto, changeable: true,
        docs: [
            "auto":
                "the fastest here of those whose results were measured to be as good as f32's for these weights; f32 "
                + "where nothing was measured (\"vpipe models quantize\" does)",
            "f32": "32-bit floats", "bf16": "faster where the processor has it, less exact",
            "int8": "8-bit integers, as \"vpipe models quantize\" recorded them beside the weights",
        ], doc: "Arithmetic of the network"
    ).rebuildsNetwork
    static let every = Param.integer(
        "every", default: 1, range: 1...1000, unit: "frames", changeable: true,
        doc: "Run the network on every Nth frame; the frames between carry its last result on with the motion, marked"
    ).cheaper(by: .fewerFrames)

    /// The variants of a family, the usual one by default.
    static func variant(
        _ family: NetworkFamily, and others: [ParamKind.Choice] = [], changeable: Bool = false, doc: String
    ) -> Param<String> {
        let choices = family.variants.map { ParamKind.Choice($0.name, $0.note) } + others
        let variant = Param.choice(
            "variant", of: choices, default: choices.first?.value, changeable: changeable, doc: doc)
        return changeable ? variant.rebuildsNetwork : variant
    }

    /// What is wrong with size and weights whatever the weights are.
    static func problems(_ family: NetworkFamily) -> @Sendable (Settings) -> [SettingsProblem] {
        { settings in
            weightsProblems(settings) + sizeProblems(settings[size], of: family)
        }
    }

    /// Refuses a folder where a file is meant.
    static func weightsProblems(_ settings: Settings) -> [SettingsProblem] {
        guard let path = settings[weights], path != NodeModel.defaultWeights else { return [] }
        return InputFile.problems(path, weights.spec.name) { _ in "name one weights file" }
    }

    /// Refuses sizes at which a family's networks cannot be built.
    static func sizeProblems(_ size: PixelSize?, of family: NetworkFamily) -> [SettingsProblem] {
        guard let size = size.map({ InputSize(width: $0.width, height: $0.height) }), !family.sizes.allows(size) else {
            return []
        }
        let choices = family.sizes.nearest(to: size).map { "\"\($0)\"" }.joined(separator: " or ")
        return [
            SettingsProblem(
                parameter: Self.size.spec.name,
                message: "is not possible for \(family.name): width and height must be \(family.sizes)",
                fix: "use \(choices)")
        ]
    }

    /// Refuses weights and other files that are not there.
    static func requireFiles(of node: ValidatedNode, in context: BuildContext) throws {
        for parameter in node.contract.parameters where parameter.role.isInputFile {
            guard case .string(let text)? = node.settings.value(named: parameter.name),
                // The others are names: "default", "auto", "cityscapes".
                parameter.kind == .path && text != NodeModel.defaultWeights || text.hasSuffix(".json")
            else { continue }
            try InputFile.require(text, parameter.name, of: node, in: context)
        }
    }

    /// The model that `settings` ask for.
    static func model(_ family: NetworkFamily, variant: String, _ settings: Settings) throws -> NodeModel {
        let model = try NodeModel(
            family, variant: variant, weights: settings[weights],
            size: settings[size].map { InputSize(width: $0.width, height: $0.height) })
        return settings[downscale] == 1 ? model : model.downscaled(by: settings[downscale])
    }

    /// The arithmetic that `settings` ask for, where nothing can have been measured: `auto` is f32 then.
    static func precision(_ settings: Settings) -> Precision {
        Precision(rawValue: settings[precision].rawValue) ?? .f32
    }

    /// The model in the arithmetic that `settings` name, or in the one that was measured to be the best.
    ///
    /// - Throws: a sentence where int8 is named and there is no record of it.
    static func chosen(_ model: NodeModel, _ settings: Settings, in context: BuildContext) throws -> ChosenModel {
        try ChosenModel(
            model, in: Precision(rawValue: settings[precision].rawValue), engine: context.engine,
            options: context.compileOptions(.f32))
    }
}
