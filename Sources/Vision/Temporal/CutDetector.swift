// SPDX-License-Identifier: Apache-2.0

/// Tells a scene cut from the mean difference between frames and their warped past: four times its running mean.
struct CutDetector {
    /// Differences below this are no cut, whatever went before: in a clean still picture anything that moves would be.
    private static let floor: Float = 6.0 / 255
    private static let factor: Float = 4
    /// How much of the running mean each frame renews.
    private static let renewal: Float = 0.1

    private var mean: Float?

    /// Judges the next frame by its difference, in 0...1; a cut leaves the running mean alone.
    mutating func isCut(difference: Float) -> Bool {
        guard let mean else {
            self.mean = difference
            return false
        }
        if difference > max(Self.factor * mean, Self.floor) { return true }
        self.mean = mean + (difference - mean) * Self.renewal
        return false
    }

    /// Forgets the running mean.
    mutating func reset() { mean = nil }
}
