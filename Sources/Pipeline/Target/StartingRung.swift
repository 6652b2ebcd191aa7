// SPDX-License-Identifier: Apache-2.0

/// The rung of its ladder on which a run starts, and what measurements before the run say about all of them.
public struct StartingRung: Sendable, Hashable {
    /// The rung, 0 being the pipeline as written; the run takes no dearer one.
    public let rung: Int
    /// Why it is not the pipeline as written, such as `"19 of 25 fps"`; empty for rung 0.
    public let shortfall: String
    /// Processor milliseconds per frame by rung; empty when unknown.
    public let costs: [Double]

    /// Makes a start; `costs` has a figure for each rung of the ladder or none.
    public init(rung: Int = 0, shortfall: String = "", costs: [Double] = []) {
        self.rung = rung
        self.shortfall = shortfall
        self.costs = costs
    }
}
