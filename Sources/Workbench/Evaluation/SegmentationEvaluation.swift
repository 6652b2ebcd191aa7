// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Annotations
internal import Dataflow
internal import Inference
internal import Media
internal import Networks
internal import Pipeline
internal import PipelineLanguage
internal import Vision

/// Segmentation on labelled pictures: intersection over union per class, with labels from interpolated logits at the label
/// images' size (the reference's definition) and, for comparison, with those of the cells repeated.
///
/// Then what a threshold costs, and how far the probabilities can be believed.
public struct SegmentationEvaluation: EvaluationReport {
    /// Names of the classes, by label.
    public let classes: [String]
    /// Labels from interpolated logits.
    public let exact: ConfusionMatrix
    /// Labels of the cells, repeated over their pixels.
    public let cells: ConfusionMatrix
    /// The share of all pixels on which the two agree.
    public let agreement: Double
    /// Milliseconds from logits to labels per picture, at the best of all pictures.
    public let decoding: (exact: Double, cells: Double)
    /// Labels from interpolated logits with each of ``thresholds``.
    public let thresholded: [ConfusionMatrix]
    /// The probabilities of the cells, against the labels at their centres.
    public let reliability: Reliability
    /// What the weights' logits are divided by.
    public let temperature: Double
    /// Pictures measured.
    public let pictures: Int
    /// Thresholds tried.
    public static let thresholds: [Float] = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    private let network: String
    private let model: String

    init(
        _ family: SegmentationFamily, _ options: Evaluation.Options, engine: any InferenceEngine,
        progress: (Int, Int) -> Void
    ) throws {
        let data = try LabelledPictures(folder: options.data, split: options.split)
        let model = try Evaluation.model(family.networks, options)
        let set = try model.classSet("auto")
        let temperature = try model.temperature
        let detector = try Self.detector(
            model, set, temperature, engine, cores: Evaluation.cores(options), precision: options.precision)
        var (exact, cells) = (ConfusionMatrix(classes: set.count), ConfusionMatrix(classes: set.count))
        var thresholded = Self.thresholds.map { _ in ConfusionMatrix(classes: set.count) }
        var reliability = Reliability(classes: set.count)
        var (agreeing, total) = (0, 0)
        var best = (exact: Double.infinity, cells: Double.infinity)
        for (index, pair) in data.pairs.enumerated() {
            let truth = try IndexedImage.read(pair.labels)
            detector.decoder.grid = InputSize(width: truth.width, height: truth.height)
            let found = try detector.network.result(for: ImageReader.read(pair.picture))
            // The map's region is the picture; the label image may have another size.
            let repeated = found.cells.moved(
                to: Box(x: 0, y: 0, width: Float(truth.width), height: Float(truth.height))
            ).expanded(width: truth.width, height: truth.height, other: 0)
            exact.add(truth: truth.indices, prediction: found.exact.labels)
            cells.add(truth: truth.indices, prediction: repeated)
            for (index, labels) in found.thresholded.enumerated() {
                thresholded[index].add(truth: truth.indices, prediction: labels)
            }
            reliability.add(logits: found.logits, cells: found.grid, truth: truth)
            agreeing += zip(repeated, found.exact.labels).reduce(0) { $0 + ($1.0 == $1.1 ? 1 : 0) }
            total += repeated.count
            best = (min(best.exact, found.milliseconds.exact), min(best.cells, found.milliseconds.cells))
            progress(index + 1, data.pairs.count)
        }
        classes = set.members.map(\.name)
        self.exact = exact
        self.cells = cells
        self.thresholded = thresholded
        self.reliability = reliability
        self.temperature = Double(temperature)
        agreement = Double(agreeing) / Double(max(1, total))
        decoding = best
        pictures = data.pairs.count
        network = family.networks.name
        self.model = "\(family.networks.name) \(model.architecture.variant) at \(model.size), \(model.path)"
    }

    /// The family's own network with a decoder that does both.
    private static func detector(
        _ model: NodeModel, _ classes: ClassSet, _ temperature: Float, _ engine: any InferenceEngine, cores: Int,
        precision: Precision
    ) throws -> (network: any PictureNetwork<BothDecoder.Output>, decoder: BothDecoder) {
        let setup = model.setup(
            engine: engine, compile: CompileOptions(.single, cores: cores, precision: precision), requests: 1)
        let detector = try setup.detector(filter: .area) { outputs, size in
            BothDecoder(
                try SegmentationDecoder(outputs: outputs, size: size, classes: classes, temperature: temperature),
                cells: InputSize(width: size.width / DDRNet.stride, height: size.height / DDRNet.stride))
        }
        return (detector, detector.decoder)
    }

    // MARK: - Report

