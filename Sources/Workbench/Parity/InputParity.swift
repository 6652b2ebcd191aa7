// SPDX-License-Identifier: Apache-2.0
internal import Media
internal import Networks
internal import Pipeline
internal import PipelineLanguage
internal import Vision

/// Compares a node's input tensor with a reference's, and finds which usual mistake turns one into the other.
///
/// Every way of placing the picture is tried in byte values. Where the place is right, the reference is a straight line
/// of the bytes, `slope * byte + offset` for each colour, and that line says which mean and scale it was made with.
struct InputParity {
    /// One way of making an input tensor.
    struct Way: Equatable {
        enum Turn: CaseIterable { case none, mirrored, upsideDown, transposed }
        var fit: InputNormalisation.Fit
        var alignment: Placement.Alignment
        var filter: Preprocessor.Filter
        var isSwapped = false
        var isReshaped = false
        var turn = Turn.none

        func differences(from other: Way) -> Int {
            [
                fit != other.fit, fit == .letterbox && alignment != other.alignment, filter != other.filter,
                isSwapped != other.isSwapped, isReshaped != other.isReshaped, turn != other.turn,
            ].count { $0 }
        }
    }

    private struct Match {
        let way: Way
        /// Byte levels that the lines leave unexplained, root of the mean square.
        let residual: Double
        let lines: [(slope: Double, offset: Double)]
        let placement: Placement
    }

    private static let levels = 3.0
    private let preprocessor: Preprocessor
    private let picture: Picture
    /// Planes of the reference's tensor, in its order of colours.
    private let reference: [Float]
    private let axes: String?
    private let width: Int
    private let height: Int

    /// Brings the reference's axes into the order of planes, rows, columns.
    ///
    /// - Throws: a sentence when the tensor is of another size.
    init(_ preprocessor: Preprocessor, _ picture: Picture, shape: [Int], values: [Float]) throws {
        self.preprocessor = preprocessor
        self.picture = picture
        (width, height) = (preprocessor.size.width, preprocessor.size.height)
        let plain = shape.first == 1 && shape.count == 4 ? Array(shape.dropFirst()) : shape
        let (w, h) = (width, height)
        switch plain {
        case [3, h, w]:
            reference = values
            axes = preprocessor.layout == .nhwc ? "axes: the reference has planes, the model takes colours last" : nil
        case [h, w, 3]:
            reference = Self.planes(values, count: w * h)
            axes = preprocessor.layout == .nchw ? "transposed axes: the reference has colours last (NHWC)" : nil
        case [3, w, h]:
            reference = (0..<3 * w * h).map { index in
                let (plane, y, x) = (index / (w * h), index / w % h, index % w)
                return values[plane * w * h + x * h + y]
            }
            axes = "transposed axes: the reference has width before height"
        default:
            throw OutputError(
                "the reference's input is \(shape), the node's \(preprocessor.shape): set \"size\" to that of the reference"
            )
        }
    }

    /// The reference's numbers in the layout of the model's input.
    var tensor: [Float] {
        guard preprocessor.layout == .nhwc else { return reference }
        let area = width * height
        return (0..<3 * area).map { reference[$0 % 3 * area + $0 / 3] }
    }

    func stage() -> ParityReport.Stage {
        let own = Way(
            fit: preprocessor.normalisation.fit, alignment: preprocessor.alignment, filter: preprocessor.filter)
        let matches = matches()
        let least = matches.map(\.residual).min() ?? .infinity
        // Of ways that explain it about as well, the one most like the node's.
        let close = matches.filter { $0.residual <= least * 1.15 + 0.3 }
        guard let best = close.min(by: { $0.way.differences(from: own) < $1.way.differences(from: own) }) else {
            return .init("pre-processing", agrees: nil, "an empty tensor")
        }
        let text = "within \(brief(best.residual)) of 255 levels"
        guard best.residual <= 4 * Self.levels else {
            return .init(
                "pre-processing", agrees: false, text,
                causes: ["none of the usual mistakes explains it: is \"image\" the picture that \"input\" was made of?"]
            )
        }
        var causes = [axes].compactMap { $0 } + self.causes(best.way, own) + values(best)
        if best.residual > Self.levels {
            causes.append("another way of resampling: the reference uses neither area means nor plain bilinear")
        }
        return .init("pre-processing", agrees: causes.isEmpty, text, causes: causes)
    }

