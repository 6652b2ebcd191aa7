// SPDX-License-Identifier: Apache-2.0
internal import Media

/// Turns enhanced RGB planes back into a picture, of the size of the planes or of the picture they were made from.
///
///     rows of RGB --blend down--> RGB row --matrix--> Y (U, V) row --resample across--> [+ detail] --> bytes
///
/// A picture larger than the planes gets its fine detail back: what its own brightened luma has beyond the enlarged
/// luma of the planes before enhancement. Detail below the noise is left out (shrunk by `d^2 / (d^2 + t^2)`, t three
/// times its robust standard deviation); colour has none.
/// - Note: Thread-safety: confined. Allocates when made and takes pictures from a pool.
final class PictureComposer {
    private struct Tables {
        let down: VerticalTable
        let across: HorizontalTable

        init(width: Int, height: Int, targetWidth: Int, targetHeight: Int) {
            let area = targetWidth <= width && targetHeight <= height
            down = VerticalTable(Axis(length: height, shift: 0).taps(target: targetHeight, area: area))
            across = HorizontalTable(Axis(length: width, shift: 0).taps(target: targetWidth, area: area))
        }
    }

    private let width: Int
    private let height: Int
    private let target: (width: Int, height: Int)
    private let format: PixelFormat
    private let color: ColorSpec
    private let aspect: Rational
    private let matrix: YCbCrMatrix
    private let luma: Tables
    private let chroma: Tables
    private let pool = PicturePool()
    private let arena = FloatArena()
    /// Rows: red, green, blue as blended, then two as converted, then two as resampled.
    private let rows: [UnsafeMutablePointer<Float>]
    private let histogram: UnsafeMutableBufferPointer<Int>

    /// Whether the picture is larger than the planes, so that detail is added.
    let addsDetail: Bool

    /// For planes of `width` x `height` and pictures like `picture`, in its size or in that of the planes.
    init(width: Int, height: Int, like picture: Picture, atSourceSize: Bool) {
        self.width = width
        self.height = height
        target = atSourceSize ? (picture.width, picture.height) : (width, height)
        format = picture.format
        color = picture.color
        // A stretched picture has pixels of another shape.
        aspect =
            atSourceSize
            ? picture.pixelAspect
            : PictureComposer.aspect(of: picture, width: width, height: height)
        matrix = YCbCrMatrix(picture.color)
        luma = Tables(width: width, height: height, targetWidth: target.width, targetHeight: target.height)
        chroma = Tables(
            width: width, height: height, targetWidth: format.chromaWidth(target.width),
            targetHeight: format.chromaHeight(target.height))
        addsDetail = target.width > width && target.height > height
        // Vectors run past the end of rows by up to a group of four, and by what the wider table overruns.
        let longest = max(width, target.width) + 16 + max(luma.across.overrun, chroma.across.overrun)
        let arena = self.arena
        rows = (0..<7).map { _ in arena.take(longest) }
        histogram = .allocate(capacity: 512)
        histogram.initialize(repeating: 0)
    }

    deinit { histogram.deallocate() }

    /// The picture of `planes`.
    ///
    /// - Parameters:
    ///   - source: the picture the planes were made from.
    ///   - before: luma in 0...1 of the planes before the gain, `width` x `height`; read when detail is added.
    func compose(_ planes: FloatPlanes, source: Picture, before: UnsafePointer<Float>, curve: ToneCurve)
        throws(MediaError) -> Picture
    {
        let picture = try pool.make(
            width: target.width, height: target.height, format: format, color: color, pixelAspect: aspect)
        let threshold = addsDetail ? threshold(source, before, curve) : 0
        let plane = picture.mutablePlane(0)
        for row in 0..<target.height {
            blend(planes, luma.down, row)
            matrix.luma(rows[0], rows[1], rows[2], into: rows[3], count: width)
            RowKernels.resample(rows[3], luma.across, into: rows[5])
            if addsDetail {
                detail(source, before, curve, row)
                add(rows[6], to: rows[5], threshold)
            }
            Self.bytes(rows[5], matrix.lumaGain, matrix.lumaZero, into: plane.row(row), step: 1, count: target.width)
        }
        if format != .gray8 { composeChroma(planes, picture) }
        return picture
    }

    /// Luma of `planes` in the picture's own matrix, for `compose`.
    func luma(of planes: FloatPlanes, into out: UnsafeMutablePointer<Float>) {
        matrix.luma(planes.plane(0), planes.plane(1), planes.plane(2), into: out, count: planes.area)
    }

    private func composeChroma(_ planes: FloatPlanes, _ picture: Picture) {
        let first = picture.mutablePlane(1)
        let isInterleaved = format == .nv12
        let second = isInterleaved ? first : picture.mutablePlane(2)
        for row in 0..<first.height {
            blend(planes, chroma.down, row)
            matrix.chroma(rows[0], rows[1], rows[2], intoU: rows[3], intoV: rows[4], count: width)
            RowKernels.resample(rows[3], chroma.across, into: rows[5])
            RowKernels.resample(rows[4], chroma.across, into: rows[6])
            let step = isInterleaved ? 2 : 1
            let v = second.row(row) + (isInterleaved ? 1 : 0)
            Self.bytes(rows[5], matrix.chromaGain, 128, into: first.row(row), step: step, count: first.width)
            Self.bytes(rows[6], matrix.chromaGain, 128, into: v, step: step, count: first.width)
        }
    }

