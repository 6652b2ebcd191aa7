// SPDX-License-Identifier: Apache-2.0
public import Inference
public import Media
public import Networks

/// Brightens and cleans a dark video, frame after frame, with DWTA-Net or with its aggregation over time alone.
///
/// ```
///  picture --planes, exposure--> frame --align--> flow, history
///     with networks:   frame, warped features --stage I--> estimate --blend--> --stage II--> result
///     without:         frame                                        --blend--> result
///  result --commit--> history of the next frame;  --composer--> picture of the source's size and format
/// ```
/// With networks two pictures can be inside: the next one is prepared while the engine works on the one before, and a
/// result is composed while the engine works on the next.
/// - Note: Thread-safety: queue-bound (one caller at a time), one enhancer for each video.
public final class VideoEnhancer {
    /// How pictures are exposed before anything else.
    public enum Exposure: Sendable, Hashable {
        /// By the picture's own light, at most this many times.
        case automatic(limit: Float)
        /// Light times this; 1 changes nothing.
        case fixed(Float)
    }

    /// What the enhancer does beside its networks.
    public struct Options: Sendable, Hashable {
        /// How pictures are exposed.
        public var exposure = Exposure.automatic(limit: 32)
        /// Whether results have the size of the pictures, rather than that of the planes worked on.
        public var keepsSize = true
        /// The aggregation's constants.
        public var aggregation = TemporalAggregator.Options()

        /// Automatic exposure, the pictures' size, noise judged by brightness.
        ///
        /// Real noise is judged more leniently than white noise need be: what is rejected shows as specks.
        public init() {
            aggregation.profilesNoise = true
            aggregation.tolerance = 2
            aggregation.falloff = 0.9
        }
    }

    /// What happened so far.
    public struct Counts: Sendable, Hashable {
        /// Pictures begun without a past: the first, and those after a cut, a seek, a gap or a change of format.
        public var fresh = 0
        /// Smallest and largest gain; nil before the first picture.
        public var gains: ClosedRange<Float>?
    }

    /// A longer step in time, in seconds, or one back, ends the history.
    static let longestGap = 1.0

    /// A picture on its way.
    private struct Work {
        let picture: Picture
        let plan: Plan
        let turn: Int
        /// Whether what was before has nothing to do with it.
        var isFresh: Bool
        /// Whether stage I ran, or runs, without features of the past.
        var isAlone: Bool
    }

    private enum Phase { case idle, enhancing, refining }

    /// What was asked for.
    public let options: Options
    /// What happened so far.
    public private(set) var counts = Counts()
    /// Pictures that can be inside.
    public var capacity: Int { networks == nil ? 1 : 2 }

    private let networks: EnhancementNetworks?
    private let size: InputSize?
    private var plan: Plan?
    private var phase = Phase.idle
    private var current: Work?
    private var waiting: Work?
    private var finished: Picture?
    /// Why stage I of the current picture could not be started.
    private var failure: InferenceError?
    private var turn = 0
    private var seconds: Double?
    private var isCut = true

    /// Enhances with networks, at their size.
    public init(_ networks: EnhancementNetworks, options: Options = Options()) {
        self.networks = networks
        size = networks.size
        self.options = options
    }

    /// Aggregates over time without networks, at a size or at that of the pictures.
    public init(denoisingAt size: InputSize? = nil, options: Options = Options()) {
        networks = nil
        self.size = size
        self.options = options
    }

    /// Pictures submitted whose results were not taken yet.
    public var inside: Int { (current == nil ? 0 : 1) + (waiting == nil ? 0 : 1) + (finished == nil ? 0 : 1) }

    /// Names who is woken, on a thread of the engine, when `next()` may have something to do.
    public func onCompletion(_ wake: @escaping @Sendable () -> Void) throws(InferenceError) {
        try networks?.onCompletion(wake)
    }

    /// Has the next picture begin without a past: after a seek, or after pictures that were not shown to the enhancer.
    public func reset() { isCut = true }

