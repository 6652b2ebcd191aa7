// SPDX-License-Identifier: Apache-2.0

/// Reads Python pickles as data: plain containers and tensors of PyTorch, and nothing that could run.
///
/// A pickle is a program that may call any function by name. Here a name is only ever compared with a short list
/// (ordered dictionaries and tensor rebuilding); any other is refused by name before anything else happens.
/// Containers live in one arena and are referred to by index, so no input can nest deeply enough to exhaust the stack.
///
/// Source: Python Lib/pickletools.py for the opcodes.
struct Unpickler {
    /// A pickled value.
    ///
    /// Containers, strings and tensors are indices into the arena.
    enum Value {
        case none
        case bool(Bool)
        case integer(Int)
        case double(Double)
        /// An integer of more than 8 bytes: where its little-endian bytes are.
        case bigInteger(Range<Int>)
        case string(Int)
        case container(Int)
        case global(TorchGlobal)
        case storage(Int)
        case tensor(Int)
        case mark
    }

    /// A list or tuple has `items`; a dictionary has `keys` as well.
    struct Container {
        var keys: [Value] = []
        var items: [Value] = []
        var isDictionary = false
    }

    /// What a pickle says about a tensor's memory.
    struct Storage {
        let type: ElementType
        let key: String
        let count: Int
    }

    /// A view of a storage.
    struct TensorView {
        let storage: Int
        let offset: Int
        let shape: [Int]
        let strides: [Int]
    }

    private static let objectLimit = 1 << 20

    private(set) var strings: [String] = []
    private(set) var containers: [Container] = []
    private(set) var storages: [Storage] = []
    private(set) var tensors: [TensorView] = []
    private var stack: [Value] = []
    private var memo: [Int: Value] = [:]
    private var reader: ByteReader

    /// Prepares to read pickles one after another from `position`.
    init(_ bytes: ArraySlice<UInt8>, at position: Int) { reader = ByteReader(bytes: bytes, position: position) }

    /// Where the next pickle starts.
    var position: Int { reader.position }

    /// Reads one pickle.
    ///
    /// Objects of earlier ones stay valid.
    mutating func load() throws(NetworkError) -> Value {
        stack = []
        memo = [:]
        while true {
            let start = reader.position
            let opcode = try reader.byte()
            if opcode == UInt8(ascii: ".") { return try pop() }
            do {
                try execute(opcode)
            } catch {
                guard error.code == .format else { throw error }
                throw NetworkError(.format, "\(error.detail) (byte \(start) of the pickle stream)")
            }
            guard strings.count + containers.count + tensors.count + storages.count < Self.objectLimit else {
                throw NetworkError(.format, "damaged pickle: too many objects")
            }
        }
    }

    /// The text of a string value.
    func text(_ value: Value) -> String? {
        guard case .string(let index) = value else { return nil }
        return strings[index]
    }

    /// The members of a list or tuple.
    func items(_ value: Value) -> [Value]? {
        guard case .container(let index) = value, !containers[index].isDictionary else { return nil }
        return containers[index].items
    }

    /// The pairs of a dictionary.
    func pairs(_ value: Value) -> [(key: Value, value: Value)]? {
        guard case .container(let index) = value, containers[index].isDictionary else { return nil }
        return Array(zip(containers[index].keys, containers[index].items)).map { (key: $0.0, value: $0.1) }
    }

    // MARK: - Opcodes

