// SPDX-License-Identifier: Apache-2.0

/// The face and size of a text.
public struct Font: Sendable, Hashable {
    /// Family name as fontconfig knows it, or a list with commas; scripts it lacks come from other fonts installed.
    public var family: String
    /// Height of the em square in pixels, limited to 4...512 when drawn.
    public var size: Float
    /// Whether to take the bold cut.
    public var isBold: Bool

    /// Makes a font description; nothing is looked up before the first text.
    public init(family: String = "sans-serif", size: Float, isBold: Bool = false) {
        self.family = family
        self.size = size
        self.isBold = isBold
    }
}
