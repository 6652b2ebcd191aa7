// SPDX-License-Identifier: Apache-2.0
package import Annotations
package import Inference
package import Networks

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The class with the largest logit: at the cells of the network's output, or between them after bilinear upsampling.
///
/// Upsampled logits are never stored. Where the four cells around a stretch of pixels have one class, so have the
/// pixels, because interpolation is a weighted mean; elsewhere the logits of one stretch at a time are interpolated.
///
/// ```
///   cells   a     a     b        a..a: filled without looking at a logit (four of five stretches on road scenes)
///           a     a     b        a..b: per class  v = top + (bottom - top) * fy, left + (right - left) * fx, argmax
/// ```
/// With a threshold, cells whose best class is less probable are void. Between cells that probability is interpolated, not
/// the logits: where two sure classes meet, no seam is void.
/// - Note: Shape: `logits` `[1, classes, H/8, W/8]`. Of equal logits the lower label wins, NaN never does.
/// - Note: Source: the reference's evaluation (bilinear, half-pixel centres, then argmax).
package final class SegmentationDecoder: OutputDecoder {
    /// How many labels there are.
    package enum Resolution: Sendable, Hashable {
        /// One for each cell of the output, 8x8 pixels of the network's input; borders are steps of that size.
        case cells
        /// One for each pixel of the network's input, from interpolated logits.
        case input
        /// The same for any other size.
        case size(InputSize)
    }

    /// What the labels stand for.
    package let classes: ClassSet
    /// How many labels the next map has.
    package var resolution: Resolution
    /// The lowest probability of the best class (softmax of the logits over the temperature) with which a cell has it;
    /// 0 gives every cell a class.
    package var threshold: Float
    private let temperature: Float
    private let size: InputSize
    private let width: Int
    private let height: Int
    private let index: Int
    /// A label for each cell.
    private let cells: UnsafeMutableBufferPointer<UInt8>
    /// The best logit and its label for each cell of a row, then for each pixel of a stretch.
    private let best: UnsafeMutableBufferPointer<Float>
    private let bestLabel: UnsafeMutableBufferPointer<Int32>
    /// The probability of the best class of each cell; only with a threshold.
    private let confidence: UnsafeMutableBufferPointer<Float>
    private var axes: (size: InputSize, across: InterpolationAxis, down: InterpolationAxis)?

    /// Prepares for a model with `outputs`, built at an input of `size`.
    ///
    /// - Parameter temperature: what the logits are divided by for probabilities; above 0.
    /// - Throws: `VisionError.Code.outputs`, also where the model has another number of classes.
    package convenience init(
        outputs: [TensorInfo], size: InputSize, classes: ClassSet, resolution: Resolution = .cells,
        threshold: Float = 0, temperature: Float = 1
    ) throws(VisionError) {
        let grid = InputSize(width: size.width / DDRNet.stride, height: size.height / DDRNet.stride)
        let index = try outputs.position(of: "logits", shape: [1, classes.count, grid.height, grid.width])
        self.init(
            index: index, grid: grid, size: size, classes: classes, resolution: resolution, threshold: threshold,
            temperature: temperature)
    }

    /// Prepares for logits of a grid, which are the output `index`.
    init(
        index: Int, grid: InputSize, size: InputSize, classes: ClassSet, resolution: Resolution, threshold: Float = 0,
        temperature: Float = 1
    ) {
        width = grid.width
        height = grid.height
        self.index = index
        self.size = size
        self.classes = classes
        self.resolution = resolution
        self.threshold = threshold
        self.temperature = temperature
        cells = .allocate(capacity: max(1, width * height))
        cells.initialize(repeating: 0)
        best = .allocate(capacity: max(1, width))
        best.initialize(repeating: 0)
        bestLabel = .allocate(capacity: max(1, width))
        bestLabel.initialize(repeating: 0)
        confidence = .allocate(capacity: max(1, width * height))
        confidence.initialize(repeating: 0)
    }

    deinit {
        confidence.deallocate()
        cells.deallocate()
        best.deallocate()
        bestLabel.deallocate()
    }

    /// The class map; cells that lie in the padding of a letterboxed picture are left out.
    package func decode(_ outputs: [TensorBuffer], placement: Placement) -> ClassMap {
        guard let logits = outputs[index].floats.baseAddress else { preconditionFailure("an output without memory") }
        return decode(logits, placement: placement)
    }

    func decode(_ logits: UnsafePointer<Float>, placement: Placement) -> ClassMap {
        labelCells(logits)
        let grid: InputSize
        switch resolution {
        case .cells:
            var labels = Array(cells)
            if threshold > 0 {
                for cell in labels.indices where confidence[cell] < threshold { labels[cell] = ClassMap.void }
            }
            return map(labels, InputSize(width: width, height: height), placement)
        case .input: grid = size
        case .size(let wanted): grid = wanted
        }
        let labels = [UInt8](unsafeUninitializedCapacity: grid.width * grid.height) { labels, count in
            if let base = labels.baseAddress { interpolate(logits, grid, into: base) }
            count = grid.width * grid.height
        }
        return map(labels, grid, placement)
    }

    // MARK: - At the cells

    private func labelCells(_ logits: UnsafePointer<Float>) {
        guard let cells = cells.baseAddress, let best = best.baseAddress, let bestLabel = bestLabel.baseAddress else {
            return
        }
        let area = width &* height
        for row in 0..<height {
            let line = logits + row &* width
            var x = 0
            while x < width {
                best[x] = line[x].isNaN ? -.infinity : line[x]
                bestLabel[x] = 0
                x &+= 1
            }
            for label in 1..<Int32(classes.count) {
                let plane = line + Int(label) &* area
                // Written for the vectoriser: both stores are unconditional.
                x = 0
                while x < width {
                    let value = plane[x]
                    let isBetter = value > best[x]
                    best[x] = isBetter ? value : best[x]
                    bestLabel[x] = isBetter ? label : bestLabel[x]
                    x &+= 1
                }
            }
            x = 0
            while x < width {
                cells[row &* width &+ x] = UInt8(truncatingIfNeeded: bestLabel[x])
                x &+= 1
            }
            if threshold > 0 { judge(line, best, row) }
        }
    }

    /// The probabilities of a row's best classes; 0 where the logits are no finite numbers.
    private func judge(_ line: UnsafePointer<Float>, _ best: UnsafePointer<Float>, _ row: Int) {
        let area = width &* height
        let scale = 1 / temperature
        for x in 0..<width {
            var sum: Float = 0
            for label in 0..<classes.count {
                let distance = (line[label &* area &+ x] - best[x]) * scale
                // What is this far behind adds less than a float of 1 can show; a NaN is not far behind.
                if !(distance < -17) { sum += expf(distance) }
            }
            confidence[row &* width &+ x] = sum.isFinite ? 1 / sum : 0
        }
    }

    // MARK: - Between the cells

    private func interpolate(
        _ logits: UnsafePointer<Float>, _ grid: InputSize, into labels: UnsafeMutablePointer<UInt8>
    ) {
        let (across, down) = axes(for: grid)
        guard let cells = cells.baseAddress else { return }
        for stretch in down.stretches {
            let (upper, lower) = (stretch.from &* width, stretch.to &* width)
            for span in across.stretches {
                let label = cells[upper &+ span.from]
                let sure = sureCorners(upper &+ span.from, upper &+ span.to, lower &- upper)
                let isUniform =
                    cells[upper &+ span.to] == label && cells[lower &+ span.from] == label
                    && cells[lower &+ span.to] == label
                for y in stretch.pixels {
                    let line = labels + y &* grid.width
                    if sure == 0 {
                        (line + span.pixels.lowerBound).update(repeating: ClassMap.void, count: span.pixels.count)
                    } else if isUniform, sure == 4 {
                        (line + span.pixels.lowerBound).update(repeating: label, count: span.pixels.count)
                    } else {
                        mix(
                            logits, upper &+ span.from, upper &+ span.to, lower &- upper, down.fractions[y],
                            span.pixels,
                            across.fractions, into: line)
                        guard sure < 4 else { continue }
                        clear(
                            upper &+ span.from, upper &+ span.to, lower &- upper, down.fractions[y], span.pixels,
                            across.fractions, in: line)
                    }
                }
            }
        }
    }

    /// How many of the two cells of an upper row, and the two `drop` further on, reach the threshold.
    private func sureCorners(_ left: Int, _ right: Int, _ drop: Int) -> Int {
        guard threshold > 0 else { return 4 }
        func sure(_ cell: Int) -> Int { confidence[cell] < threshold ? 0 : 1 }
        return sure(left) &+ sure(right) &+ sure(left &+ drop) &+ sure(right &+ drop)
    }

    /// Makes void what is less probable than the threshold between two cells of an upper row and the two `drop` further on.
    private func clear(
        _ left: Int, _ right: Int, _ drop: Int, _ fy: Float, _ pixels: Range<Int>, _ fractions: [Float],
        in line: UnsafeMutablePointer<UInt8>
    ) {
        let first = confidence[left] + (confidence[left &+ drop] - confidence[left]) * fy
        let second = confidence[right] + (confidence[right &+ drop] - confidence[right]) * fy
        for x in pixels where first + (second - first) * fractions[x] < threshold { line[x] = ClassMap.void }
    }

    /// The labels of the pixels between two cells of an upper row and the two `drop` further on.
    private func mix(
        _ logits: UnsafePointer<Float>, _ left: Int, _ right: Int, _ drop: Int, _ fy: Float, _ pixels: Range<Int>,
        _ fractions: [Float], into line: UnsafeMutablePointer<UInt8>
    ) {
        let area = width &* height
        fractions.withUnsafeBufferPointer { fractions in
            var start = pixels.lowerBound
            // Eight pixels at a time, all classes of them in registers.
            while start < pixels.upperBound {
                let part = min(8, pixels.upperBound &- start)
                var fx = SIMD8<Float>()
                for lane in 0..<part { fx[lane] = fractions[start &+ lane] }
                var best = SIMD8<Float>(repeating: -.infinity)
                var label = SIMD8<Int32>(repeating: 0)
                var plane = logits
                for number in 0..<Int32(classes.count) {
                    let leftValue = plane[left] + (plane[left &+ drop] - plane[left]) * fy
                    let rightValue = plane[right] + (plane[right &+ drop] - plane[right]) * fy
                    let value = leftValue + (rightValue - leftValue) * fx
                    let isBetter = value .> best
                    best.replace(with: value, where: isBetter)
                    label.replace(with: number, where: isBetter)
                    plane += area
                }
                for lane in 0..<part { line[start &+ lane] = UInt8(truncatingIfNeeded: label[lane]) }
                start &+= 8
            }
        }
    }

    private func axes(for grid: InputSize) -> (InterpolationAxis, InterpolationAxis) {
        if let axes, axes.size == grid { return (axes.across, axes.down) }
        let made = (
            InterpolationAxis(cells: width, pixels: grid.width), InterpolationAxis(cells: height, pixels: grid.height)
        )
        axes = (grid, made.0, made.1)
        return made
    }

    // MARK: - Geometry

    /// The labels of a grid over the network's input, cut to the cells that hold some of the picture.
    private func map(_ labels: [UInt8], _ grid: InputSize, _ placement: Placement) -> ClassMap {
        Self.map(labels, grid, of: size, classes, placement)
    }

    /// The same of any labels for an input of `size`.
    static func map(
        _ labels: [UInt8], _ grid: InputSize, of size: InputSize, _ classes: ClassSet, _ placement: Placement
    ) -> ClassMap {
        func cut(_ start: Int, _ extent: Int, _ cells: Int, _ input: Int) -> Range<Int> {
            start * cells / input..<min(cells, ((start + extent) * cells + input - 1) / input)
        }
        let columns = cut(placement.x, placement.width, grid.width, size.width)
        let rows = cut(placement.y, placement.height, grid.height, size.height)
        // Source pixels per cell of the grid.
        let stepX = Double(size.width) * Double(placement.scaleX) / Double(grid.width)
        let stepY = Double(size.height) * Double(placement.scaleY) / Double(grid.height)
        let corner = placement.source(x: 0, y: 0)
        // To a 64th of a pixel: the whole grid is the whole picture, whatever the scales were rounded to.
        func exact(_ value: Double) -> Float { Float((value * 64).rounded() / 64) }
        let region = Box(
            x: corner.x + exact(Double(columns.lowerBound) * stepX),
            y: corner.y + exact(Double(rows.lowerBound) * stepY), width: exact(Double(columns.count) * stepX),
            height: exact(Double(rows.count) * stepY))
        let isWhole = columns.count == grid.width && rows.count == grid.height
        let kept =
            isWhole
            ? labels
            : rows.flatMap { row in labels[(row * grid.width + columns.lowerBound)...].prefix(columns.count) }
        return ClassMap(classes: classes, width: columns.count, height: rows.count, labels: kept, region: region)
    }
}

/// Where the pixels of a finer grid lie between cells: `cell = (pixel + 0.5) * cells / pixels - 0.5`, clamped.
struct InterpolationAxis {
    /// Neighbouring pixels between the same two cells.
    struct Stretch: Equatable {
        let from: Int
        let to: Int
        var pixels: Range<Int>
    }

    private(set) var stretches: [Stretch] = []
    /// How far each pixel is from the first of its two cells to the second, 0..<1.
    private(set) var fractions: [Float] = []

    init(cells: Int, pixels: Int) {
        for pixel in 0..<pixels {
            let place = max(0, (Double(pixel) + 0.5) * Double(cells) / Double(pixels) - 0.5)
            let from = min(cells - 1, Int(place))
            fractions.append(from + 1 < cells ? Float(place - Double(from)) : 0)
            if let last = stretches.last, last.from == from {
                stretches[stretches.count - 1].pixels = last.pixels.lowerBound..<pixel + 1
            } else {
                stretches.append(Stretch(from: from, to: min(cells - 1, from + 1), pixels: pixel..<pixel + 1))
            }
        }
    }
}
