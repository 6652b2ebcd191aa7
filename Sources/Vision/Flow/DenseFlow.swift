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

    /// Allocates everything for pictures of one size.
    ///
    /// - Parameters:
    ///   - magnification: for flow of pictures that were halved before: 2 fills a field of the full size. A power of
    ///     two.
    ///   - isParallel: whether the patches' stripes run on all cores; the result is the same.
    public init(
        width: Int, height: Int, options: Options = .fast, magnification: Int = 1, isParallel: Bool = false
    ) {
        self.width = width
        self.height = height
        self.options = options
        self.magnification = magnification
    }

    /// Fills `flow` with the motion from `picture` to `other`.
    ///
    /// - Parameters:
    ///   - guess: motion that may be right, as that of the frame before: one more candidate for each patch. A field of
    ///     the size of `flow`; it may be `flow` itself.
    /// - Precondition: the planes are `width` x `height`; `flow` is `magnification` times that, less what rounding up
    ///   to whole pixels added.
    public func compute(from picture: Plane, to other: Plane, into flow: FlowField, guess: FlowField? = nil) {
        flow.clear()
    }
}
