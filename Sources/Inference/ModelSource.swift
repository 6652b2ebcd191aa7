// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A model to compile: its ONNX bytes, a name for people, and a hash of the content that keys every cache.
public struct ModelSource: Sendable {
    /// For messages and reports; it takes no part in identity.
    public let name: String
    /// The serialised ONNX `ModelProto`.
    public let bytes: [UInt8]
    /// Shapes to give to inputs, by name, before compiling; for models that leave sizes open.
    public let inputShapes: [String: [Int]]
    /// Identity of `bytes`, `inputShapes` and the files beside the model.
    public let hash: ContentHash
    /// Whether the model quantises anything, without which integer arithmetic has nothing to work on.
    public var isQuantised: Bool {
        let name = Array("QuantizeLinear".utf8)
        return bytes.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return false }
            var offset = 0
            while offset + name.count <= bytes.count,
                let next = memchr(base + offset, Int32(name[0]), bytes.count - name.count + 1 - offset)
            {
                if memcmp(next, name, name.count) == 0 { return true }
                offset = UnsafeRawPointer(next) - base + 1
            }
            return false
        }
    }

    /// The file that the bytes are of, where others lie beside it that hold weights; the engine then reads it itself.
    let path: String?
    /// Identity of the contents of those others.
    let external: ContentHash?
    /// Bytes of the model and of those others.
    let totalBytes: Int
    /// Whether it was made by somebody else, so that nothing in it can be relied upon.
    let isForeign: Bool

    /// Takes the bytes as they are; they are read when the model is compiled.
    public init(name: String, onnx bytes: [UInt8], inputShapes: [String: [Int]] = [:]) {
        self.init(name: name, onnx: bytes, inputShapes: inputShapes, path: nil, external: nil)
    }

    init(
        name: String, onnx bytes: [UInt8], inputShapes: [String: [Int]], path: String?, external: ContentHash?,
        externalBytes: Int = 0, isForeign: Bool = false
    ) {
        self.name = name
        self.bytes = bytes
        self.inputShapes = inputShapes
        self.path = path
        self.external = external
        self.isForeign = isForeign
        totalBytes = bytes.count + externalBytes
        let hash = ContentHash(of: bytes)
        let shapes = inputShapes.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        let parts = ["\(hash)"] + (shapes.isEmpty ? [] : ["\(shapes)"]) + (external.map { ["\($0)"] } ?? [])
        self.hash = parts.count == 1 ? hash : ContentHash(of: Array(parts.joined(separator: " ").utf8))
    }

    /// A model that somebody else made, of the file at `path`, with the files beside it that its header names.
    ///
    /// - Throws: `invalidModel` where such a file is missing, or is to be looked for anywhere but beside the model.
    public static func file(
        _ path: String, onnx bytes: [UInt8], header: ONNXHeader, inputShapes: [String: [Int]] = [:]
    ) throws(InferenceError) -> ModelSource {
        var parts: [String] = []
        var externalBytes = 0
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        for name in header.externalFiles.sorted() {
            guard !name.isEmpty, !name.hasPrefix("/"), !name.split(separator: "/").contains("..") else {
                throw InferenceError(
                    .invalidModel, operation: path, detail: "looks for weights in \"\(name)\", which is not beside it")
            }
            do throws(CacheFiles.Failure) {
                let file = try MappedFile(folder + name, followsLinks: true)
                parts.append("\(name) \(ContentHash(of: file.bytes))")
                externalBytes += file.bytes.count
            } catch {
                throw InferenceError(
                    .invalidModel, operation: path, detail: "keeps its weights in a file beside it: \(error)")
            }
        }
        return ModelSource(
            name: path, onnx: bytes, inputShapes: inputShapes, path: parts.isEmpty ? nil : path,
            external: parts.isEmpty ? nil : ContentHash(of: Array(parts.joined(separator: " ").utf8)),
            externalBytes: externalBytes, isForeign: true)
    }
}

/// 128 bits that tell contents apart.
///
/// Not cryptographic: it guards against accident, not against forgery.
public struct ContentHash: Sendable, Hashable, CustomStringConvertible {
    /// The first 16 hexadecimal digits.
    public let high: UInt64
    /// The last 16.
    public let low: UInt64

    /// Hashes `bytes` with two independent multiply-and-fold lanes over 64-bit little-endian words.
    public init(of bytes: [UInt8]) {
        self = bytes.withUnsafeBytes { ContentHash(of: $0) }
    }

    /// Reads a hash back from its `description`.
    init?(_ text: String) {
        guard text.utf8.count == 32, let high = UInt64(text.prefix(16), radix: 16),
            let low = UInt64(text.dropFirst(16), radix: 16)
        else { return nil }
        (self.high, self.low) = (high, low)
    }

    init(of bytes: UnsafeRawBufferPointer) {
        // Odd constants with balanced bits; the length is part of the seed, so that a zero tail changes the result.
        var first = 0x9E37_79B9_7F4A_7C15 ^ UInt64(bytes.count)
        var second = 0xD1B5_4A32_D192_ED03 &+ UInt64(bytes.count)
        var offset = 0
        while offset + 8 <= bytes.count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            first = ContentHash.fold(first ^ word, 0xA076_1D64_78BD_642F)
            second = ContentHash.fold(second &+ word, 0xE703_7ED1_A0B4_28DB) ^ word
            offset += 8
        }
        var tail: UInt64 = 0
        var shift: UInt64 = 0
        while offset < bytes.count {
            tail |= UInt64(bytes[offset]) << shift
            shift += 8
            offset += 1
        }
        high = ContentHash.fold(first ^ tail, 0x8EBC_6AF0_9C88_C6E3)
        low = ContentHash.fold(second &+ tail ^ first, 0x5899_65CC_7537_4CC3)
    }

    private static func fold(_ value: UInt64, _ factor: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: factor)
        return product.high ^ product.low ^ value
    }

    /// 32 hexadecimal digits.
    public var description: String {
        func digits(_ value: UInt64) -> String {
            let text = String(value, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }
        return digits(high) + digits(low)
    }
}