    /// What was measured.
    public var introduction: [String] { ["\(model), \(pictures) pictures"] }
    /// Class and its intersection over union, in percent.
    public var columns: [String] { ["class", "IoU", "IoU of cells"] }
    /// One per class, then their mean.
    public var rows: [[String]] {
        classes.indices.map { [classes[$0], percent(exact.iou(of: $0)), percent(cells.iou(of: $0))] }
            + [["mIoU", percent(exact.meanIoU), percent(cells.meanIoU)]]
    }
    /// Accuracy, and what interpolation costs.
    public var conclusion: [String] {
        [
            "pixel accuracy \(percent(exact.accuracy)) %, of cells \(percent(cells.accuracy)) %; "
                + "the two agree on \(percent(agreement)) % of the pixels",
            "logits to labels: \(rounded(decoding.exact, 3)) ms with interpolation, \(rounded(decoding.cells, 3)) ms "
                + "for cells",
        ]
            + zip(Self.thresholds, thresholded).map { threshold, matrix in
                "threshold \(rounded(Double(threshold), 1)): \(percent(matrix.voidShare)) % void, "
                    + "mIoU \(percent(matrix.meanIoU)), of the rest \(percent(matrix.precision)) % right"
            }
            + [
                "temperature \(rounded(temperature, 2)): expected calibration error "
                    + "\(percent(reliability.error(temperature))) %; the likeliest here is "
                    + "\(rounded(reliability.bestTemperature, 2)) with "
                    + "\(percent(reliability.error(reliability.bestTemperature))) %"
            ]
            + reliability.bins(temperature).filter { $0.count > 0 }.map { bin in
                "  sure to \(percent(bin.confidence)) %: \(percent(bin.accuracy)) % right "
                    + "(\(percent(Double(bin.count) / Double(reliability.count))) % of the cells)"
            }
    }
    /// The same figures, 0...1.
    public var json: String {
        func ious(_ matrix: ConfusionMatrix) -> JSONDocument {
            .object(classes.indices.map { (classes[$0], .number(matrix.iou(of: $0))) })
        }
        let document: JSONDocument = [
            "network": .string(network), "model": .string(model), "pictures": .integer(pictures),
            "mIoU": .number(exact.meanIoU), "accuracy": .number(exact.accuracy), "IoU": ious(exact),
            "cells": [
                "mIoU": .number(cells.meanIoU), "accuracy": .number(cells.accuracy), "IoU": ious(cells),
                "agreement": .number(agreement),
            ],
            "thresholds": .array(
                zip(Self.thresholds, thresholded).map { threshold, matrix in
                    [
                        "threshold": .number(Double(threshold)), "void": .number(matrix.voidShare),
                        "mIoU": .number(matrix.meanIoU), "precision": .number(matrix.precision),
                    ]
                }),
            "calibration": [
                "temperature": .number(temperature), "error": .number(reliability.error(temperature)),
                "best": .number(reliability.bestTemperature),
                "bestError": .number(reliability.error(reliability.bestTemperature)),
            ],
            "decodingMs": ["exact": .number(decoding.exact), "cells": .number(decoding.cells)],
        ]
        return document.compact
    }

    /// The classes' mean intersection over union, from interpolated logits.
    public var figure: Double { exact.meanIoU }
    /// Its name.
    public var measure: String { "mIoU" }

    private func percent(_ share: Double) -> String { rounded(share * 100, 2) }

    private func rounded(_ value: Double, _ decimals: Int) -> String { NumberText.decimal(value, places: decimals) }
}

/// Both ways of decoding, from the same logits, timed; then with each threshold.
private final class BothDecoder: OutputDecoder {
    struct Output: Sendable {
        let exact: ClassMap
        let cells: ClassMap
        let milliseconds: (exact: Double, cells: Double)
        /// Labels like those of `exact`, for each of the evaluation's thresholds.
        let thresholded: [[UInt8]]
        /// The network's own output, class by class, over `grid`.
        let logits: [Float]
        let grid: InputSize
    }

    /// Size of the map from interpolated logits.
    var grid = InputSize(width: 1, height: 1)
    private let decoder: SegmentationDecoder
    private let cells: InputSize
    private let clock = MonotonicClock.system

    init(_ decoder: SegmentationDecoder, cells: InputSize) {
        self.decoder = decoder
        self.cells = cells
    }

    func decode(_ outputs: [TensorBuffer], placement: Placement) -> Output {
        func timed(_ resolution: SegmentationDecoder.Resolution) -> (ClassMap, Double) {
            decoder.resolution = resolution
            let start = clock.now()
            let map = decoder.decode(outputs, placement: placement)
            return (map, Double(clock.now() - start) / 1e6)
        }
        decoder.threshold = 0
        let coarse = timed(.cells)
        let exact = timed(.size(grid))
        let thresholded = SegmentationEvaluation.thresholds.map { threshold in
            decoder.threshold = threshold
            return timed(.size(grid)).0.labels
        }
        return Output(
            exact: exact.0, cells: coarse.0, milliseconds: (exact.1, coarse.1), thresholded: thresholded,
            logits: Array(outputs[0].floats), grid: cells)
    }
}