    // MARK: - Trying

    private func matches() -> [Match] {
        var matches: [Match] = []
        for filter in [Preprocessor.Filter.area, .bilinear] {
            for (fit, alignment) in [
                (InputNormalisation.Fit.stretch, preprocessor.alignment), (.letterbox, .topLeft), (.letterbox, .centre),
            ] {
                let bytes = Preprocessor(
                    size: preprocessor.size,
                    normalisation: InputNormalisation(
                        channelOrder: .rgb, mean: [0, 0, 0], scale: [1, 1, 1], fit: fit),
                    filter: filter, alignment: alignment)
                var made = [Float](repeating: 0, count: 3 * width * height)
                let placement = made.withUnsafeMutableBufferPointer { bytes.fill($0, from: picture) }
                for isSwapped in [false, true] {
                    var way = Way(fit: fit, alignment: alignment, filter: filter, isSwapped: isSwapped)
                    for turn in Way.Turn.allCases where turn != .transposed || width == height {
                        way.turn = turn
                        matches.append(match(way, made, placement))
                    }
                    way.turn = .none
                    way.isReshaped = true
                    matches.append(match(way, made, placement))
                }
            }
        }
        return matches
    }

    /// Fits a line for each colour where the picture lies.
    private func match(_ way: Way, _ made: [Float], _ placement: Placement) -> Match {
        let area = width * height
        let isBGR = (preprocessor.normalisation.channelOrder == .bgr) != way.isSwapped
        var squares = 0.0
        var count = 0.0
        var lines: [(slope: Double, offset: Double)] = []
        for channel in 0..<3 {
            let plane = (isBGR ? 2 - channel : channel) * area
            var line = LineFit()
            // About ten thousand samples say as much as a million.
            let step = max(1, placement.width * placement.height / 10_000)
            var sample = 0
            while sample < placement.width * placement.height {
                let x = placement.x + sample % placement.width
                let y = placement.y + sample / placement.width
                line.add(Double(made[plane + y * width + x]), Double(value(channel, x, y, way)))
                sample += step
            }
            lines.append((line.slope, line.offset))
            squares += line.residual / max(1e-12, line.slope * line.slope)
            count += line.count
        }
        return Match(way: way, residual: (squares / max(1, count)).squareRoot(), lines: lines, placement: placement)
    }

    /// The reference's number where the node has channel, x, y, if it was made this way.
    private func value(_ channel: Int, _ x: Int, _ y: Int, _ way: Way) -> Float {
        if way.isReshaped { return reference[(y * width + x) * 3 + channel] }
        let (column, row) =
            switch way.turn {
            case .none: (x, y)
            case .mirrored: (width - 1 - x, y)
            case .upsideDown: (x, height - 1 - y)
            case .transposed: (y, x)
            }
        return reference[(channel * height + row) * width + column]
    }

    // MARK: - Naming

    private func causes(_ way: Way, _ own: Way) -> [String] {
        var causes: [String] = []
        let isBGR = preprocessor.normalisation.channelOrder == .bgr
        if way.isSwapped {
            causes.append(
                "swapped channels: the reference is \(isBGR ? "RGB" : "BGR"), the node feeds \(isBGR ? "BGR" : "RGB")")
        }
        if way.isReshaped {
            causes.append("transposed axes: the reference was reshaped from NHWC to NCHW without moving the axes")
        }
        switch way.turn {
        case .none: break
        case .mirrored: causes.append("the reference is mirrored left to right")
        case .upsideDown: causes.append("the reference is upside down")
        case .transposed: causes.append("transposed axes: the reference has rows and columns exchanged")
        }
        if way.fit != own.fit {
            let (theirs, ours) = way.fit == .letterbox ? ("letterboxes", "stretches") : ("stretches", "letterboxes")
            causes.append(
                "\(way.fit == .letterbox ? "letterbox" : "stretch"): the reference \(theirs), the node \(ours)")
        } else if way.fit == .letterbox, way.alignment != own.alignment {
            let places = way.alignment == .centre ? ("centre", "top left corner") : ("top left corner", "centre")
            causes.append("letterbox: the reference puts the picture in the \(places.0), the node in the \(places.1)")
        }
        if way.filter != own.filter {
            let names = way.filter == .area ? ("area means", "bilinear") : ("bilinear", "area means")
            causes.append("resampling: the reference uses \(names.0), the node \(names.1)")
        }
        return causes
    }

