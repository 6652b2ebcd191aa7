// SPDX-License-Identifier: Apache-2.0

/// The number format of a stored tensor.
public enum ElementType: String, Sendable, Hashable, CaseIterable {
    case f64, f32, f16, bf16, i64, i32, i16, i8, u8, bool

    /// Bytes of one number.
    public var byteCount: Int {
        switch self {
        case .f64, .i64: 8
        case .f32, .i32: 4
        case .f16, .bf16, .i16: 2
        case .i8, .u8, .bool: 1
        }
    }

    /// Whether the numbers can be weights.
    public var isFloatingPoint: Bool {
        switch self {
        case .f64, .f32, .f16, .bf16: true
        default: false
        }
    }
}

/// A named-nowhere block of numbers with a shape; its bytes may be a view into a whole file's.
///
/// - Note: Shape: row major, the last axis fastest. Little endian.
/// - Note: Thread-safety: an immutable value.
public struct Tensor: Sendable, Hashable {
    /// Extents, the last axis fastest.
    public let shape: [Int]
    /// Format of each number.
    public let type: ElementType
    /// The numbers, little endian; possibly a view into a whole file.
    public let bytes: ArraySlice<UInt8>

    /// Wraps bytes; nil when their count is not what shape and type need.
    public init?(shape: [Int], type: ElementType, bytes: ArraySlice<UInt8>) {
        guard let count = elementCount(shape) else { return nil }
        let (needed, overflow) = count.multipliedReportingOverflow(by: type.byteCount)
        guard !overflow, needed == bytes.count else { return nil }
        self.shape = shape
        self.type = type
        self.bytes = bytes
    }

    /// Stores numbers as f32; the count must fit the shape, a bug otherwise.
    public init(shape: [Int], floats: [Float]) {
        precondition(elementCount(shape) == floats.count, "\(floats.count) numbers for \(dimensions(shape))")
        self.shape = shape
        self.type = .f32
        self.bytes = floats.withUnsafeBytes { Array($0)[...] }
    }

    /// Stores numbers as i8; the count must fit the shape, a bug otherwise.
    public init(shape: [Int], integers: [Int8]) {
        precondition(elementCount(shape) == integers.count, "\(integers.count) numbers for \(dimensions(shape))")
        self.shape = shape
        self.type = .i8
        self.bytes = integers.map { UInt8(bitPattern: $0) }[...]
    }

    /// How many numbers there are.
    public var count: Int { bytes.count / type.byteCount }

    /// The numbers as f32; nil for integer types.
    public func floats() -> [Float]? {
        guard type.isFloatingPoint else { return nil }
        let count = self.count
        return bytes.withUnsafeBytes { raw in
            [Float](unsafeUninitializedCapacity: count) { target, written in
                switch type {
                case .f32: for i in 0..<count { target[i] = raw.loadUnaligned(fromByteOffset: i * 4, as: Float.self) }
                case .f16:
                    for i in 0..<count {
                        target[i] = HalfFloat.float(raw.loadUnaligned(fromByteOffset: i * 2, as: UInt16.self))
                    }
                case .bf16:
                    for i in 0..<count {
                        let bits = raw.loadUnaligned(fromByteOffset: i * 2, as: UInt16.self)
                        target[i] = Float(bitPattern: UInt32(bits) << 16)
                    }
                default:
                    for i in 0..<count {
                        target[i] = Float(raw.loadUnaligned(fromByteOffset: i * 8, as: Double.self))
                    }
                }
                written = count
            }
        }
    }

    /// The integers of an i8 tensor as floats; nil for other types.
    public func integers() -> [Float]? {
        type == .i8 ? bytes.map { Float(Int8(bitPattern: $0)) } : nil
    }

    /// The same numbers as f32, or rounded to f16; nil for integer types and any other target.
    public func converted(to target: ElementType) -> Tensor? {
        if target == type { return self }
        guard let floats = floats() else { return nil }
        switch target {
        case .f32: return Tensor(shape: shape, floats: floats)
        case .f16:
            let halves = floats.map(HalfFloat.bits)
            return Tensor(shape: shape, type: .f16, bytes: halves.withUnsafeBytes { Array($0)[...] })
        default: return nil
        }
    }
}