    private mutating func execute(_ opcode: UInt8) throws(NetworkError) {
        switch opcode {
        case 0x80: _ = try reader.byte()  // PROTO
        case 0x95: _ = try reader.bytes(8)  // FRAME
        case UInt8(ascii: "("): stack.append(.mark)
        case UInt8(ascii: "N"): stack.append(.none)
        case 0x88: stack.append(.bool(true))
        case 0x89: stack.append(.bool(false))
        case UInt8(ascii: "K"): stack.append(.integer(Int(try reader.byte())))
        case UInt8(ascii: "M"): stack.append(.integer(try reader.unsigned(2)))
        case UInt8(ascii: "J"): stack.append(.integer(Int(Int32(truncatingIfNeeded: try reader.unsigned(4)))))
        case 0x8A: try pushLong()
        case UInt8(ascii: "G"): stack.append(.double(try reader.double()))
        case UInt8(ascii: "X"): try pushText(length: try reader.unsigned(4))
        case 0x8C: try pushText(length: Int(try reader.byte()))
        case UInt8(ascii: "U"), UInt8(ascii: "C"): try pushText(length: Int(try reader.byte()))
        case UInt8(ascii: "T"), UInt8(ascii: "B"): try pushText(length: try reader.unsigned(4))
        case UInt8(ascii: "]"), UInt8(ascii: ")"): push(Container())
        case UInt8(ascii: "}"): push(Container(isDictionary: true))
        case UInt8(ascii: "t"), UInt8(ascii: "l"): push(Container(items: try popToMark()))
        case 0x85: try pushTuple(1)
        case 0x86: try pushTuple(2)
        case 0x87: try pushTuple(3)
        case UInt8(ascii: "a"):
            let item = try pop()
            try append([item])
        case UInt8(ascii: "e"):
            let items = try popToMark()
            try append(items)
        case UInt8(ascii: "s"):
            let value = try pop()
            let key = try pop()
            try setItems([key, value])
        case UInt8(ascii: "u"):
            let items = try popToMark()
            try setItems(items)
        case UInt8(ascii: "d"):
            let items = try popToMark()
            push(Container(isDictionary: true))
            try setItems(items)
        case UInt8(ascii: "q"): memo[Int(try reader.byte())] = try top()
        case UInt8(ascii: "r"): memo[try reader.unsigned(4)] = try top()
        case 0x94: memo[memo.count] = try top()
        case UInt8(ascii: "h"): try recall(Int(try reader.byte()))
        case UInt8(ascii: "j"): try recall(try reader.unsigned(4))
        case UInt8(ascii: "0"): _ = try pop()
        case UInt8(ascii: "1"): _ = try popToMark()
        case UInt8(ascii: "2"): stack.append(try top())
        case UInt8(ascii: "c"):
            let module = try reader.line()
            stack.append(.global(try TorchGlobal(module: module, name: try reader.line())))
        case 0x93:
            let name = try pop()
            let module = try pop()
            guard let name = text(name), let module = text(module) else { throw damaged("a name that is no text") }
            stack.append(.global(try TorchGlobal(module: module, name: name)))
        case UInt8(ascii: "Q"):
            let description = try pop()
            stack.append(.storage(try storage(description)))
        case UInt8(ascii: "R"):
            let arguments = try pop()
            let function = try pop()
            stack.append(try call(function, arguments))
        case UInt8(ascii: "b"): _ = try pop()  // BUILD: attributes of a dictionary (`_metadata`), not needed
        default: throw NetworkError(.unsupported, "pickle instruction 0x\(String(opcode, radix: 16)) is not read here")
        }
    }

    private mutating func push(_ container: Container) {
        containers.append(container)
        stack.append(.container(containers.count - 1))
    }

    private mutating func pushText(length: Int) throws(NetworkError) {
        strings.append(String(decoding: try reader.bytes(length), as: UTF8.self))
        stack.append(.string(strings.count - 1))
    }

    private mutating func pushTuple(_ count: Int) throws(NetworkError) {
        var items: [Value] = []
        for _ in 0..<count { items.append(try pop()) }
        push(Container(items: items.reversed()))
    }

    private mutating func pushLong() throws(NetworkError) {
        let length = Int(try reader.byte())
        let bytes = try reader.bytes(length)
        guard length <= 8 else { return stack.append(.bigInteger(bytes.startIndex..<bytes.endIndex)) }
        var bits: UInt64 = 0
        for (index, byte) in bytes.enumerated() { bits |= UInt64(byte) << UInt64(index * 8) }
        let unused = UInt64(64 - length * 8)
        // Sign extension; a shift by 64 gives 0, right for a length of 0.
        stack.append(.integer(Int(truncatingIfNeeded: Int64(bitPattern: bits << unused) >> Int64(unused))))
    }

    private mutating func append(_ values: [Value]) throws(NetworkError) {
        guard case .container(let index) = try top(), !containers[index].isDictionary else {
            throw damaged("items for something that is no list")
        }
        containers[index].items += values
    }

    private mutating func setItems(_ values: [Value]) throws(NetworkError) {
        guard case .container(let index) = try top(), containers[index].isDictionary, values.count % 2 == 0 else {
            throw damaged("pairs for something that is no dictionary")
        }
        for pair in stride(from: 0, to: values.count, by: 2) {
            containers[index].keys.append(values[pair])
            containers[index].items.append(values[pair + 1])
        }
    }

