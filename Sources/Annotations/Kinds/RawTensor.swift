// SPDX-License-Identifier: Apache-2.0

/// An output of a network as it is, for readers who decode it themselves.
public struct RawTensor: Sendable, Hashable {
    /// The output's name in the model.
    public var name: String
    /// Extents, the last axis fastest.
    public var shape: [Int]
    /// The numbers; in network coordinates, whatever they mean.
    public var values: [Float]

    /// Makes a tensor.
    public init(name: String, shape: [Int], values: [Float]) {
        self.name = name
        self.shape = shape
        self.values = values
    }
}
