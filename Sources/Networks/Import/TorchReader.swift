// SPDX-License-Identifier: Apache-2.0

/// The tensors of a PyTorch checkpoint, by their state-dict names.
///
/// Reads the zip format (PyTorch 1.6 and later) and the older stream of pickles. Dictionaries in dictionaries
/// (`state_dict`, `model`) become dotted names. Nothing in the file is executed; see `Unpickler`.
///
/// ```
/// old format: | magic | protocol 1001 | system | the object | storage keys |  five pickles, then for every key
///             | i64 element count | raw little-endian elements |
/// zip format: archive/data.pkl and one member archive/data/KEY per storage
/// ```
public enum TorchReader {
    private static let depthLimit = 6
    private static let tensorLimit = 65_536
    private static let magic: [UInt8] = [0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]

    static func matchesOldFormat(_ bytes: [UInt8]) -> Bool {
        bytes.count > 14 && bytes[0] == 0x80 && bytes[2] == 0x8A && bytes[3] == 10 && Array(bytes[4..<14]) == magic
    }

    /// Reads a file's bytes; contiguous tensors share them.
    ///
    /// - Throws: `NetworkError` with code `.format` or `.unsupported`.
    public static func read(_ bytes: [UInt8]) throws(NetworkError) -> Weights {
        if ZipArchive.matches(bytes) { return try readZip(bytes) }
        if matchesOldFormat(bytes) { return try readStream(bytes) }
        throw NetworkError(.format, "not a PyTorch checkpoint")
    }

    private static func readZip(_ bytes: [UInt8]) throws(NetworkError) -> Weights {
        let archive = try ZipArchive(bytes)
        guard let pickle = archive.names.first(where: { $0 == "data.pkl" || $0.hasSuffix("/data.pkl") }),
            let program = try archive.contents(pickle)
        else { throw NetworkError(.format, "not a PyTorch checkpoint: no data.pkl in the archive") }
        let folder = String(pickle.dropLast("data.pkl".count))
        if let order = try archive.contents(folder + "byteorder"), !order.elementsEqual("little".utf8) {
            throw NetworkError(.unsupported, "big-endian checkpoints")
        }
        var unpickler = Unpickler(program, at: program.startIndex)
        let root = try unpickler.load()
        var contents: [String: ArraySlice<UInt8>] = [:]
        var total = 0
        for storage in unpickler.storages where contents[storage.key] == nil {
            guard let data = try archive.contents("\(folder)data/\(storage.key)") else {
                throw NetworkError(.format, "damaged PyTorch checkpoint: no storage \(storage.key)")
            }
            contents[storage.key] = data
            total += data.count
            guard total <= bytes.count else { throw NetworkError(.format, "damaged zip file: members overlap") }
        }
        return try collect(root, unpickler, contents, fileSize: bytes.count)
    }

    private static func readStream(_ bytes: [UInt8]) throws(NetworkError) -> Weights {
        var unpickler = Unpickler(bytes[...], at: 0)
        _ = try unpickler.load()  // the magic number, compared already
        guard case .integer(1001) = try unpickler.load() else {
            throw NetworkError(.unsupported, "PyTorch stream of another protocol")
        }
        let system = try unpickler.load()
        for (key, value) in unpickler.pairs(system) ?? [] where unpickler.text(key) == "little_endian" {
            if case .bool(false) = value { throw NetworkError(.unsupported, "big-endian checkpoints") }
        }
        let root = try unpickler.load()
        let list = try unpickler.load()
        guard let keys = unpickler.items(list) else {
            throw NetworkError(.format, "damaged PyTorch checkpoint: no list of storages")
        }
        var types: [String: ElementType] = [:]
        for storage in unpickler.storages {
            if let other = types.updateValue(storage.type, forKey: storage.key), other != storage.type {
                throw NetworkError(.format, "damaged PyTorch checkpoint: storage \(storage.key) has two types")
            }
        }
        var reader = ByteReader(bytes: bytes[...], position: unpickler.position)
        var contents: [String: ArraySlice<UInt8>] = [:]
        for value in keys {
            guard let key = unpickler.text(value), let type = types[key], contents[key] == nil else {
                throw NetworkError(.format, "damaged PyTorch checkpoint: a storage that no tensor uses")
            }
            let (size, overflow) = try reader.unsigned(8).multipliedReportingOverflow(by: type.byteCount)
            guard !overflow else { throw NetworkError(.format, "damaged PyTorch checkpoint: storage beyond reason") }
            contents[key] = try reader.bytes(size)
        }
        return try collect(root, unpickler, contents, fileSize: bytes.count)
    }

