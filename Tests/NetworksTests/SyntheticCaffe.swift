// SPDX-License-Identifier: Apache-2.0
import Networks

/// Writes caffemodels, field by field, in both forms of the format.
enum SyntheticCaffe {
    /// How a file says what it says.
    enum Form: String, CaseIterable, Sendable {
        /// `layer` messages with `BlobShape`, as files are since 2014.
        case new
        /// `layers` messages with four legacy extents.
        case old
        /// Numbers one by one rather than packed, in f64.
        case unpacked
    }

    struct Layer {
        var name: String
        var blobs: [Tensor]
    }

    static func file(_ layers: [Layer], form: Form = .new) -> [UInt8] {
        var file = text(1, "synthetic")
        for layer in layers {
            let isOld = form == .old
            var body = text(isOld ? 4 : 1, layer.name) + (isOld ? number(5, 4) : text(2, "Convolution"))
            body += text(isOld ? 2 : 3, "below")
            for blob in layer.blobs { body += bytes(isOld ? 6 : 7, message(blob, form)) }
            file += bytes(isOld ? 2 : 100, body)
        }
        return file
    }

    private static func message(_ blob: Tensor, _ form: Form) -> [UInt8] {
        var body: [UInt8] = []
        switch form {
        case .old:
            let padded = [Int](repeating: 1, count: max(0, 4 - blob.shape.count)) + blob.shape
            for (index, extent) in padded.enumerated() { body += number(index + 1, extent) }
        case .new: body += bytes(7, bytes(1, blob.shape.flatMap { varint(UInt64($0)) }))
        case .unpacked: body += bytes(7, blob.shape.flatMap { number(1, $0) })
        }
        guard form == .unpacked else { return body + bytes(5, Array(blob.bytes)) }
        for value in blob.floats() ?? [] {
            body += varint(8 << 3 | 1)
            withUnsafeBytes(of: Double(value).bitPattern.littleEndian) { body += Array($0) }
        }
        return body
    }

    static func varint(_ value: UInt64) -> [UInt8] {
        var rest = value
        var bytes: [UInt8] = []
        repeat {
            bytes.append(UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0))
            rest >>= 7
        } while rest > 0
        return bytes
    }

    static func number(_ field: Int, _ value: Int) -> [UInt8] { varint(UInt64(field) << 3) + varint(UInt64(value)) }

    static func bytes(_ field: Int, _ content: [UInt8]) -> [UInt8] {
        varint(UInt64(field) << 3 | 2) + varint(UInt64(content.count)) + content
    }

    static func text(_ field: Int, _ content: String) -> [UInt8] { bytes(field, Array(content.utf8)) }
}
