// SPDX-License-Identifier: Apache-2.0

/// The layers of a `.caffemodel` with their blobs, in the file's order.
///
/// Reads both forms: `layer` (since 2014) and the older `layers`. Files are untrusted: every length is checked.
///
/// Source: BVLC/caffe src/caffe/proto/caffe.proto; field numbers beside each name.
public struct CaffeReader: Sendable {
    /// One layer that has trained numbers.
    public struct Layer: Sendable, Hashable {
        /// The layer's name; not always unique in a training snapshot.
        public let name: String
        /// Weight, bias, and what else the kind of layer has.
        public let blobs: [Tensor]
    }

    /// Layers with blobs, in the file's order.
    public let layers: [Layer]

    private static let layerLimit = 65_536
    private static let blobLimit = 64
    private static let axisLimit = 8
    private static let oldLayer: UInt64 = 2  // NetParameter.layers
    private static let newLayer: UInt64 = 100  // NetParameter.layer

    /// Whether the bytes are a message with layers at the places where Caffe has them.
    static func matches(_ bytes: [UInt8]) -> Bool {
        var message = ProtobufReader(bytes[...])
        var hasLayers = false
        do {
            while let (field, value) = try message.next() {
                switch (field, value) {
                case (oldLayer, .bytes), (newLayer, .bytes): hasLayers = true
                case (1...8, _): continue  // name, inputs, shapes, state
                default: return false
                }
            }
        } catch {
            return false
        }
        return hasLayers
    }

    /// Reads a file's bytes; tensors share them.
    ///
    /// - Throws: `NetworkError` with code `.format`.
    public init(_ bytes: [UInt8]) throws(NetworkError) {
        var message = ProtobufReader(bytes[...])
        var layers: [Layer] = []
        while let (field, value) = try message.next() {
            guard case .bytes(let body) = value, field == Self.oldLayer || field == Self.newLayer else { continue }
            let layer = try Self.layer(body, isOld: field == Self.oldLayer)
            if !layer.blobs.isEmpty { layers.append(layer) }
            guard layers.count <= Self.layerLimit else { throw Self.damaged("\(layers.count) layers") }
        }
        self.layers = layers
    }

    // MARK: - Messages

    private static func layer(_ body: ArraySlice<UInt8>, isOld: Bool) throws(NetworkError) -> Layer {
        // V1LayerParameter and LayerParameter.
        let (nameField, blobField): (UInt64, UInt64) = isOld ? (4, 6) : (1, 7)
        var message = ProtobufReader(body)
        var name = ""
        var blobs: [ArraySlice<UInt8>] = []
        while let (field, value) = try message.next() {
            guard case .bytes(let bytes) = value else { continue }
            if field == nameField { name = String(decoding: bytes.prefix(200), as: UTF8.self) }
            if field == blobField { blobs.append(bytes) }
        }
        guard blobs.count <= blobLimit else { throw damaged("\(blobs.count) blobs", name) }
        return Layer(name: name, blobs: try blobs.map { bytes throws(NetworkError) in try blob(bytes, name) })
    }

    private static func blob(_ body: ArraySlice<UInt8>, _ layer: String) throws(NetworkError) -> Tensor {
        var message = ProtobufReader(body)
        var legacy: [UInt64: UInt64] = [:]
        var shape: [Int]?
        var singles = Numbers(type: .f32)
        var doubles = Numbers(type: .f64)
        while let (field, value) = try message.next() {
            switch (field, value) {
            case (1...4, .varint(let extent)): legacy[field] = extent  // num, channels, height, width
            case (5, .bytes(let packed)): singles.append(packed)  // data
            case (5, .fixed32(let bits)): singles.append(bits)
            case (7, .bytes(let dimensions)): shape = try extents(dimensions, layer)  // shape
            case (8, .bytes(let packed)): doubles.append(packed)  // double_data
            case (8, .fixed64(let bits)): doubles.append(bits)
            default: continue  // gradients
            }
        }
        let numbers = doubles.bytes.isEmpty ? singles : doubles
        if shape == nil { shape = try legacyShape(legacy, layer) }
        guard let shape, let tensor = Tensor(shape: shape, type: numbers.type, bytes: numbers.bytes) else {
            throw damaged("\(numbers.bytes.count) bytes for \(dimensions(shape ?? [])) \(numbers.type.rawValue)", layer)
        }
        return tensor
    }

    /// BlobShape.dim.
    private static func extents(_ body: ArraySlice<UInt8>, _ layer: String) throws(NetworkError) -> [Int] {
        var message = ProtobufReader(body)
        var shape: [UInt64] = []
        while let (field, value) = try message.next() {
            switch (field, value) {
            case (1, .varint(let extent)): shape.append(extent)
            case (1, .bytes(let packed)): shape += try ProtobufReader.varints(packed)
            default: continue
            }
            guard shape.count <= axisLimit else { throw damaged("\(shape.count) axes", layer) }
        }
        return try shape.map { extent throws(NetworkError) in try count(extent, layer) }
    }

    /// Four axes always: a bias of old files is `[1, 1, 1, n]`.
    private static func legacyShape(_ extents: [UInt64: UInt64], _ layer: String) throws(NetworkError) -> [Int] {
        var shape: [Int] = []
        for field in UInt64(1)...4 { shape.append(try count(extents[field] ?? 1, layer)) }
        return shape.dropLast().allSatisfy { $0 == 1 } ? [shape[3]] : shape
    }

    private static func count(_ extent: UInt64, _ layer: String) throws(NetworkError) -> Int {
        guard let extent = Int(exactly: extent) else { throw damaged("a size beyond reason", layer) }
        return extent
    }

    private static func damaged(_ detail: String, _ layer: String? = nil) -> NetworkError {
        NetworkError(.format, path: layer, "damaged caffemodel: \(detail)")
    }

    /// Numbers that mostly come as one packed run, which is then shared, and may come in pieces.
    private struct Numbers {
        let type: ElementType
        private(set) var bytes: ArraySlice<UInt8> = []

        init(type: ElementType) { self.type = type }

        mutating func append(_ packed: ArraySlice<UInt8>) {
            if bytes.isEmpty { bytes = packed } else { bytes += packed }
        }

        mutating func append<Bits: FixedWidthInteger>(_ bits: Bits) {
            withUnsafeBytes(of: bits.littleEndian) { bytes.append(contentsOf: $0) }
        }
    }
}
