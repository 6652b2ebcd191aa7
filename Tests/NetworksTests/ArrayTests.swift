// SPDX-License-Identifier: Apache-2.0
import Foundation
import Networks
import TestSupport
import Testing

@Suite("NumPy arrays")
struct ArrayTests {
    private func data(_ text: String) throws -> [UInt8] {
        [UInt8](try #require(Data(base64Encoded: text.filter { $0 != "\n" && $0 != " " })))
    }

    /// `numpy.savez(a=[[1.5, -2], [3, 4.25]] float32, n=[7, -8] int64, u=arange(6) uint8 (1, 2, 3))`, NumPy 2.
    private static let golden = """
        UEsDBC0AAAAAAAAAIQD4hhWa//////////8FABQAYS5ucHkBABAAkAAAAAAAAACQAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2Ny
        JzogJzxmNCcsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgyLCAyKSwgfSAgICAgICAgICAgICAgICAgICAg
        ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKAADAPwAAAMAAAEBAAACIQFBLAwQtAAAAAAAAACEA+ZsL
        tv//////////BQAUAG4ubnB5AQAQAJAAAAAAAAAAkAAAAAAAAACTTlVNUFkBAHYAeydkZXNjcic6ICc8aTgnLCAnZm9ydHJh
        bl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMiwpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg
        ICAgICAgICAgICAgICAgICAgICAgCgcAAAAAAAAA+P////////9QSwMELQAAAAAAAAAhAJ1TOIb//////////wUAFAB1Lm5w
        eQEAEACGAAAAAAAAAIYAAAAAAAAAk05VTVBZAQB2AHsnZGVzY3InOiAnfHUxJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwg
        J3NoYXBlJzogKDEsIDIsIDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg
        ICAgIAoAAQIDBAVQSwECLQMtAAAAAAAAACEA+IYVmpAAAACQAAAABQAAAAAAAAAAAAAAgAEAAAAAYS5ucHlQSwECLQMtAAAA
        AAAAACEA+ZsLtpAAAACQAAAABQAAAAAAAAAAAAAAgAHHAAAAbi5ucHlQSwECLQMtAAAAAAAAACEAnVM4hoYAAACGAAAABQAA
        AAAAAAAAAAAAgAGOAQAAdS5ucHlQSwUGAAAAAAMAAwCZAAAASwIAAAAA
        """

    @Test("NumPy's own archive is read")
    func numpy() throws {
        let arrays = try NPZ.read(data(Self.golden))
        #expect(Set(arrays.keys) == ["a", "n", "u"])
        #expect(arrays["a"]?.shape == [2, 2] && arrays["a"]?.floats() == [1.5, -2, 3, 4.25])
        #expect(arrays["n"]?.type == .i64 && arrays["n"]?.bytes.first == 7)
        #expect(arrays["u"]?.shape == [1, 2, 3] && arrays["u"].map { Array($0.bytes) } == [0, 1, 2, 3, 4, 5])
    }

    @Test("What is written reads back", arguments: [[], [1], [0], [7], [2, 3], [1, 3, 2, 2], [1, 2, 1, 2, 1]])
    func roundTrip(shape: [Int]) throws {
        var generator = SeededGenerator(seed: 5)
        let tensor = Tensor(shape: shape, floats: generator.floats(shape.reduce(1, *)))
        let bytes = NPY.write(tensor)
        #expect((bytes.count - tensor.bytes.count) % 64 == 0)
        #expect(try NPY.read(bytes[...]) == tensor)
        let half = try #require(tensor.converted(to: .f16))
        let archive = try NPZ.write(["first": tensor, "deep.output": half])
        #expect(try NPZ.read(archive) == ["first": tensor, "deep.output": half])
        #expect(try NPZ.write(["deep.output": half, "first": tensor]) == archive)
    }

    @Test("What cannot be read says what to do")
    func unsupported() throws {
        let compressed = """
            UEsDBC0AAAAIAAAAIQCp9psY//////////8FABQAYS5ucHkBABAAjAAAAAAAAABHAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxc
            pG6loG6TZqKuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GsY6mjoKtQoUAC4GJAAAUEsBAi0DLQAAAAgAAAAhAKn2
            mxhHAAAAjAAAAAUAAAAAAAAAAAAAAIABAAAAAGEubnB5UEsFBgAAAAABAAEAMwAAAH4AAAAAAA==
            """
        let fortran = """
            k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMiwgMiksIH0gICAg
            ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAAAAAAAAAAAAAAAA
            """
        let first = caught { _ = try NPZ.read(data(compressed)) }
        #expect(first?.description.contains("numpy.savez") == true)
        let second = caught { _ = try NPY.read(data(fortran)[...]) }
        #expect(second?.description.contains("ascontiguousarray") == true)
    }

    @Test("Damaged arrays and archives are refused or read, never worse", arguments: 0..<200)
    func damage(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var archive = try data(Self.golden)
        var array = NPY.write(Tensor(shape: [2, 3], floats: [1, 2, 3, 4, 5, 6]))
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
            archive[Int.random(in: 0..<archive.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            array[Int.random(in: 0..<array.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
        }
        if seed % 3 == 0 {
            archive.removeLast(Int.random(in: 0..<archive.count, using: &generator))
            array.removeLast(Int.random(in: 0..<array.count, using: &generator))
        }
        if let arrays = try? NPZ.read(archive) {
            for tensor in arrays.values { #expect(tensor.bytes.count == tensor.count * tensor.type.byteCount) }
        }
        if let tensor = try? NPY.read(array[...]) { #expect(tensor.bytes.count <= array.count) }
    }
}

/// The error thrown; nil for none, or one that is not of networks. (`#expect(throws:)` returns it from Swift 6.1 on.)
private func caught(_ body: () throws -> Void) -> NetworkError? {
    do { try body() } catch { return error as? NetworkError }
    return nil
}
