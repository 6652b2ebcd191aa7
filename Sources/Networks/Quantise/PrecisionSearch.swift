// SPDX-License-Identifier: Apache-2.0

/// Finds the cheapest choice of blocks to leave in floating point whose figure is within tolerance.
///
/// First everything in 8 bits. If that is not good enough, each block alone is left in floating point, which tells what its 8
/// bits cost; then the blocks that cost most are left out one after the other until the figure is good enough, and those that
/// turn out not to be needed are taken back. Every measurement is kept, so that a search that was ended goes on where it was.
///
/// - Note: Thread-safety: a value, and who measures.
public struct PrecisionSearch: Sendable {
    /// A block and what is known of it.
    public struct Row: Sendable, Hashable {
        /// The block's name.
        public let block: String
        /// Its share of the multiply-accumulates: of the time that 8 bits can save.
        public let share: Double
        /// By how much the figure grows when it alone is left in floating point; nil when that was not measured.
        public let cost: Double?
        /// Whether it stays in floating point.
        public let isFloat: Bool
    }

    /// What was found.
    public struct Outcome: Sendable, Hashable {
        /// Blocks that stay in floating point.
        public let floatBlocks: Set<String>
        /// The figure with them.
        public let figure: Double
        /// Whether the figure is within the tolerance.
        public let isWithin: Bool
        /// One per block, in the network's order.
        public let rows: [Row]
    }

    private let blocks: [Network.Block]
    private let reference: Double
    private let keep: Double
    private var known: [Set<String>: Double]

    /// Prepares a search.
    ///
    /// - Parameters:
    ///   - reference: the figure of floating point.
    ///   - keep: the share of it that must be kept.
    ///   - known: figures that an earlier search measured, by the blocks left in floating point.
    public init(blocks: [Network.Block], reference: Double, keep: Double, known: [Set<String>: Double] = [:]) {
        self.blocks = blocks
        self.reference = reference
        self.keep = keep
        self.known = known
    }

    /// Measurements that the search makes at most; fewer when one of the first is good enough.
    public var most: Int { 1 + 3 * blocks.count }

    /// Searches; `measure` is asked for the figure with some blocks in floating point, once for each choice.
    public mutating func run(_ measure: (Set<String>) throws -> Double) throws -> Outcome {
        let needed = keep * reference
        let all = try figure([], measure)
        if all >= needed { return outcome([], all) }
        var gains: [(block: Network.Block, gain: Double)] = []
        for block in blocks { gains.append((block, try figure([block.name], measure) - all)) }
        // Equal gains: the block that costs less time first.
        gains.sort { ($0.gain, $1.block.multiplyAccumulates) > ($1.gain, $0.block.multiplyAccumulates) }
        var chosen: Set<String> = []
        var best = all
        for (block, _) in gains where best < needed {
            chosen.insert(block.name)
            best = try figure(chosen, measure)
        }
        guard best >= needed else { return outcome(chosen, best) }
        for (block, _) in gains.reversed() where chosen.contains(block.name) && chosen.count > 1 {
            let without = try figure(chosen.subtracting([block.name]), measure)
            guard without >= needed else { continue }
            chosen.remove(block.name)
            best = without
        }
        return outcome(chosen, best)
    }

    private mutating func figure(_ choice: Set<String>, _ measure: (Set<String>) throws -> Double) throws -> Double {
        if let figure = known[choice] { return figure }
        let figure = try measure(choice)
        known[choice] = figure
        return figure
    }

    private func outcome(_ chosen: Set<String>, _ figure: Double) -> Outcome {
        let total = Double(max(1, blocks.reduce(0) { $0 + $1.multiplyAccumulates }))
        let all = known[[]] ?? figure
        return Outcome(
            floatBlocks: chosen, figure: figure, isWithin: figure >= keep * reference,
            rows: blocks.map { block in
                Row(
                    block: block.name, share: Double(block.multiplyAccumulates) / total,
                    cost: known[[block.name]].map { $0 - all }, isFloat: chosen.contains(block.name))
            })
    }
}
