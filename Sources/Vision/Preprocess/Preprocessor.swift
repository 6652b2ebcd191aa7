// SPDX-License-Identifier: Apache-2.0
public import Media
public import Networks

/// Turns pictures into a network's input tensor in one pass over their planes.
///
/// Each target row is made on its own: source rows are blended to one row of floats (luma and chroma at their own
/// resolutions), that row is resampled across, and the three results become normalised colours in the tensor. What
/// stays in between fits the first-level cache, and no full picture is ever stored.
///
/// - Note: Shape: `[1, 3, H, W]` or `[1, H, W, 3]` f32 as `InputNormalisation` says; padding is 0, the network's mean,
///   where no `margin` is named.
/// - Note: Thread-safety: confined. Allocates when made and when the shape of the pictures changes.
public final class Preprocessor {
    /// How a picture is resampled to the network's size.
    public enum Filter: Sendable, Hashable {
        /// The mean of the source area under each target pixel when both axes shrink or stay, bilinear otherwise.
        case area
        /// The four nearest source samples by distance, pixel centres at half positions, without antialiasing.
        case bilinear
    }

    /// Which axis of the tensor the colours are.
    public enum Layout: String, Sendable, Hashable, CaseIterable { case nchw, nhwc }

    /// The tensor's size.
    public let size: InputSize
    /// Which axis the colours are.
    public let layout: Layout
    /// The byte value of what a letterboxed picture leaves free; nil is the network's mean.
    public let margin: Float?
    /// What the tensor's numbers mean.
    public let normalisation: InputNormalisation
    /// How pictures are resampled.
    public let filter: Filter
    /// Where letterboxed pictures go.
    public let alignment: Placement.Alignment
    private var plan: Plan?
    /// Planes on their way to interleaved colours.
    private let planes: UnsafeMutableBufferPointer<Float>

    /// Prepares for tensors of `size`.
    public init(
        size: InputSize, normalisation: InputNormalisation, filter: Filter,
        alignment: Placement.Alignment = .topLeft, margin: Float? = nil, layout: Layout = .nchw
    ) {
        precondition(normalisation.mean.count == 3 && normalisation.scale.count == 3, "three channels")
        precondition(size.width > 0 && size.height > 0, "the tensor is not empty")
        self.size = size
        self.normalisation = normalisation
        self.filter = filter
        self.alignment = alignment
        self.margin = margin
        self.layout = layout
        planes = .allocate(capacity: layout == .nhwc ? 3 * size.width * size.height : 0)
        planes.initialize(repeating: 0)
    }

    deinit { planes.deallocate() }

    /// The tensor's shape.
    public var shape: [Int] {
        layout == .nchw ? [1, 3, size.height, size.width] : [1, size.height, size.width, 3]
    }

    /// Numbers in the tensor.
    public var count: Int { 3 * size.width * size.height }

    /// Writes all of `tensor` from `picture` and says where the picture lies in it.
    ///
    /// - Precondition: `tensor.count == count`.
    @discardableResult
    public func fill(_ tensor: UnsafeMutableBufferPointer<Float>, from picture: Picture) -> Placement {
        precondition(tensor.count == count, "the tensor has another size")
        guard let base = tensor.baseAddress else { preconditionFailure("the tensor is not empty") }
        let plan = plan(for: picture)
        guard let scratch = planes.baseAddress, layout == .nhwc else {
            plan.run(picture, into: base, size: size)
            return plan.placement
        }
        plan.run(picture, into: scratch, size: size)
        let area = size.width * size.height
        for pixel in 0..<area {
            base[3 &* pixel] = scratch[pixel]
            base[3 &* pixel &+ 1] = scratch[area &+ pixel]
            base[3 &* pixel &+ 2] = scratch[2 &* area &+ pixel]
        }
        return plan.placement
    }

    private func plan(for picture: Picture) -> Plan {
        if let plan, plan.matches(picture) { return plan }
        let made = Plan(for: picture, self)
        plan = made
        return made
    }
}

/// Everything that depends on the pictures' shape and colour: tables and the rows between the passes.
private final class Plan {
    let placement: Placement
    private let width: Int
    private let height: Int
    private let format: PixelFormat
    private let spec: ColorSpec
    private let color: ColorTransform
    private let order: InputNormalisation.ChannelOrder
    /// What the picture leaves free, by the tensor's planes.
    private let margins: [Float]
    private let luma: (down: VerticalTable, across: HorizontalTable)
    private let chroma: (down: VerticalTable, across: HorizontalTable)
    /// Three rows as blended, then three as resampled; zero where the kernels read past a row's end.
    private let scratch: UnsafeMutablePointer<Float>
    private let blendedStride: Int
    private let resampledStride: Int

