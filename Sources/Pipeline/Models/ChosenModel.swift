// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Foundation
package import Inference
internal import Networks

/// A model with the arithmetic it is run in, and why.
package struct ChosenModel {
    /// The model; its weights make an 8-bit network where that was chosen.
    package let model: NodeModel
    /// For the engine.
    package let precision: Precision
    /// For the report: what was chosen for which reason; nil where the user said it.
    package let reason: String?
}

extension ChosenModel {
    /// A model in the arithmetic that is named, or in the fastest here of those measured equal.
    ///
    /// Inferences are timed where the user's own table does not know their times.
    ///
    /// - Parameters:
    ///   - named: nil chooses.
    ///   - options: how the model will be compiled; the precision comes from the choice.
    /// - Throws: a sentence where int8 is named and there is no record of it, `InferenceError`.
    package init(
        _ model: NodeModel, in named: Precision?, engine: any InferenceEngine, options: CompileOptions
    ) throws {
        if let named {
            self = try PrecisionChooser.named(named, model)
            return
        }
        self = try PrecisionChooser(engine: engine, options: options) { candidates in
            try EngineTiming.inTurns(
                candidates.map { model, precision in
                    var options = options
                    options.precision = precision
                    return try engine.compile(model.source(), options: options)
                })
        }.automatic(model)
    }

    /// What would be chosen here by itself, in words; times nothing.
    package static func outlook(
        _ model: NodeModel, engine: any InferenceEngine, options: CompileOptions
    ) throws -> String {
        struct Untimed: Error { let names: [String] }
        let chooser = PrecisionChooser(engine: engine, options: options) { candidates in
            throw Untimed(names: candidates.map(\.precision.rawValue))
        }
        do {
            return try chooser.automatic(model).reason ?? ""
        } catch let untimed as Untimed {
            return "the fastest of \(untimed.names.joined(separator: ", ")), timed at the first run"
        }
    }
}

extension NodeModel {
    /// The model at its size, for an engine.
    package func source() throws -> ModelSource {
        ModelSource(
            name: "\(architecture.network) \(architecture.variant) \(size)",
            onnx: try architecture.onnx(at: size, weights: weights))
    }
}

/// Chooses among the kinds of arithmetic whose results were measured equal to f32's the fastest on this machine.
///
/// ```
///  record beside the weights --> equal within its tolerance --> the processor has units for it --> timed once, fastest
/// ```
/// Whatever is missing on the way leads to f32 and is said in ``ChosenModel/reason``.
struct PrecisionChooser {
    /// Times one inference of each, in milliseconds.
    typealias Timing = ([(model: NodeModel, precision: Precision)]) throws -> [Double]

    /// What the processor has.
    let features: CPUFeatures
    /// Where times are kept; nil keeps none.
    let table: PrecisionTimes?
    /// What times depend on beside the model: the engine, the cores, what the speed is for.
    let setting: String
    /// Measures what the table does not know.
    let time: Timing

    init(features: CPUFeatures, table: PrecisionTimes?, setting: String, time: @escaping Timing) {
        self.features = features
        self.table = table
        self.setting = setting
        self.time = time
    }

    /// Chooses for this processor, with the user's own table.
    init(engine: any InferenceEngine, options: CompileOptions, time: @escaping Timing) {
        self.init(
            features: .current, table: PrecisionTimes(options.cache),
            setting: "\(engine.version), \(options.goal.rawValue), \(options.cores) cores", time: time)
    }

    /// The model in the arithmetic that a user named.
    ///
    /// - Throws: a sentence where int8 was named and there is no record, or none that can be used.
    static func named(_ precision: Precision, _ model: NodeModel) throws -> ChosenModel {
        guard precision == .int8 else { return ChosenModel(model: model, precision: precision, reason: nil) }
        return ChosenModel(model: try model.quantised(), precision: .int8, reason: nil)
    }

    /// The fastest of what was measured equal.
    func automatic(_ model: NodeModel) throws -> ChosenModel {
        func f32(_ reason: String) -> ChosenModel { ChosenModel(model: model, precision: .f32, reason: reason) }
        let record: QuantisationRecord
        do throws(NetworkError) {
            guard let found = try QuantisationRecord.read(besides: model.path, for: model.weights) else {
                return f32(
                    "f32, as no other arithmetic was measured: see \"vpipe models quantize "
                        + "\(model.architecture.network)\"")
            }
            record = found
        } catch {
            return f32("f32: \(error)")
        }
        var candidates: [(model: NodeModel, precision: Precision)] = [(model, .f32)]
        var missing: [String] = []
        for (precision, isThere) in [(Precision.int8, features.hasInt8DotProduct), (.bf16, features.hasBF16)]
        where record.isEqual(precision.rawValue) {
            guard isThere else {
                missing.append(precision.rawValue)
                continue
            }
            candidates.append((precision == .int8 ? try model.quantised(by: record) : model, precision))
        }
        guard candidates.count > 1 else {
            return f32(
                missing.isEmpty
                    ? "f32, as the others lost more than was to be kept"
                    : "f32, as this processor has no units for \(missing.joined(separator: " or "))")
        }
        let times = try times(candidates, record, model)
        guard let best = times.indices.min(by: { times[$0] < times[$1] }) else { return f32("f32") }
        let (chosen, precision) = candidates[best]
        guard precision != .f32 else { return f32("f32, the fastest here of what was measured equal") }
        let share = (record.figures[precision.rawValue] ?? 0) / (record.figures["f32"] ?? 1)
        return ChosenModel(
            model: chosen, precision: precision,
            reason:
                "\(precision.rawValue), \(NumberText.decimal(times[0] / times[best], places: 1)) times as fast as f32 here, "
                + "\(NumberText.decimal(share * 100, places: 1)) % of its \(record.measure)")
    }

    private func times(
        _ candidates: [(model: NodeModel, precision: Precision)], _ record: QuantisationRecord, _ model: NodeModel
    ) throws -> [Double] {
        let key =
            "\(features); \(setting); \(record.weights) \(record.contentDigest) at \(model.size); "
            + candidates.map(\.precision.rawValue).joined(separator: " ")
        if let known = table?.times(under: key), known.count == candidates.count { return known }
        let times = try time(candidates)
        table?.keep(times, under: key)
        return times
    }
}

/// Times of inferences on this machine, kept from one run to the next.
///
/// A table that cannot be read or written costs time, nothing else.
struct PrecisionTimes {
    private static let limit = 200
    private let path: String

    /// A table in a file.
    init(path: String) { self.path = path }

    /// The table that goes with compiled models: `precisions.json` in the user's cache folder, or in theirs; nil without any.
    init?(_ cache: CompileOptions.Cache) {
        let folder: String? =
            switch cache {
            case .off: nil
            case .directory(let path): path
            case .standard: Folders().cache
            }
        guard let folder else { return nil }
        path = folder + "/precisions.json"
    }

    /// The times kept under a key.
    func times(under key: String) -> [Double]? {
        read()[key].flatMap { $0.allSatisfy { $0.isFinite && $0 > 0 } ? $0 : nil }
    }

    /// Keeps times; a table that has grown large begins again.
    func keep(_ times: [Double], under key: String) {
        var table = read()
        if table.count >= Self.limit { table = [:] }
        table[key] = times
        let file = URL(fileURLWithPath: path)
        try? FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try? encoder.encode(table).write(to: file, options: .atomic)
    }

    private func read() -> [String: [Double]] {
        FileManager.default.contents(atPath: path)
            .flatMap { try? JSONDecoder().decode([String: [Double]].self, from: $0) } ?? [:]
    }
}