    /// Takes a picture shown at `seconds`; false, and nothing done, when `capacity` pictures are inside.
    ///
    /// - Throws: `inferenceFailed` when its inference cannot be started; the picture is not inside then.
    public func submit(_ picture: Picture, at seconds: Double) throws(InferenceError) -> Bool {
        guard inside < capacity, waiting == nil else { return false }
        let work = prepare(picture, at: seconds)
        guard networks != nil else {
            finished = try aggregate(work)
            return true
        }
        waiting = work
        guard phase == .idle else { return true }
        begin()
        if let failure { throw abandon(failure) }
        return true
    }

    /// The oldest picture's result if it is ready, in the order of submission.
    ///
    /// - Throws: `inferenceFailed` in place of that picture's result; the next one begins without a past.
    public func next() throws(InferenceError) -> Picture? {
        if let picture = finished {
            finished = nil
            return picture
        }
        guard let networks else { return nil }
        if let failure { throw abandon(failure) }
        let work: Work
        let result: FloatPlanes
        do {
            if phase == .enhancing, let work = current, networks.hasEnhanced(work.turn) {
                try refine(work, networks)
            }
            guard phase == .refining, let refined = current, networks.hasRefined else { return nil }
            work = refined
            result = try networks.refined()
        } catch {
            throw abandon(error)
        }
        work.plan.aggregator.commit(result)
        current = nil
        phase = .idle
        // The engine goes on before the picture is composed.
        if waiting != nil { begin() }
        return try work.plan.compose(result, work.picture, turn: work.turn)
    }

    // MARK: - Steps

    private func prepare(_ picture: Picture, at now: Double) -> Work {
        let step = seconds.map { now - $0 } ?? 0
        seconds = now
        var isFresh = isCut || step < 0 || step > Self.longestGap
        isCut = false
        let plan: Plan
        if let known = self.plan, known.matches(picture) {
            plan = known
        } else {
            plan = Plan(for: picture, size: size, networks, options, like: self.plan)
            self.plan = plan
            isFresh = true
        }
        if isFresh { plan.meter.reset() }
        let work = turn
        turn = networks == nil ? 0 : 1 - turn
        let (gain, isJump) = plan.prepare(picture, at: now, turn: work, options.exposure)
        counts.gains = counts.gains.map { min($0.lowerBound, gain)...max($0.upperBound, gain) } ?? gain...gain
        return Work(picture: picture, plan: plan, turn: work, isFresh: isFresh || isJump, isAlone: false)
    }

    private func aggregate(_ work: Work) throws(InferenceError) -> Picture {
        let aggregator = work.plan.aggregator
        if work.isFresh { aggregator.reset() }
        let result = aggregator.push(work.plan.slots[work.turn].frame.readOnly)
        if aggregator.isFresh { counts.fresh += 1 }
        return try work.plan.compose(result, work.picture, turn: work.turn)
    }

    /// Gives the current picture up for what went wrong with it; the next one begins without a past.
    private func abandon(_ error: InferenceError) -> InferenceError {
        failure = nil
        current = nil
        phase = .idle
        isCut = true
        if waiting != nil {
            waiting?.isFresh = true
            isCut = false
            begin()
        }
        return error
    }

    /// Aligns the waiting picture and starts stage I; a failure is kept for the picture's turn.
    private func begin() {
        guard let networks, var work = waiting else { return }
        waiting = nil
        let aggregator = work.plan.aggregator
        if work.isFresh { aggregator.reset() }
        aggregator.align(work.plan.slots[work.turn].frame.readOnly)
        work.isAlone = aggregator.isFresh
        current = work
        phase = .enhancing
        do {
            try networks.startEnhancing(work.turn, along: work.isAlone ? nil : aggregator.flow)
        } catch {
            failure = error
        }
    }

