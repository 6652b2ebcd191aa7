// SPDX-License-Identifier: Apache-2.0
internal import Annotations
package import Inference
internal import Networks
internal import PipelineLanguage
package import Vision

/// A node type that runs networks of one family of the catalogue on pictures.
///
/// It declares a contract; `variant` and the parameters of ``NetworkParams`` are understood already.
protocol NetworkNode: NodeType {
    associatedtype Options: Sendable
    associatedtype Output: Sendable

    /// The family whose networks it runs.
    static var family: PictureFamily<Options, Output> { get }
    /// Which of them.
    static var variant: Param<String> { get }
    /// What its own parameters say to the family.
    ///
    /// - Throws: a sentence for the user.
    static func options(_ settings: Settings, for model: NodeModel) throws -> Options
    /// What is found, as it travels with the frame.
    static func result(_ output: Output) -> any AnnotationList
    /// What the report says besides network, size and precision; nil for nothing.
    static func note(_ options: Options) -> String?
}

extension NetworkNode {
    static func note(_ options: Options) -> String? { nil }

    static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        try NetworkParams.requireFiles(of: node, in: context)
        return try DetectNode.make(node, in: context) { settings in
            let chosen = try NetworkParams.chosen(
                NetworkParams.model(family.networks, variant: settings[variant], settings), settings, in: context)
            let model = chosen.model
            let options = try Self.options(settings, for: model)
            let network = try family.network(
                model.setup(
                    engine: context.engine, compile: context.compileOptions(chosen.precision)),
                options: options)
            return NodeNetwork(
                network: network.map(result),
                summary: model.summary(network.model, note: note(options), reason: chosen.reason),
                file: model.path)
        }
    }
}

extension NodeModel {
    /// The model with what runs it.
    package func setup(engine: any InferenceEngine, compile: CompileOptions, requests: Int? = nil) -> NetworkSetup {
        NetworkSetup(architecture, weights: weights, size: size, engine: engine, compile: compile, requests: requests)
    }

    /// A line for the report: network, size, precision, threads, weights, and why this precision.
    func summary(_ compiled: CompiledModel, note: String? = nil, reason: String? = nil) -> String {
        let isPreview = weights.metadata[Weights.MetadataKey.state] == Weights.State.preview
        return "\(architecture.network) \(architecture.variant) at \(size)\(note.map { ", \($0)" } ?? ""), "
            + "\(compiled.settings.summary), \(path)\(isPreview ? " (preview weights: weak)" : "")"
            + ((reason ?? compiled.refusal).map { "; precision: \($0)" } ?? "")
    }
}

extension CompiledModel {
    /// Why it runs in another arithmetic than was asked for; nil where it does not.
    var refusal: String? {
        let granted = settings.precision
        guard granted != options.precision, granted == .f32 else { return nil }
        return options.precision == .int8
            ? "f32, as there is nothing quantised in it"
            : "f32, as this processor has no units for \(options.precision)"
    }
}
