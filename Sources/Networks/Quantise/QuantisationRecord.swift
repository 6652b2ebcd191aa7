// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// What was measured of some weights in 8 bits, kept in a file beside them.
///
/// `mlsd_tiny.safetensors` has `mlsd_tiny.quantisation.json`. It is for the very numbers whose checksum it holds, and holds a
/// digest of itself: a record that is damaged, of other weights or of a newer program is refused.
///
/// - Note: Thread-safety: a value.
public struct QuantisationRecord: Sendable, Hashable, Codable {
    /// How ranges were found.
    public enum Method: String, Sendable, Hashable, Codable {
        /// From what the network made of pictures.
        case pictures
        /// From batch normalisations alone: see ``DataFreeQuantisation``.
        case dataFree = "data-free"
    }

    /// The version written here, and the newest that is read.
    public static let format = 1

    /// Version of the file's layout.
    public private(set) var format = Self.format
    /// The network, as in a pipeline file.
    public var network: String
    /// Its variant.
    public var variant: String
    /// `Weights.checksum` of the weights it is for.
    public var weights: String
    /// How ranges were found.
    public var method: Method
    /// Ranges, and the blocks that stay in floating point.
    public var quantisation: Quantisation
    /// The share of f32's figure that was to be kept.
    public var keep: Double
    /// What the figures are: `sAP10`, `AP`, `mIoU`.
    public var measure: String
    /// The figure of each arithmetic, by its name in a pipeline file: `f32`, `int8`, `bf16`.
    public var figures: [String: Double]
    /// What the figures were measured on, in words.
    public var data: String
    /// Digest of all the rest.
    private var digest = ""

    /// A record of a measurement.
    public init(
        network: String, variant: String, weights: String, method: Method, quantisation: Quantisation, keep: Double,
        measure: String, figures: [String: Double], data: String
    ) {
        self.network = network
        self.variant = variant
        self.weights = weights
        self.method = method
        self.quantisation = quantisation
        self.keep = keep
        self.measure = measure
        self.figures = figures
        self.data = data
    }

    /// Whether results in `precision` were measured to be as good as f32's, within what was to be kept.
    public func isEqual(_ precision: String) -> Bool {
        guard let figure = figures[precision], let reference = figures["f32"], reference > 0 else { return false }
        return figure >= keep * reference
    }

    // MARK: - The file

    /// Where the record of a weights file is.
    public static func path(besides weights: String) -> String {
        let name = weights.split(separator: "/").last ?? ""
        let stem = name.lastIndex(of: ".").map { name.distance(from: $0, to: name.endIndex) } ?? 0
        return weights.dropLast(stem) + ".quantisation.json"
    }

    /// The record of a weights file, or nil where there is none.
    ///
    /// - Parameter weights: the file's content, which the record must be for.
    /// - Throws: `NetworkError` naming the record's file: `.file`, `.format` (damaged), `.unsupported` (newer), `.weights`
    ///   (for others).
    public static func read(besides path: String, for weights: Weights) throws(NetworkError) -> QuantisationRecord? {
        let file = Self.path(besides: path)
        guard FileManager.default.fileExists(atPath: file) else { return nil }
        do throws(NetworkError) {
            let record = try parse(ModelFile.read(file))
            guard record.weights == weights.checksum else {
                throw NetworkError(.weights, "is the record of other weights than \(path)\(remedy(record.network))")
            }
            return record
        } catch {
            throw NetworkError(error.code, path: file, error.detail)
        }
    }

    /// The record of weights among the files of some folders, whatever their names; what is no record is passed over.
    ///
    /// - Parameter checksum: `Weights.checksum`.
    public static func find(for checksum: String, in folders: [String]) -> QuantisationRecord? {
        for folder in folders {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            for name in names.sorted() where name.hasSuffix(".quantisation.json") {
                if let bytes = try? ModelFile.read(folder + "/" + name), let record = try? parse(bytes),
                    record.weights == checksum
                {
                    return record
                }
            }
        }
        return nil
    }

    /// Reads and checks a record's bytes.
    ///
    /// - Throws: `NetworkError.Code.format` (damaged) or `.unsupported` (newer).
    public static func parse(_ bytes: [UInt8]) throws(NetworkError) -> QuantisationRecord {
        struct Version: Decodable { let format: Int }
        let data = Data(bytes)
        guard let version = try? JSONDecoder().decode(Version.self, from: data) else {
            throw NetworkError(.format, "is damaged: it is no record of a quantisation" + remedy("NETWORK"))
        }
        guard version.format <= format else {
            throw NetworkError(
                .unsupported,
                "was written by a newer vpipe: it has format \(version.format), this one reads up to \(format)"
                    + remedy("NETWORK"))
        }
        guard let record = try? JSONDecoder().decode(QuantisationRecord.self, from: data),
            record.digest == record.contentDigest, record.quantisation.ranges.values.allSatisfy(\.isSound)
        else { throw NetworkError(.format, "is damaged: its content is not what was written" + remedy("NETWORK")) }
        return record
    }

    /// The file's bytes: the same for the same record, always.
    public var bytes: [UInt8] {
        var sealed = self
        sealed.digest = contentDigest
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        // Text and finite numbers always encode.
        guard let data = try? encoder.encode(sealed) else { return [] }
        return [UInt8](data) + [0x0A]
    }

    /// Writes the record beside a weights file.
    ///
    /// - Throws: `NetworkError.Code.file`.
    public func write(besides path: String) throws(NetworkError) {
        try ModelFile.write(bytes, to: Self.path(besides: path))
    }

    private static func remedy(_ network: String) -> String {
        "; make one with \"vpipe models quantize \(network)\", or remove it"
    }

    /// Digest of all that the record says.
    public var contentDigest: String {
        var lines = ["\(format) \(network) \(variant) \(weights) \(method.rawValue) \(keep) \(measure)", data]
        lines += figures.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        lines += quantisation.floatBlocks.sorted()
        lines += quantisation.ranges.sorted { $0.key < $1.key }.map {
            "\($0.key) \($0.value.low.bitPattern) \($0.value.high.bitPattern)"
        }
        return SHA256.hexDigest(Array(lines.joined(separator: "\n").utf8))
    }
}

extension QuantisationRecord {
    /// The weights to run in 8 bits: they make a network of 8-bit convolutions wherever one is built of them.
    ///
    /// - Throws: `NetworkError` where the weights do not fit.
    public func applied(to weights: Weights, of architecture: Architecture) throws(NetworkError) -> Weights {
        var result = weights
        if method == .dataFree {
            let network = try architecture.build(for: weights)
            let free = try DataFreeQuantisation(
                network, weights: weights, normalisation: architecture.normalisation,
                floatBlocks: quantisation.floatBlocks)
            result = free.weights
            result.metadata = weights.metadata
        }
        result.quantisation = quantisation
        return result
    }
}
