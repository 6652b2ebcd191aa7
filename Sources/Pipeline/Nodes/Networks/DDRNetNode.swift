// SPDX-License-Identifier: Apache-2.0
package import Annotations
internal import Networks
internal import PipelineLanguage
internal import Vision

/// `ddrnet`: a class for every part of the picture.
enum DDRNetNode: NetworkNode {
    /// Where the largest logit is looked for.
    enum Upsample: String, CaseIterable, Sendable { case cells, exact }

    static let family = SegmentationFamily.ddrnet

    static let variant = NetworkParams.variant(.ddrnet, changeable: true, doc: "Depth and width of the network")
    static let classes = Param.string(
        "classes", default: "auto",
        doc: "Names and colours: cityscapes, camvid, or a JSON file { \"classes\": [ { \"name\", \"color\" } ] }; "
            + "auto takes the names that the weights carry"
    ).role(.input())
    static let upsample = Param.choice(
        "upsample", default: Upsample.cells,
        docs: [
            "cells": "one class for each 8x8 pixels of the network's input",
            "exact": "one for each of its pixels, from interpolated logits: smooth borders",
        ], doc: "How fine the class map is")

    static let threshold = Param.number(
        "threshold", default: 0.7, range: 0...1, synonyms: ["confidence", "score"],
        doc: "Lowest probability of a class; what has none is void: drawn clear, and counted as void in records. 0 "
            + "gives every part of the picture a class")

    static let contract = Contract(
        "ddrnet", aliases: ["segmentation"], .inference, summary: "Gives every part of the picture a class (DDRNet)",
        details:
            "The picture is stretched to the network's input; a size of the picture's own proportions, in multiples "
            + "of 8, works best.",
        outputs: [OutputPort(adds: [.segmentation])],
        parameters: [
            variant, NetworkParams.weights, NetworkParams.size, NetworkParams.downscale, NetworkParams.precision,
            classes, upsample, threshold, NetworkParams.every,
        ],
        examples: [
            .init("Roads", #"{ "type": "ddrnet", "input": "video", "size": "640x360", "upsample": "exact" }"#)
        ], check: NetworkParams.problems(.ddrnet))

    static func options(_ settings: Settings, for model: NodeModel) throws -> SegmentationOptions {
        SegmentationOptions(
            try model.classSet(settings[classes]), resolution: settings[upsample] == .exact ? .input : .cells,
            threshold: Float(settings[threshold]), temperature: try model.temperature)
    }

    static func result(_ map: ClassMap) -> any AnnotationList { [map] }
}

extension NodeModel {
    /// What the logits of these weights are divided by for probabilities; 1 where the weights do not say.
    ///
    /// - Throws: a sentence where what they say is no number above 0.
    package var temperature: Float {
        get throws {
            guard let text = weights.metadata[Weights.MetadataKey.temperature] else { return 1 }
            guard let value = Float(text), value > 0, value.isFinite else {
                throw OutputError("\(path): its temperature is \"\(text)\", which is no number above 0")
            }
            return value
        }
    }

    /// What the classes of these DDRNet weights are called.
    ///
    /// - Parameter choice: `auto`, the name of a known set, or a file for `ClassFile`.
    /// - Throws: `PipelineFileError` for mistakes in the file, a sentence where names and weights differ in number.
    package func classSet(_ choice: String) throws -> ClassSet {
        let count = DDRNet(weights: weights)?.classes ?? 0
        let set: ClassSet
        if choice == "auto" {
            set = try automaticClasses(count)
        } else if let known = ClassSet.known.first(where: { $0.name == choice }) {
            set = known
        } else if choice.hasSuffix(".json") {
            set = try ClassFile.read(choice)
        } else {
            let names = ["auto"] + ClassSet.known.map(\.name)
            let near = suggestion(for: choice, among: names, noun: "there are")
            throw OutputError(
                "no set of classes is called \"\(choice)\"; \(near ?? "") or a file that ends in .json")
        }
        guard set.count == count else {
            throw OutputError("\(path) tells \(count) classes apart, but \(set.name) names \(set.count)")
        }
        return set
    }

    private func automaticClasses(_ count: Int) throws -> ClassSet {
        if let names = weights.metadata[Weights.MetadataKey.classes] {
            return ClassSet(naming: names.split(separator: ",", omittingEmptySubsequences: false).map(String.init))
        }
        // Official releases do not name their classes; the number of Cityscapes' is a good sign.
        if count == ClassSet.cityscapes.count { return .cityscapes }
        throw OutputError(
            "\(path) does not name its \(count) classes; set \"classes\" to "
                + (ClassSet.known.map(\.name) + ["a JSON file of names and colours"]).joined(separator: ", "))
    }
}
