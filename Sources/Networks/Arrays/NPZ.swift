// SPDX-License-Identifier: Apache-2.0

/// Reads and writes NumPy's `.npz` archives: a zip file with one `.npy` array per name.
///
/// Only stored members are read, which is what `numpy.savez` writes; `numpy.savez_compressed` does not.
public enum NPZ {
    /// The arrays of a file, by name.
    ///
    /// - Throws: `NetworkError` with code `.file`, `.format` or `.unsupported`, naming file and array.
    public static func read(path: String) throws(NetworkError) -> [String: Tensor] {
        let bytes = try ModelFile.read(path)
        do {
            return try read(bytes)
        } catch {
            throw NetworkError(error.code, path: error.path.map { "\(path), \($0)" } ?? path, error.detail)
        }
    }

    /// The arrays of a file's bytes, by name; members that are no arrays are passed over.
    public static func read(_ bytes: [UInt8]) throws(NetworkError) -> [String: Tensor] {
        let archive = try ZipArchive(bytes)
        var arrays: [String: Tensor] = [:]
        for name in archive.names where name.hasSuffix(".npy") {
            do {
                guard let contents = try archive.contents(name) else { continue }
                arrays[String(name.dropLast(4))] = try NPY.read(contents)
            } catch {
                throw NetworkError(error.code, path: String(name.dropLast(4)), error.detail)
            }
        }
        return arrays
    }

    /// An archive of arrays, in the order of their names.
    ///
    /// - Throws: `NetworkError.Code.unsupported` beyond 4 GiB.
    public static func write(_ arrays: [String: Tensor]) throws(NetworkError) -> [UInt8] {
        let members = arrays.sorted { $0.key < $1.key }.map { (name: $0.key + ".npy", bytes: NPY.write($0.value)) }
        return try ZipArchive.stored(members)
    }
}

extension ZipArchive {
    /// A zip file with its members stored as they are; the same members give the same bytes.
    static func stored(_ members: [(name: String, bytes: [UInt8])]) throws(NetworkError) -> [UInt8] {
        var body: [UInt8] = []
        var directory: [UInt8] = []
        func number(_ value: Int, _ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
        }
        for member in members {
            let name = Array(member.name.utf8)
            guard body.count + member.bytes.count < 0xFFFF_FFFF, name.count <= 0xFFFF, members.count < 0xFFFF else {
                throw NetworkError(.unsupported, path: member.name, "more than a plain zip file holds")
            }
            // Flag 0x800: the name is UTF-8. The date is the first a zip file can have.
            let common =
                number(20, 2) + number(0x800, 2) + number(0, 2) + number(0, 2) + number(0x21, 2)
                + number(Int(CRC32.checksum(member.bytes)), 4) + number(member.bytes.count, 4)
                + number(member.bytes.count, 4) + number(name.count, 2) + number(0, 2)
            directory +=
                number(0x0201_4B50, 4) + number(20, 2) + common + number(0, 8) + number(0, 2) + number(body.count, 4)
                + name
            body += number(0x0403_4B50, 4) + common + name + member.bytes
        }
        let end =
            number(0x0605_4B50, 4) + number(0, 4) + number(members.count, 2) + number(members.count, 2)
            + number(directory.count, 4) + number(body.count, 4) + number(0, 2)
        return body + directory + end
    }
}