    private mutating func recall(_ index: Int) throws(NetworkError) {
        guard let value = memo[index] else { throw damaged("an unknown reference") }
        stack.append(value)
    }

    private func top() throws(NetworkError) -> Value {
        guard let value = stack.last else { throw damaged("an empty stack") }
        if case .mark = value { throw damaged("an empty stack") }
        return value
    }

    private mutating func pop() throws(NetworkError) -> Value {
        let value = try top()
        stack.removeLast()
        return value
    }

    private mutating func popToMark() throws(NetworkError) -> [Value] {
        guard let mark = stack.lastIndex(where: { if case .mark = $0 { true } else { false } }) else {
            throw damaged("an end without a start")
        }
        let items = Array(stack[(mark + 1)...])
        stack.removeSubrange(mark...)
        return items
    }

    // MARK: - PyTorch objects

    /// `('storage', type, key, device, count[, view])`.
    private mutating func storage(_ value: Value) throws(NetworkError) -> Int {
        guard let parts = items(value), parts.count >= 5, text(parts[0]) == "storage",
            case .global(.storage(let type)) = parts[1], let key = text(parts[2]),
            case .integer(let count) = parts[4], count >= 0
        else { throw damaged("a storage that is not described as one") }
        if parts.count > 5 {
            guard case .none = parts[5] else { throw NetworkError(.unsupported, "storages that are views of others") }
        }
        storages.append(Storage(type: type, key: key, count: count))
        return storages.count - 1
    }

    private mutating func call(_ function: Value, _ arguments: Value) throws(NetworkError) -> Value {
        guard case .global(let global) = function, let arguments = items(arguments) else {
            throw damaged("a call of something that is no function")
        }
        switch global {
        case .orderedDictionary:
            guard arguments.isEmpty else { throw NetworkError(.unsupported, "dictionaries built from lists") }
            containers.append(Container(isDictionary: true))
            return .container(containers.count - 1)
        case .rebuildTensor:
            guard arguments.count >= 4, case .storage(let storage) = arguments[0],
                case .integer(let offset) = arguments[1], let shape = integers(arguments[2]),
                let strides = integers(arguments[3]), shape.count == strides.count
            else { throw damaged("a tensor that is not described as one") }
            tensors.append(TensorView(storage: storage, offset: offset, shape: shape, strides: strides))
            return .tensor(tensors.count - 1)
        case .rebuildParameter:
            guard let first = arguments.first, case .tensor = first else { throw damaged("a parameter without tensor") }
            return first
        case .storage:
            throw damaged("a storage class that is called")
        }
    }

    private func integers(_ value: Value) -> [Int]? {
        guard let items = items(value), items.count <= 8 else { return nil }
        var result: [Int] = []
        for item in items {
            guard case .integer(let number) = item else { return nil }
            result.append(number)
        }
        return result
    }

    private func damaged(_ detail: String) -> NetworkError { NetworkError(.format, "damaged pickle: \(detail)") }
}

/// The only names a pickle may mention.
enum TorchGlobal: Sendable, Hashable {
    case orderedDictionary, rebuildTensor, rebuildParameter
    case storage(ElementType)

    /// - Throws: `NetworkError.Code.unsupported` with the name that is refused.
    init(module: String, name: String) throws(NetworkError) {
        switch (module, name) {
        case ("collections", "OrderedDict"): self = .orderedDictionary
        case ("torch._utils", "_rebuild_tensor"), ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensor
        case ("torch._utils", "_rebuild_parameter"): self = .rebuildParameter
        case ("torch", "DoubleStorage"): self = .storage(.f64)
        case ("torch", "FloatStorage"): self = .storage(.f32)
        case ("torch", "HalfStorage"): self = .storage(.f16)
        case ("torch", "BFloat16Storage"): self = .storage(.bf16)
        case ("torch", "LongStorage"): self = .storage(.i64)
        case ("torch", "IntStorage"): self = .storage(.i32)
        case ("torch", "ShortStorage"): self = .storage(.i16)
        case ("torch", "CharStorage"): self = .storage(.i8)
        case ("torch", "ByteStorage"): self = .storage(.u8)
        case ("torch", "BoolStorage"): self = .storage(.bool)
        default:
            let full = "\(module.prefix(100)).\(name.prefix(100))".map { $0.isASCII && !$0.isNewline ? $0 : "?" }
            throw NetworkError(
                .unsupported,
                "the file asks for \(String(full)), which is not part of plain weights; refused, nothing was run")
        }
    }
}
