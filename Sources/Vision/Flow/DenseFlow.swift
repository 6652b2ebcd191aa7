// SPDX-License-Identifier: Apache-2.0
internal import Dispatch
public import Media

/// Dense optical flow by inverse search (DIS): for every pixel of a picture, where it lies in another.
///
/// ```
///  grey planes --halve--> levels           coarsest level first, each starting from the one before:
///                         o---o---o  -->   patches: candidates, inverse-compositional descent   (PatchSearch)
///                                          pixels: mean of the patches over them                (PatchBlend)
///                                          [refinement: variational, a few sweeps]              (FlowRefinement)
///                         finest level --bilinear--> the field
/// ```
/// Written from the description in Kroeger, Timofte, Dai, Van Gool: "Fast Optical Flow using Dense Inverse Search"
/// (ECCV 2016). Levels are float32; the patches of a level are worked off in eight fixed stripes of rows, so that the
/// result does not depend on the number of threads.
/// - Note: Thread-safety: confined. Everything is allocated when it is made, nothing later.
public final class DenseFlow {
    /// How much work is spent.
    public struct Options: Sendable, Hashable {
        /// The level the search ends at; 0 is full size, each level halves.
        public var finestLevel: Int
        /// Pixels from one patch of 8 x 8 to the next, 1...8.
        public var stride: Int
        /// Descent steps of a patch at each level, both passes together.
        public var iterations: Int
        /// Fixed-point steps of the variational refinement at each level, 0: none.
        public var refinements: Int

        /// Makes a set of options.
        public init(finestLevel: Int, stride: Int, iterations: Int, refinements: Int) {
            self.finestLevel = finestLevel
            self.stride = stride
            self.iterations = iterations
            self.refinements = refinements
        }

        /// A quarter of the size, no refinement.
        public static let ultrafast = Options(finestLevel: 2, stride: 4, iterations: 12, refinements: 0)
        /// A quarter of the size, refined.
        public static let fast = Options(finestLevel: 2, stride: 4, iterations: 16, refinements: 5)
        /// Half the size, patches closer together, refined.
        public static let medium = Options(finestLevel: 1, stride: 3, iterations: 25, refinements: 5)
    }

    /// Columns of the pictures.
    public let width: Int
    /// Rows of the pictures.
    public let height: Int
    /// How much work is spent.
    public let options: Options
    /// Pixels of the field per pixel of the pictures, across and down.
    public let magnification: Int

    private let isParallel: Bool
    private let arena = FloatArena()
    /// Finest first; none where the pictures are smaller than a patch.
    private var levels: [FlowLevel] = []
    /// Pixels of the pictures per pixel of the finest level.
    private let finestScale: Int
    private let blends: [PatchBlend]
    private let refinements: [FlowRefinement]
    private let expansion: FlowExpansion?
    private let columnSums: UnsafeMutablePointer<UInt16>

    /// Allocates everything for pictures of one size.
    ///
    /// - Parameters:
    ///   - magnification: for flow of pictures that were halved before: 2 fills a field of the full size. A power of
    ///     two.
    ///   - isParallel: whether the patches' stripes run on all cores; the result is the same.
    public init(
        width: Int, height: Int, options: Options = .fast, magnification: Int = 1, isParallel: Bool = false
    ) {
        precondition(width > 0 && height > 0, "pictures are not empty")
        precondition(magnification > 0 && magnification.nonzeroBitCount == 1, "a power of two")
        precondition((0...5).contains(options.finestLevel), "levels 0 to 5 can be the finest")
        precondition((1...PatchGrid.edge).contains(options.stride), "patches touch each other")
        self.width = width
        self.height = height
        self.options = options
        self.magnification = magnification
        self.isParallel = isParallel
        let coarsest = Self.coarsestLevel(width: width, height: height)
        let finest = min(options.finestLevel, coarsest ?? 0)
        finestScale = 1 << finest
        let arena = arena
        if let coarsest {
            levels = (finest...coarsest).map { level in
                let scale = 1 << level
                return FlowLevel(
                    width: (width + scale - 1) / scale, height: (height + scale - 1) / scale,
                    spacing: options.stride, arena: arena)
            }
        }
        blends = levels.map(PatchBlend.init)
        refinements = options.refinements > 0 ? levels.map(FlowRefinement.init) : []
        expansion = levels.first.map { FlowExpansion(from: $0, scale: (1 << finest) * magnification, arena: arena) }
        columnSums = .allocate(capacity: width + 2 * finestScale)
    }

    deinit { columnSums.deallocate() }