    init(for picture: Picture, _ owner: Preprocessor) {
        let placement = Placement(
            sourceWidth: picture.width, sourceHeight: picture.height, in: owner.size, fit: owner.normalisation.fit,
            alignment: owner.alignment)
        let format = picture.format
        let shrinks = placement.width <= picture.width && placement.height <= picture.height
        let area = owner.filter == .area && shrinks
        func tables(_ shiftX: Int, _ shiftY: Int) -> (down: VerticalTable, across: HorizontalTable) {
            let down = Axis(length: picture.height, shift: shiftY).taps(target: placement.height, area: area)
            let across = Axis(length: picture.width, shift: shiftX).taps(target: placement.width, area: area)
            return (VerticalTable(down), HorizontalTable(across))
        }
        self.placement = placement
        self.format = format
        width = picture.width
        height = picture.height
        spec = picture.color
        color = ColorTransform(spec, isGray: format == .gray8, normalisation: owner.normalisation)
        order = owner.normalisation.channelOrder
        let normalisation = owner.normalisation
        margins = (0..<3).map { channel in
            owner.margin.map { ($0 - normalisation.mean[channel]) * normalisation.scale[channel] } ?? 0
        }
        luma = tables(0, 0)
        chroma = tables(format.chromaShiftX, format.chromaShiftY)
        let overrun = max(luma.across.overrun, chroma.across.overrun)
        blendedStride = (picture.width + overrun + 15) & ~15
        resampledStride = (luma.across.groups * 4 + 15) & ~15
        let total = 3 * (blendedStride + resampledStride)
        scratch = .allocate(capacity: total)
        scratch.initialize(repeating: 0, count: total)
    }

    deinit { scratch.deallocate() }

    func matches(_ picture: Picture) -> Bool {
        picture.width == width && picture.height == height && picture.format == format && picture.color == spec
    }

    func run(_ picture: Picture, into tensor: UnsafeMutablePointer<Float>, size: InputSize) {
        let area = size.width * size.height
        let redOffset = order == .rgb ? 0 : 2 * area
        clearMargins(tensor, size)
        let resampled = scratch + 3 * blendedStride
        let (y, u, v) = (resampled, resampled + resampledStride, resampled + 2 * resampledStride)
        let (blendedU, blendedV) = (scratch + blendedStride, scratch + 2 * blendedStride)
        let lumaPlane = picture.plane(0)
        let plane1 = format.planeCount > 1 ? picture.plane(1) : lumaPlane
        let plane2 = format.planeCount > 2 ? picture.plane(2) : lumaPlane
        for row in 0..<placement.height {
            blend(lumaPlane, luma.down, row, into: scratch)
            RowKernels.resample(scratch, luma.across, into: y)
            switch format {
            case .i420, .i422, .i444:
                blend(plane1, chroma.down, row, into: blendedU)
                blend(plane2, chroma.down, row, into: blendedV)
                RowKernels.resample(blendedU, chroma.across, into: u)
                RowKernels.resample(blendedV, chroma.across, into: v)
            case .nv12:
                let down = chroma.down
                RowKernels.blendPairs(
                    plane1.row(down.starts[row]), stride: plane1.stride, weights: down.weights + row * down.stride,
                    rows: down.counts[row], into: blendedU, blendedV, count: plane1.width)
                RowKernels.resample(blendedU, chroma.across, into: u)
                RowKernels.resample(blendedV, chroma.across, into: v)
            case .gray8:
                break
            }
            let out = tensor + (placement.y + row) * size.width + placement.x
            RowKernels.convert(
                y: y, u: u, v: v, color, red: out + redOffset, green: out + area, blue: out + (2 * area - redOffset),
                count: placement.width)
        }
    }

    private func blend(_ plane: Plane, _ down: VerticalTable, _ row: Int, into out: UnsafeMutablePointer<Float>) {
        RowKernels.blendRows(
            plane.row(down.starts[row]), stride: plane.stride, weights: down.weights + row * down.stride,
            rows: down.counts[row], into: out, count: plane.width)
    }

    /// Fills what the picture leaves free, in each of the tensor's planes.
    private func clearMargins(_ tensor: UnsafeMutablePointer<Float>, _ size: InputSize) {
        let below = placement.y + placement.height
        let right = placement.x + placement.width
        for channel in 0..<3 {
            let plane = tensor + channel * size.width * size.height
            let value = margins[channel]
            plane.update(repeating: value, count: placement.y * size.width)
            (plane + below * size.width).update(repeating: value, count: (size.height - below) * size.width)
            guard placement.x > 0 || right < size.width else { continue }
            for row in placement.y..<below {
                (plane + row * size.width).update(repeating: value, count: placement.x)
                (plane + row * size.width + right).update(repeating: value, count: size.width - right)
            }
        }
    }
}
