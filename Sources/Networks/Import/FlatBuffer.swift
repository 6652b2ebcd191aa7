// SPDX-License-Identifier: Apache-2.0

/// Bounds-checked reading of FlatBuffers tables from untrusted bytes.
///
/// ```
/// table:  | i32 distance back to the vtable | inline fields ... |
/// vtable: | u16 own size | u16 table size | u16 offset of field 0 | u16 offset of field 1 | ...   (0 = absent)
/// ```
/// Every position is checked against the buffer before it is read, so references may point anywhere without harm;
/// nothing follows references by itself, so cycles cannot hang.
///
/// Source: flatbuffers.dev, "FlatBuffer Internals".
struct FlatBuffer {
    /// Lists of tables longer than this are refused; real model files have a few thousand entries at most.
    static let tableLimit = 65_536
    /// Lists of numbers (shapes, a layer's inputs) longer than this are refused, so that many references to one long
    /// list cannot multiply.
    static let numberLimit = 64

    let bytes: [UInt8]

    /// A table at a position whose vtable has been checked to lie within the buffer.
    struct Table {
        let position: Int
        let vtable: Int
        let vtableSize: Int
        let size: Int
    }

    /// The root table of a buffer with a given file identifier.
    func root(identifier: String) throws(NetworkError) -> Table {
        guard bytes.count >= 8, bytes[4..<8].elementsEqual(identifier.utf8) else {
            throw damaged("no \(identifier) mark at the start")
        }
        return try table(at: Int(read(0, as: UInt32.self)))
    }

    func table(at position: Int) throws(NetworkError) -> Table {
        let distance = Int(try read(position, as: Int32.self))
        let vtable = position - distance
        let vtableSize = Int(try read(vtable, as: UInt16.self))
        let size = Int(try read(vtable + 2, as: UInt16.self))
        guard vtableSize >= 4, vtableSize % 2 == 0, vtable + vtableSize <= bytes.count, size >= 4,
            position + size <= bytes.count
        else { throw damaged("table outside the file") }
        return Table(position: position, vtable: vtable, vtableSize: vtableSize, size: size)
    }

    /// A number stored in the table itself; `standard` when the field is absent.
    func scalar<Number: FixedWidthInteger & BitwiseCopyable>(
        _ table: Table, _ field: Int, default standard: Number
    ) throws(NetworkError) -> Number {
        guard let position = try position(table, field, size: MemoryLayout<Number>.size) else { return standard }
        return try read(position, as: Number.self)
    }

    /// The table a field points to; nil when absent.
    func table(_ table: Table, _ field: Int) throws(NetworkError) -> Table? {
        guard let position = try position(table, field, size: 4) else { return nil }
        return try self.table(at: target(position))
    }

    /// The tables of a vector field; empty when absent.
    func tables(_ table: Table, _ field: Int) throws(NetworkError) -> [Table] {
        guard let (start, count) = try vector(table, field, stride: 4, limit: Self.tableLimit) else { return [] }
        var result: [Table] = []
        result.reserveCapacity(count)
        for index in 0..<count { result.append(try self.table(at: target(start + index * 4))) }
        return result
    }

    /// The numbers of an `int32` vector field; empty when absent.
    func integers(_ table: Table, _ field: Int) throws(NetworkError) -> [Int] {
        guard let (start, count) = try vector(table, field, stride: 4, limit: Self.numberLimit) else { return [] }
        var result: [Int] = []
        result.reserveCapacity(count)
        for index in 0..<count { result.append(Int(try read(start + index * 4, as: Int32.self))) }
        return result
    }

    /// The bytes of a `ubyte` vector or string field, as a view; nil when absent.
    func blob(_ table: Table, _ field: Int) throws(NetworkError) -> ArraySlice<UInt8>? {
        guard let (start, count) = try vector(table, field, stride: 1, limit: .max) else { return nil }
        return bytes[start..<(start + count)]
    }

    // MARK: - Private

    /// Where a field's inline value is; nil when the table does not have it.
    private func position(_ table: Table, _ field: Int, size: Int) throws(NetworkError) -> Int? {
        let entry = 4 + field * 2
        guard entry + 2 <= table.vtableSize else { return nil }
        let offset = Int(try read(table.vtable + entry, as: UInt16.self))
        guard offset != 0 else { return nil }
        guard offset >= 4, offset + size <= table.size else { throw damaged("field outside its table") }
        return table.position + offset
    }

    private func vector(
        _ table: Table, _ field: Int, stride: Int, limit: Int
    ) throws(NetworkError) -> (start: Int, count: Int)? {
        guard let position = try position(table, field, size: 4) else { return nil }
        let start = try target(position)
        let count = Int(try read(start, as: UInt32.self))
        // Both factors are below 2^32: the product fits.
        guard count * stride <= bytes.count - start - 4, count <= limit else {
            throw damaged("list of \(count) outside the file")
        }
        return (start + 4, count)
    }

    private func target(_ position: Int) throws(NetworkError) -> Int {
        position + Int(try read(position, as: UInt32.self))
    }

    private func read<Number: FixedWidthInteger & BitwiseCopyable>(
        _ position: Int, as type: Number.Type
    ) throws(NetworkError) -> Number {
        guard position >= 0, position <= bytes.count - MemoryLayout<Number>.size else {
            throw damaged("reference outside the file")
        }
        return bytes.withUnsafeBytes {
            Number(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: Number.self))
        }
    }

    private func damaged(_ detail: String) -> NetworkError {
        NetworkError(.format, "damaged FlatBuffers file: \(detail)")
    }
}
