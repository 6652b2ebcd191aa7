// SPDX-License-Identifier: Apache-2.0

/// Blends each frame of a video with what was seen before, following motion: much history where the picture agrees
/// with it, none where it does not (DWTA-Net's second stage; a temporal denoiser when used alone).
///
/// ```
///  frame t --align--> flow to output t-1 --warp--> history, its validity and age
///  estimate of t (the frame itself, or a network's) --blend--> weights, blended
///  output t (blended, or what a network makes of it) --commit--> the history of t+1
/// ```
/// Alone: `push(frame)` does all three. Around a network: `align(frame)`, run stage one with `history`, `blend(its
/// result)`, run the refinement on `blended` and `weights`, `commit(its result)`.
///
/// Planes are `[3, height, width]` in 0...1. What the aggregator hands out is its own and valid until the next call
/// that writes it.
/// - Note: Thread-safety: confined; one aggregator for each source. Everything is allocated when it is made.
public final class TemporalAggregator {
    /// The rule's constants.
    public struct Options: Sendable, Hashable {
        /// The largest weight of the history, below 1; the age of a pixel ends at `1 / (1 - maximumWeight)`.
        public var maximumWeight: Float = 0.9
        /// Residual up to which the history is believed, in units of what noise alone would give.
        public var tolerance: Float = 1.3
        /// How quickly belief falls above `tolerance`, in the same units.
        public var falloff: Float = 0.6
        /// What a mean over 3 x 3 pixels leaves of the noise: 1/3 for white noise, more where it is correlated.
        public var noiseAfterBox: Float = 1 / 3
        /// Whether pixels whose flow there and back disagrees count as invalid; doubles the cost of flow.
        public var checksConsistency = false
        /// How much work the flow is.
        public var flow = DenseFlow.Options.fast
        /// Order of the colours.
        public var order = LumaPreparation.ColorOrder.rgb

        /// The specification's constants.
        public init() {}
    }

    /// Columns of the frames.
    public let width: Int
    /// Rows of the frames.
    public let height: Int
    /// The rule's constants.
    public let options: Options

    /// Motion from the frame last aligned to the output before it.
    public let flow: FlowField
    /// The output before, warped onto the frame last aligned: `[3, h, w]`; all zero where there is none yet.
    public var history: FloatPlanes { historyImage.readOnly }
    /// 1 where `history` shows the frame, 0 where it was outside or occluded, and everywhere after a cut: `[1, h, w]`.
    public var validity: FloatPlanes { validityImage.readOnly }
    /// The estimate last given, blended with the history: `[3, h, w]`.
    public var blended: FloatPlanes { blendedImage.readOnly }
    /// The history's weight in `blended`: `[1, h, w]`, 0...`maximumWeight`.
    public var weights: FloatPlanes { weightsImage.readOnly }
    /// Whether the frame last aligned has no history: the first one, one after `reset()`, or one after a cut.
    public private(set) var isFresh = true
    /// Standard deviation of the estimates' noise, smoothed over time.
    public private(set) var noise: Float = 0

    private let historyImage: FloatImage
    private let validityImage: FloatImage
    private let blendedImage: FloatImage
    private let weightsImage: FloatImage

    /// Allocates everything for frames of one size.
    public init(width: Int, height: Int, options: Options = Options()) {
        self.width = width
        self.height = height
        self.options = options
        flow = FlowField(width: width, height: height)
        historyImage = FloatImage(channels: 3, width: width, height: height)
        validityImage = FloatImage(channels: 1, width: width, height: height)
        blendedImage = FloatImage(channels: 3, width: width, height: height)
        weightsImage = FloatImage(channels: 1, width: width, height: height)
    }

    /// Aligns, blends and commits: the frame denoised by its past.
    @discardableResult
    public func push(_ frame: FloatPlanes) -> FloatPlanes {
        align(frame)
        blend(frame)
        commit(blended)
        return blended
    }

    /// Finds the motion from `frame` to the last output and warps that onto it: `flow`, `history`, `validity`.
    public func align(_ frame: FloatPlanes) {
    }

    /// Weighs `estimate`, of the frame last aligned, against the history: `weights`, `blended`.
    ///
    /// A first frame, and one after a cut, comes out bit for bit as it went in.
    public func blend(_ estimate: FloatPlanes) {
    }

    /// Makes `output`, of the frame last blended, the history of the next.
    public func commit(_ output: FloatPlanes) {
    }

    /// Forgets all history: after a seek or a gap.
    public func reset() {
    }
}