    // MARK: - Rows

    /// One target row of each colour, still as wide as the planes, into the first three rows.
    private func blend(_ planes: FloatPlanes, _ table: VerticalTable, _ row: Int) {
        let weights = table.weights + row * table.stride
        for channel in 0..<3 {
            let start = planes.plane(channel) + table.starts[row] * width
            Self.blend(start, stride: width, weights, table.counts[row], into: rows[channel], count: width)
        }
    }

    private static func blend(
        _ source: UnsafePointer<Float>, stride: Int, _ weights: UnsafePointer<Float>, _ count: Int,
        into out: UnsafeMutablePointer<Float>, count width: Int
    ) {
        if count == 1 { return out.update(from: source, count: width) }
        for x in 0..<width { out[x] = source[x] * weights[0] }
        for tap in 1..<count {
            let (line, weight) = (source + tap * stride, weights[tap])
            for x in 0..<width { out[x] += line[x] * weight }
        }
    }

    private static func bytes(
        _ row: UnsafePointer<Float>, _ gain: Float, _ zero: Float, into out: UnsafeMutablePointer<UInt8>, step: Int,
        count: Int
    ) {
        for x in 0..<count {
            out[x &* step] = UInt8(truncatingIfNeeded: Int32(Vectors.clamp(row[x] * gain + zero + 0.5, 0, 255)))
        }
    }

    // MARK: - Detail

    /// What one row of the source's luma, brightened, has beyond the enlarged planes; into the last row.
    private func detail(_ source: Picture, _ before: UnsafePointer<Float>, _ curve: ToneCurve, _ row: Int) {
        let down = luma.down
        let start = before + down.starts[row] * width
        Self.blend(
            start, stride: width, down.weights + row * down.stride, down.counts[row], into: rows[0], count: width)
        RowKernels.resample(rows[0], luma.across, into: rows[6])
        let bytes = source.plane(0).row(row)
        let out = rows[6]
        for x in 0..<target.width {
            out[x] = curve((Float(bytes[x]) - matrix.lumaZero) / matrix.lumaGain) - curve(out[x])
        }
    }

    private func add(_ detail: UnsafePointer<Float>, to row: UnsafeMutablePointer<Float>, _ threshold: Float) {
        let square = threshold * threshold + 1e-9
        for x in 0..<target.width {
            let energy = detail[x] * detail[x]
            row[x] += detail[x] * (energy / (energy + square))
        }
    }

    /// Three robust standard deviations of the detail, from every sixteenth row.
    private func threshold(_ source: Picture, _ before: UnsafePointer<Float>, _ curve: ToneCurve) -> Float {
        histogram.update(repeating: 0)
        let scale: Float = 2048
        var count = 0
        for row in stride(from: 8 % target.height, to: target.height, by: 16) {
            detail(source, before, curve, row)
            for x in 0..<target.width {
                histogram[min(511, Int(abs(rows[6][x]) * scale))] += 1
            }
            count += target.width
        }
        var (bin, seen) = (0, histogram[0])
        while seen * 2 < count, bin < 511 {
            bin += 1
            seen += histogram[bin]
        }
        return 3 * (Float(bin) + 0.5) / scale / 0.6745
    }

    private static func aspect(of picture: Picture, width: Int, height: Int) -> Rational {
        let pixel = picture.pixelAspect.value ?? 1
        let shape = pixel * Double(picture.width) / Double(picture.height) * Double(height) / Double(width)
        return abs(shape - 1) < 0.005 ? Rational(1, 1) : Rational(Int32((shape * 1000).rounded()), 1000)
    }
}

/// From colours in 0...1 to Y'CbCr: luma 0...1, chroma -0.5...0.5, and how those become bytes.
private struct YCbCrMatrix {
    let kr: Float
    let kg: Float
    let kb: Float
    let lumaGain: Float
    let lumaZero: Float
    let chromaGain: Float

    init(_ color: ColorSpec) {
        let (weights, excursion) = (color.matrix.luma, color.range.excursion)
        (kr, kg, kb) = (Float(weights.red), Float(weights.green), Float(weights.blue))
        (lumaGain, lumaZero) = (Float(excursion.luma), Float(excursion.lumaZero))
        chromaGain = Float(excursion.chroma)
    }

    func luma(
        _ r: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
        into out: UnsafeMutablePointer<Float>, count: Int
    ) {
        for x in 0..<count { out[x] = kr * r[x] + kg * g[x] + kb * b[x] }
    }

    func chroma(
        _ r: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
        intoU u: UnsafeMutablePointer<Float>, intoV v: UnsafeMutablePointer<Float>, count: Int
    ) {
        let (toU, toV) = (0.5 / (1 - kb), 0.5 / (1 - kr))
        for x in 0..<count {
            let y = kr * r[x] + kg * g[x] + kb * b[x]
            u[x] = (b[x] - y) * toU
            v[x] = (r[x] - y) * toV
        }
    }
}
