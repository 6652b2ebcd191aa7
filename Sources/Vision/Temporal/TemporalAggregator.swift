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
    public var flow: FlowField { motion.flow }
    /// The output before, warped onto the frame last aligned: `[3, h, w]`; all zero where there is none yet.
    public var history: FloatPlanes { Self.colours(historyImage) }
    /// 1 where `history` shows the frame, 0 where it was outside or occluded, and everywhere after a cut: `[1, h, w]`.
    public var validity: FloatPlanes { validityImage.readOnly }
    /// The estimate last given, blended with the history: `[3, h, w]`.
    public var blended: FloatPlanes { Self.colours(blendedImage) }
    /// The history's weight in `blended`: `[1, h, w]`, 0...`maximumWeight`.
    public var weights: FloatPlanes { weightsImage.readOnly }
    /// Whether the frame last aligned has no history: the first one, one after `reset()`, or one after a cut.
    public private(set) var isFresh = true
    /// Standard deviation of the estimates' noise, smoothed over time.
    public private(set) var noise: Float = 0

    /// Colours and, as a fourth plane, age: frames that went into each pixel.
    private let historyImage: FloatImage
    private let validityImage: FloatImage
    private let weightsImage: FloatImage
    /// Colours and age in turn: the output that is history, and the one being made.
    private let outputs: (FloatImage, FloatImage)
    /// The last output, nil when there is none.
    private var previous: FloatImage?
    private var blendedImage: FloatImage

    private let motion: FrameMotion
    private let residual: ResidualFilter
    private let estimator: NoiseEstimate
    private var cuts = CutDetector()
    private var isNoiseKnown = false

    /// Allocates everything for frames of one size.
    public init(width: Int, height: Int, options: Options = Options()) {
        precondition(width > 0 && height > 0, "frames are not empty")
        precondition(options.maximumWeight >= 0 && options.maximumWeight < 1, "some of each frame is new")
        precondition(options.falloff > 0 && options.noiseAfterBox > 0, "divisors are positive")
        self.width = width
        self.height = height
        self.options = options
        historyImage = FloatImage(channels: 4, width: width, height: height)
        validityImage = FloatImage(channels: 1, width: width, height: height)
        weightsImage = FloatImage(channels: 1, width: width, height: height)
        outputs = (
            FloatImage(channels: 4, width: width, height: height), FloatImage(channels: 4, width: width, height: height)
        )
        blendedImage = outputs.0
        motion = FrameMotion(width: width, height: height, options: options)
        residual = ResidualFilter(width: width, height: height)
        estimator = NoiseEstimate(width: width, height: height)
    }

    // MARK: - Frame by frame

    /// Aligns, blends and commits: the frame denoised by its past.
    @discardableResult
    public func push(_ frame: FloatPlanes) -> FloatPlanes {
        align(frame)
        blend(frame)
        commit(blended)
        return blended
    }

    /// Finds the motion from `frame` to the last output and warps that onto it: `flow`, `history`, `validity`.
    ///
    /// - Precondition: `frame` is `[3, height, width]`, as are all planes given.
    public func align(_ frame: FloatPlanes) {
        check(frame)
        isFresh = !motion.find(frame, hasHistory: previous != nil)
        guard !isFresh, let previous else { return forget() }
        Warp.sample(previous.readOnly, along: flow, into: historyImage.planes)
        Warp.validity(of: flow, into: validityImage.planes)
        motion.invalidateHidden(validityImage.planes)
    }

    /// Weighs `estimate`, of the frame last aligned, against the history: `weights`, `blended`.
    ///
    /// A first frame, and one after a cut, comes out bit for bit as it went in.
    public func blend(_ estimate: FloatPlanes) {
        check(estimate)
        // The output that is history must outlive the frame: whoever commits may still read it.
        blendedImage = previous === outputs.0 ? outputs.1 : outputs.0
        updateNoise(estimate)
        if !isFresh, cuts.isCut(difference: residual.load(estimate: estimate, history: history)) {
            isFresh = true
            forget()
        }
        guard !isFresh else {
            Self.copy(estimate, into: blendedImage)
            return ages.update(repeating: 1, count: width * height)
        }
        let rule = BlendRule(options, noise: max(noise, Self.leastNoise))
        for row in 0..<height {
            let start = row * width
            let weights = weightsImage.planes.base + start
            residual.residual(row, into: weights)
            rule.apply(
                weights, validity: validityImage.planes.base + start, before: historyImage.planes.plane(3) + start,
                age: ages + start, count: width)
            for channel in 0..<3 {
                mix(
                    estimate.plane(channel) + start, history.plane(channel) + start, weights,
                    into: blendedImage.planes.plane(channel) + start)
            }
        }
    }

    /// Makes `output`, of the frame last blended, the history of the next; `blended` then holds it.
    ///
    /// - Parameters:
    ///   - output: `blended` itself, or what a network made of it.
    public func commit(_ output: FloatPlanes) {
        check(output)
        if output.base != blended.base { Self.copy(output, into: blendedImage) }
        previous = blendedImage
        motion.remember(blended)
    }

    /// Forgets all history: after a seek or a gap.
    public func reset() {
        previous = nil
        cuts.reset()
        motion.reset()
        isNoiseKnown = false
        isFresh = true
    }

    // MARK: - Steps

    /// Less noise than this is that of rounding to bytes.
    private static let leastNoise: Float = 0.3 / 255
    /// How much of the noise estimate each frame renews.
    private static let noiseRenewal: Float = 0.1

    private var ages: UnsafeMutablePointer<Float> { blendedImage.planes.plane(3) }

    private static func colours(_ image: FloatImage) -> FloatPlanes {
        FloatPlanes(base: image.planes.base, channels: 3, width: image.width, height: image.height)
    }

    private static func copy(_ planes: FloatPlanes, into image: FloatImage) {
        image.planes.base.update(from: planes.base, count: planes.count)
    }

    private func check(_ planes: FloatPlanes) {
        precondition(
            planes.channels == 3 && planes.width == width && planes.height == height, "planes of another shape")
    }

    /// Leaves nothing of a history that does not belong to the frame.
    private func forget() {
        flow.clear()
        historyImage.fill(0)
        validityImage.fill(0)
        weightsImage.fill(0)
    }

    private func updateNoise(_ estimate: FloatPlanes) {
        guard let found = estimator.measure(estimate) else { return }
        noise = isNoiseKnown ? noise + (found - noise) * Self.noiseRenewal : found
        isNoiseKnown = true
    }

    private func mix(
        _ estimate: UnsafePointer<Float>, _ history: UnsafePointer<Float>, _ weights: UnsafePointer<Float>,
        into out: UnsafeMutablePointer<Float>
    ) {
        for index in 0..<width {
            out[index] = estimate[index] + weights[index] * (history[index] - estimate[index])
        }
    }
}
