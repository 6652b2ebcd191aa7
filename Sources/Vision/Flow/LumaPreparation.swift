// SPDX-License-Identifier: Apache-2.0

/// What flow is computed on in noisy pictures: luma, smoothed (Gaussian, sigma 1.2) and halved (means of 2 x 2 pixels).
///
/// - Note: Thread-safety: confined. Allocates when made only.
public final class LumaPreparation {
    /// Order of the colours in planes of three.
    public enum ColorOrder: Sendable, Hashable {
        /// Red first.
        case rgb
        /// Blue first.
        case bgr
    }

    /// Makes the tables for pictures of one size.
    public init(width: Int, height: Int, order: ColorOrder = .rgb) {
    }

    /// Writes the prepared luma of `picture` (`[3, h, w]`, or one plane that is luma already) to `out`.
    ///
    /// - Precondition: `out` is one plane of half the size, rounded up.
    public func prepare(_ picture: FloatPlanes, into out: MutableFloatPlanes) {
    }
}