    /// Blends what stage I made and starts the refinement.
    private func refine(_ work: Work, _ networks: EnhancementNetworks) throws(InferenceError) {
        let aggregator = work.plan.aggregator
        let estimate = try networks.estimate(work.turn)
        aggregator.blend(estimate)
        if aggregator.isFresh, !work.isAlone {
            // A cut: the features belonged to another scene. Once more without them.
            current?.isAlone = true
            return try networks.startEnhancing(work.turn, along: nil)
        }
        if aggregator.isFresh { counts.fresh += 1 }
        try networks.startRefining(current: estimate, blend: aggregator.blended, weights: aggregator.weights)
        phase = .refining
    }
}

/// Everything that depends on the pictures' shape.
private final class Plan {
    /// What belongs to one picture on its way.
    struct Slot {
        let frame: MutableFloatPlanes
        /// Luma before the gain, where detail is added.
        let before: UnsafeMutablePointer<Float>
        let curve: ToneCurve
        /// Owns `frame` where no request does.
        let image: FloatImage?
    }

    let aggregator: TemporalAggregator
    let meter: ExposureMeter
    let slots: [Slot]
    private let preprocessor: Preprocessor
    private let composer: PictureComposer
    private let arena = FloatArena()
    private let shape: Shape

    private struct Shape: Equatable {
        var width: Int
        var height: Int
        var format: PixelFormat
        var color: ColorSpec
        var aspect: Rational

        init(_ picture: Picture) {
            width = picture.width
            height = picture.height
            format = picture.format
            color = picture.color
            aspect = picture.pixelAspect
        }
    }

    /// `like` gives its aggregator away where the planes stay the same: results of pictures on their way go there.
    init(
        for picture: Picture, size: InputSize?, _ networks: EnhancementNetworks?, _ options: VideoEnhancer.Options,
        like other: Plan?
    ) {
        let size = size ?? InputSize(width: picture.width, height: picture.height)
        shape = Shape(picture)
        preprocessor = Preprocessor(size: size, normalisation: DWTANet.normalisation, filter: .area)
        composer = PictureComposer(
            width: size.width, height: size.height, like: picture, atSourceSize: options.keepsSize)
        if let other, other.aggregator.width == size.width, other.aggregator.height == size.height {
            aggregator = other.aggregator
        } else {
            aggregator = TemporalAggregator(width: size.width, height: size.height, options: options.aggregation)
        }
        let limit: Float = if case .automatic(let limit) = options.exposure { limit } else { 1 }
        meter = ExposureMeter(width: size.width, height: size.height, limit: limit)
        let (arena, addsDetail) = (self.arena, composer.addsDetail)
        slots = (0..<(networks == nil ? 1 : 2)).map { turn in
            let image = networks == nil ? FloatImage(channels: 3, width: size.width, height: size.height) : nil
            guard let frame = networks?.frame(turn) ?? image?.planes else {
                preconditionFailure("one of both is there")
            }
            return Slot(
                frame: frame, before: arena.take(addsDetail ? frame.area : 1), curve: ToneCurve(), image: image)
        }
    }

    func matches(_ picture: Picture) -> Bool { shape == Shape(picture) }

    /// Fills a slot's frame with the exposed picture.
    func prepare(
        _ picture: Picture, at seconds: Double, turn: Int, _ exposure: VideoEnhancer.Exposure
    ) -> (gain: Float, isJump: Bool) {
        let slot = slots[turn]
        preprocessor.fill(
            UnsafeMutableBufferPointer(start: slot.frame.base, count: slot.frame.count), from: picture)
        if composer.addsDetail { composer.luma(of: slot.frame.readOnly, into: slot.before) }
        let (gain, isJump) =
            switch exposure {
            case .fixed(let gain): (gain, false)
            case .automatic: meter.gain(slot.frame.readOnly, at: seconds, curve: slot.curve)
            }
        slot.curve.set(gain: gain)
        slot.curve.apply(slot.frame.base, count: slot.frame.count)
        return (gain, isJump)
    }

    func compose(_ planes: FloatPlanes, _ picture: Picture, turn: Int) throws(InferenceError) -> Picture {
        do {
            return try composer.compose(
                planes, source: picture, before: slots[turn].before, curve: slots[turn].curve)
        } catch {
            throw InferenceError(.inferenceFailed, operation: "compose", detail: error.detail)
        }
    }
}