    /// The level at which the longer side is about four patches, or nil when the shorter is less than one.
    private static func coarsestLevel(width: Int, height: Int) -> Int? {
        let patch = PatchGrid.edge
        guard min(width, height) >= patch else { return nil }
        // floor(log2(longer / (4 patches)) + 0.5): halving rounds up from sqrt(2) over a power of two.
        var level = 0
        while Double(max(width, height)) / Double(4 * patch << level) >= 2.0.squareRoot(),
            min(width, height) >> (level + 1) >= patch
        {
            level += 1
        }
        return level
    }

    /// Fills `flow` with the motion from `picture` to `other`; zero where they are smaller than a patch of 8 x 8.
    ///
    /// - Parameters:
    ///   - guess: motion that may be right, as that of the frame before: one more candidate for each patch. A field of
    ///     the size of `flow`; it may be `flow` itself.
    /// - Precondition: the planes are `width` x `height`; `flow` is `magnification` times that, less what rounding up
    ///   to whole pixels added.
    public func compute(from picture: Plane, to other: Plane, into flow: FlowField, guess: FlowField? = nil) {
        precondition(fits(flow) && guess.map(fits) != false, "a field of another size")
        find(from: picture, to: other, guess: guess)
        guard let finest = levels.first, let expansion else { return flow.clear() }
        expansion.run(finest, into: flow)
    }

    /// Finds the motion without writing a field, to be asked for at single places.
    func find(from picture: Plane, to other: Plane, guess: FlowField? = nil) {
        precondition(
            picture.width == width && picture.height == height && other.width == width && other.height == height,
            "pictures of another size")
        guard let finest = levels.first else { return }
        fillPyramid(picture, other, finest)
        for index in levels.indices.reversed() {
            start(levels[index], from: index + 1 < levels.count ? levels[index + 1] : nil)
            search(levels[index], guess: guess)
            blends[index].run(levels[index])
            if options.refinements > 0 { refinements[index].run(fixedPoints: options.refinements) }
        }
    }

    /// The motion last found at a position of the picture, in its pixels; positions outside have that of the border.
    func motion(x: Float, y: Float) -> (u: Float, v: Float) {
        guard let finest = levels.first else { return (0, 0) }
        let scale = Float(finestScale)
        let column = Int(Vectors.clamp(x / scale, 0, Float(finest.width - 1)))
        let row = Int(Vectors.clamp(y / scale, 0, Float(finest.height - 1)))
        let index = row * finest.stride + column
        return (finest.u[index] * scale, finest.v[index] * scale)
    }

    private func fits(_ flow: FlowField) -> Bool {
        (flow.width + magnification - 1) / magnification == width
            && (flow.height + magnification - 1) / magnification == height
    }

    private func fillPyramid(_ picture: Plane, _ other: Plane, _ finest: FlowLevel) {
        FlowPyramid.reduce(picture, by: finestScale, into: finest.first, of: finest, sums: columnSums)
        FlowPyramid.reduce(other, by: finestScale, into: finest.second, of: finest, sums: columnSums)
        for (index, level) in levels.enumerated() {
            if index > 0 {
                FlowPyramid.halve(levels[index - 1].first, of: levels[index - 1], into: level.first, of: level)
                FlowPyramid.halve(levels[index - 1].second, of: levels[index - 1], into: level.second, of: level)
            }
            level.replicateBorders()
            FlowPyramid.differentiate(level)
            level.patches.prepare(level)
        }
    }

    /// Gives each patch the motion the coarser level found at its centre.
    private func start(_ level: FlowLevel, from coarser: FlowLevel?) {
        let patches = level.patches
        guard let coarser else {
            patches.u.update(repeating: 0, count: patches.count)
            patches.v.update(repeating: 0, count: patches.count)
            return
        }
        let guess = FlowGuess(
            u: coarser.u, v: coarser.v, width: coarser.width, height: coarser.height, stride: coarser.stride,
            scale: 0.5)
        for row in 0..<patches.rows {
            for column in 0..<patches.columns {
                let index = row * patches.columns + column
                (patches.u[index], patches.v[index]) = guess.motion(atPatch: patches, row, column)
            }
        }
    }

    private func search(_ level: FlowLevel, guess: FlowField?) {
        let guess = guess.map {
            FlowGuess(
                u: $0.u, v: $0.v, width: $0.width, height: $0.height, stride: $0.width,
                scale: Float($0.width) / Float(level.width))
        }
        let search = PatchSearch(level, guess: guess, iterations: options.iterations)
        if isParallel {
            DispatchQueue.concurrentPerform(iterations: PatchSearch.stripes) { search.run(stripe: $0) }
        } else {
            for stripe in 0..<PatchSearch.stripes { search.run(stripe: stripe) }
        }
    }
}
