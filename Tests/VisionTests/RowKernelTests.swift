// SPDX-License-Identifier: Apache-2.0
import Glibc
import Testing

@testable import Vision

@Suite struct RowKernelTests {
    /// The byte after the last row is in a page that may not be read: reading it ends the test process.
    @Test(arguments: [1, 7, 8, 15, 16, 17, 31, 32, 33, 100])
    func `nothing behind the last row is read`(count: Int) throws {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let rows = 3
        let mapped = mmap(nil, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        let memory = try #require(mapped == MAP_FAILED ? nil : mapped)
        defer { munmap(memory, 2 * page) }
        try #require(mprotect(memory + page, page, PROT_NONE) == 0)
        let end = (memory + page).assumingMemoryBound(to: UInt8.self)
        let weights: [Float] = [0.25, 0.5, 0.25]

        let bytes = end - rows * count
        for index in 0..<rows * count { bytes[index] = UInt8(truncatingIfNeeded: index * 37) }
        var blended = [Float](repeating: -1, count: count)
        RowKernels.blendRows(bytes, stride: count, weights: weights, rows: rows, into: &blended, count: count)
        for index in 0..<count { #expect(abs(blended[index] - expected(bytes + index, count, weights)) < 1e-3) }

        let pairs = end - rows * 2 * count
        for index in 0..<rows * 2 * count { pairs[index] = UInt8(truncatingIfNeeded: index * 53) }
        var first = blended
        var second = blended
        RowKernels.blendPairs(
            pairs, stride: 2 * count, weights: weights, rows: rows, into: &first, &second, count: count)
        for index in 0..<count {
            #expect(abs(first[index] - expected(pairs + 2 * index, 2 * count, weights)) < 1e-3)
            #expect(abs(second[index] - expected(pairs + 2 * index + 1, 2 * count, weights)) < 1e-3)
        }
    }

    private func expected(_ bytes: UnsafePointer<UInt8>, _ stride: Int, _ weights: [Float]) -> Float {
        weights.indices.reduce(0) { $0 + weights[$1] * Float(bytes[$1 * stride]) }
    }

    @Test(arguments: [(1, 1), (10, 3), (3, 10), (1280, 512), (720, 512), (512, 512), (333, 7)], [0, 1])
    func `taps lie inside the plane and add up to one`(lengths: (source: Int, target: Int), shift: Int) {
        let axis = Axis(length: lengths.source, shift: shift)
        for area in [true, false] {
            for tap in axis.taps(target: lengths.target, area: area) {
                #expect(tap.start >= 0 && tap.start + tap.weights.count <= axis.count)
                #expect(abs(tap.weights.reduce(0, +) - 1) < 1e-5 && tap.weights.allSatisfy { $0 > 0 })
            }
        }
    }
}