    /// What the lines say about mean and scale.
    private func values(_ match: Match) -> [String] {
        let normalisation = preprocessor.normalisation
        // A swapped reference has the other colour's numbers in a channel.
        let order = match.way.isSwapped ? [2, 1, 0] : [0, 1, 2]
        let wantedScale = order.map { Double(normalisation.scale[$0]) }
        let wantedMean = order.map { Double(normalisation.mean[$0]) }
        let scale = match.lines.map(\.slope)
        let mean = match.lines.map { -$0.offset / ($0.slope == 0 ? 1 : $0.slope) }
        func near(_ a: [Double], _ b: [Double], _ tolerance: Double) -> Bool {
            zip(a, b).allSatisfy { abs($0 - $1) <= tolerance }
        }
        var causes: [String] = []
        if !near(zip(scale, wantedScale).map { $0 / $1 }, [1, 1, 1], 0.03) {
            let isRaw = near(scale, [1, 1, 1], 0.03)
            let kind =
                isRaw
                ? "missing scale: the reference keeps the range of bytes"
                : near(scale.map { $0 * 255 }, [1, 1, 1], 0.03) ? "scale: the reference divides by 255" : "scale"
            causes.append("\(kind); it multiplies by \(list(scale)), the node by \(list(wantedScale))")
        }
        if !near(mean, wantedMean, 3) {
            let kind =
                near(mean, [0, 0, 0], 3)
                ? "missing mean: the reference subtracts none"
                : near(mean, wantedMean.reversed(), 3) ? "mean in the other order of colours" : "mean"
            causes.append("\(kind); it subtracts \(list(mean)), the node \(list(wantedMean))")
        }
        return causes + margin(match)
    }

    /// What a letterboxed reference has beside the picture.
    private func margin(_ match: Match) -> [String] {
        let place = match.placement
        guard match.way.fit == .letterbox, match.way.turn == .none, !match.way.isReshaped,
            match.way.fit == preprocessor.normalisation.fit
        else { return [] }
        let x = place.x + place.width < width ? width - 1 : place.x > 0 ? 0 : -1
        let y = place.y + place.height < height ? height - 1 : place.y > 0 ? 0 : -1
        guard x >= 0 || y >= 0 else { return [] }
        let at = max(0, y) * width + max(0, x)
        let order = match.way.isSwapped ? [2, 1, 0] : [0, 1, 2]
        let theirs = (0..<3).map { channel in
            (Double(reference[channel * width * height + at]) - match.lines[channel].offset)
                / match.lines[channel].slope
        }
        let ours = order.map { Double(preprocessor.margin ?? preprocessor.normalisation.mean[$0]) }
        guard zip(theirs, ours).contains(where: { abs($0 - $1) > 3 }) else { return [] }
        return ["padding: the reference fills with bytes \(list(theirs)), the node with \(list(ours))"]
    }

    private func list(_ values: [Double]) -> String {
        guard let first = values.first, values.contains(where: { abs($0 - first) > 0.02 * abs(first) }) else {
            return values.first.map { brief($0) } ?? ""
        }
        return "[" + values.map(brief).joined(separator: ", ") + "]"
    }

    private static func planes(_ values: [Float], count: Int) -> [Float] {
        (0..<3 * count).map { values[$0 % count * 3 + $0 / count] }
    }
}