    // MARK: - Tensors

    private static func collect(
        _ root: Unpickler.Value, _ unpickler: Unpickler, _ contents: [String: ArraySlice<UInt8>], fileSize: Int
    ) throws(NetworkError) -> Weights {
        var weights = Weights()
        // Views that are not contiguous are copied; together they may not outgrow the file that describes them.
        var budget = fileSize
        var visited = 0
        var pending: [(prefix: String, value: Unpickler.Value, depth: Int)] = [("", root, 0)]
        while let (prefix, value, depth) = pending.popLast() {
            guard let pairs = unpickler.pairs(value), depth < depthLimit else { continue }
            for (key, item) in pairs {
                visited += 1
                guard visited <= tensorLimit else { throw NetworkError(.format, "damaged pickle: too many entries") }
                guard let key = unpickler.text(key) else { continue }
                guard prefix.utf8.count + key.utf8.count < 1024 else {
                    throw NetworkError(.format, "damaged pickle: a name beyond reason")
                }
                switch item {
                case .container: pending.append(("\(prefix)\(key).", item, depth + 1))
                case .tensor(let index):
                    let name = prefix + key
                    guard weights[name] == nil else {
                        throw NetworkError(.format, path: name, "two tensors of this name")
                    }
                    weights[name] = try tensor(unpickler.tensors[index], name, unpickler, contents, &budget)
                default: break
                }
            }
        }
        guard weights.count > 0 else { throw NetworkError(.format, "the checkpoint holds no tensors") }
        return weights
    }

    private static func tensor(
        _ view: Unpickler.TensorView, _ name: String, _ unpickler: Unpickler,
        _ contents: [String: ArraySlice<UInt8>], _ budget: inout Int
    ) throws(NetworkError) -> Tensor {
        let storage = unpickler.storages[view.storage]
        let size = storage.type.byteCount
        guard let data = contents[storage.key], data.count / size == storage.count, data.count % size == 0 else {
            throw NetworkError(.format, path: name, "its storage has another size than the pickle says")
        }
        guard let count = elementCount(view.shape), count <= storage.count, view.offset >= 0,
            let last = lastIndex(view), count == 0 || last < storage.count
        else {
            throw NetworkError(
                .format, path: name, "\(dimensions(view.shape)) does not lie in a storage of \(storage.count)")
        }
        var bytes = data[data.startIndex..<data.startIndex]
        if count > 0, isContiguous(view) {
            let start = data.startIndex + view.offset * size
            bytes = data[start..<(start + count * size)]
        } else if count > 0 {
            budget -= count * size
            guard budget >= 0 else { throw NetworkError(.format, path: name, "views of more data than the file has") }
            bytes = gather(view, count, data, size)[...]
        }
        guard let tensor = Tensor(shape: view.shape, type: storage.type, bytes: bytes) else {
            throw NetworkError(.format, path: name, "impossible shape \(view.shape)")
        }
        return tensor
    }

    /// The largest element index the view touches; nil when it overflows or a stride is negative.
    private static func lastIndex(_ view: Unpickler.TensorView) -> Int? {
        var last = view.offset
        for (extent, stride) in zip(view.shape, view.strides) {
            guard stride >= 0 else { return nil }
            let (reach, overflow) = max(extent - 1, 0).multipliedReportingOverflow(by: stride)
            let (sum, carry) = last.addingReportingOverflow(reach)
            guard !overflow, !carry else { return nil }
            last = sum
        }
        return last
    }

    private static func isContiguous(_ view: Unpickler.TensorView) -> Bool {
        var expected = 1
        for (extent, stride) in zip(view.shape, view.strides).reversed() where extent != 1 {
            guard stride == expected else { return false }
            expected *= extent
        }
        return true
    }

    /// Copies a strided view in row-major order.
    ///
    /// Indices are within the storage: `lastIndex` was checked.
    private static func gather(
        _ view: Unpickler.TensorView, _ count: Int, _ data: ArraySlice<UInt8>, _ size: Int
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count * size)
        var index = [Int](repeating: 0, count: view.shape.count)
        for _ in 0..<count {
            let element = zip(index, view.strides).reduce(view.offset) { $0 + $1.0 * $1.1 }
            let start = data.startIndex + element * size
            bytes.append(contentsOf: data[start..<(start + size)])
            for axis in index.indices.reversed() {
                index[axis] += 1
                if index[axis] < view.shape[axis] { break }
                index[axis] = 0
            }
        }
        return bytes
    }
}
