// SPDX-License-Identifier: Apache-2.0

/// Writes FlatBuffers tables parent first, for synthetic model files.
struct FlatBufferBuilder {
    indirect enum Field {
        case absent
        /// A number stored inline, little endian.
        case number(Int, bytes: Int)
        case integers([Int])
        case blob([UInt8])
        case table([Field])
        case tables([[Field]])
    }

    private(set) var bytes: [UInt8] = []

    static func file(identifier: String, root: [Field]) -> [UInt8] {
        var builder = FlatBufferBuilder()
        builder.bytes = [0, 0, 0, 0] + Array(identifier.utf8)
        let position = builder.write(root)
        builder.patch(0, position)
        return builder.bytes
    }

    private mutating func write(_ fields: [Field]) -> Int {
        align(4)
        var offsets: [Int] = []
        var size = 4
        for field in fields {
            switch field {
            case .absent: offsets.append(0)
            case .number(_, let bytes):
                size = (size + bytes - 1) / bytes * bytes
                offsets.append(size)
                size += bytes
            default:
                size = (size + 3) / 4 * 4
                offsets.append(size)
                size += 4
            }
        }
        let vtable = bytes.count
        append(4 + fields.count * 2, 2)
        append(size, 2)
        for offset in offsets { append(offset, 2) }
        align(4)
        let table = bytes.count
        append(table - vtable, 4)
        bytes += [UInt8](repeating: 0, count: size - 4)
        for (field, offset) in zip(fields, offsets) {
            let place = table + offset
            switch field {
            case .absent: break
            case .number(let value, let width):
                for i in 0..<width { bytes[place + i] = UInt8(truncatingIfNeeded: value >> (8 * i)) }
            case .integers(let values):
                align(4)
                patch(place, bytes.count)
                append(values.count, 4)
                for value in values { append(value, 4) }
            case .blob(let content):
                align(4)
                patch(place, bytes.count)
                append(content.count, 4)
                bytes += content
            case .table(let child): patch(place, write(child))
            case .tables(let children):
                align(4)
                let start = bytes.count
                patch(place, start)
                append(children.count, 4)
                bytes += [UInt8](repeating: 0, count: children.count * 4)
                for (index, child) in children.enumerated() { patch(start + 4 + index * 4, write(child)) }
            }
        }
        return table
    }

    private mutating func align(_ size: Int) { while bytes.count % size != 0 { bytes.append(0) } }

    private mutating func append(_ value: Int, _ width: Int) {
        for i in 0..<width { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * i))) }
    }

    private mutating func patch(_ place: Int, _ target: Int) {
        for i in 0..<4 { bytes[place + i] = UInt8(truncatingIfNeeded: (target - place) >> (8 * i)) }
    }
}
