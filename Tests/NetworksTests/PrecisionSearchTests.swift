// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Networks

@Suite("Search of blocks that stay in floating point")
struct PrecisionSearchTests {
    private static let blocks = ["a", "b", "c", "d"].enumerated().map {
        Network.Block(name: $1, convolutions: [$1], multiplyAccumulates: 100 * ($0 + 1))
    }

    /// A figure from which each 8-bit block takes its own part.
    private func run(
        _ costs: [String: Double], keep: Double, known: [Set<String>: Double] = [:], asked: inout [Set<String>]
    ) throws -> PrecisionSearch.Outcome {
        var search = PrecisionSearch(blocks: Self.blocks, reference: 1, keep: keep, known: known)
        var list: [Set<String>] = []
        defer { asked = list }
        return try search.run { choice in
            list.append(choice)
            return 1 - costs.filter { !choice.contains($0.key) }.values.reduce(0, +)
        }
    }

    @Test(
        "The blocks that cost most stay in floating point, no more of them than needed",
        arguments: [
            ([:], 0.99, []), (["b": 0.5], 0.99, ["b"]), (["b": 0.5, "d": 0.02, "a": 0.005], 0.99, ["b", "d"]),
            (["b": 0.5, "d": 0.02, "a": 0.005], 1, ["a", "b", "d"]), (["a": 0.005, "b": 0.004], 0.99, []),
        ] as [([String: Double], Double, Set<String>)])
    func choice(costs: [String: Double], keep: Double, expected: Set<String>) throws {
        var asked: [Set<String>] = []
        let outcome = try run(costs, keep: keep, asked: &asked)
        #expect(outcome.floatBlocks == expected)
        #expect(outcome.isWithin)
        #expect(outcome.rows.filter(\.isFloat).map(\.block) == expected.sorted())
        #expect(Set(asked).count == asked.count)
        #expect(asked.count <= PrecisionSearch(blocks: Self.blocks, reference: 1, keep: keep).most)
        if !expected.isEmpty {
            for row in outcome.rows { #expect(abs((row.cost ?? -1) - (costs[row.block] ?? 0)) < 1e-9) }
        }
        #expect(abs(outcome.rows.reduce(0) { $0 + $1.share } - 1) < 1e-9)
    }

    @Test("A block that turned out not to be needed is taken back")
    func takenBack() throws {
        // Alone, a is worth most; once b and c are out, a is worth nothing.
        var search = PrecisionSearch(blocks: Self.blocks, reference: 1, keep: 0.99)
        let outcome = try search.run { choice in
            if choice.isSuperset(of: ["b", "c"]) { return 1 }
            return choice == ["a"] ? 0.9 : choice.contains("b") ? 0.8 : choice.contains("c") ? 0.7 : 0.5
        }
        #expect(outcome.floatBlocks == ["b", "c"])
        #expect(outcome.isWithin)
    }

    @Test("Where nothing is good enough the outcome says so")
    func hopeless() throws {
        var search = PrecisionSearch(blocks: Self.blocks, reference: 1, keep: 0.99)
        let outcome = try search.run { Double($0.count) / 10 }
        #expect(!outcome.isWithin)
        #expect(outcome.floatBlocks.count == 4)
    }

    @Test("A search that was ended goes on with what was measured")
    func resumed() throws {
        struct Ended: Error {}
        let costs = ["b": 0.5, "d": 0.02]
        var first: [Set<String>: Double] = [:]
        var search = PrecisionSearch(blocks: Self.blocks, reference: 1, keep: 0.99)
        #expect(throws: Ended.self) {
            try search.run { choice in
                if first.count == 3 { throw Ended() }
                first[choice] = 1 - costs.filter { !choice.contains($0.key) }.values.reduce(0, +)
                return first[choice] ?? 0
            }
        }
        var asked: [Set<String>] = []
        let resumed = try run(costs, keep: 0.99, known: first, asked: &asked)
        #expect(asked.allSatisfy { first[$0] == nil })
        var all: [Set<String>] = []
        #expect(try run(costs, keep: 0.99, asked: &all) == resumed)
        #expect(asked.count == all.count - 3)
    }
}
