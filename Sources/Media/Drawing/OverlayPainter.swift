// SPDX-License-Identifier: Apache-2.0
public import Annotations

/// Draws the results of the networks on a picture: areas lowest, then lines, boxes and landmarks, labels on top.
///
/// What was found in the frame itself is drawn closed, what was carried to it from an earlier one open: boxes by their
/// corners, lines by their ends.
/// - Note: Thread-safety: confined, together with the canvas it draws on.
public final class OverlayPainter {
    /// The look; may change between frames.
    public var style: OverlayStyle
    private var nodes: [String]
    private let legend = Legend()
    private let ageStrip = AgeStrip()
    /// The ends of the carried lines at hand.
    private var ends: [LineSegment] = []

    /// Makes a painter; `nodes` get the palette's colours in this order, others in the order of their appearance.
    public init(style: OverlayStyle = OverlayStyle(), nodes: [String] = []) {
        self.style = style
        self.nodes = nodes
    }

    /// Draws `results`, whose coordinates are pixels of the picture that `canvas` draws on.
    public func draw(_ results: Results, on canvas: Canvas) {
        guard canvas.width > 0, !results.isEmpty else { return }
        let look = Look(style, height: canvas.height)
        if style.showsMasks { drawMasks(results, on: canvas) }
        defer {
            if style.showsLegend { drawLegends(results, on: canvas) }
            if style.showsAges { ageStrip.draw(results, style, on: canvas) { color(of: $0) } }
        }
        if style.showsLines {
            results.forEach { entry in
                guard case .lines(let lines) = entry.result, let color = color(of: entry) else { return }
                var stroke = Stroke(color: color, width: look.lineWidth, halo: look.halo)
                stroke.endMarker = style.marksEnds ? look.lineWidth * 2.5 : 0
                canvas.lines(entry.isCarried ? ends(of: lines) : lines, stroke)
            }
        }
        results.forEach { entry in
            guard case .objects(let objects) = entry.result else { return }
            drawObjects(objects, isCarried: entry.isCarried, look, on: canvas)
        }
        guard style.showsFaces else { return }
        results.forEach { entry in
            guard case .faces(let faces) = entry.result, let color = color(of: entry) else { return }
            for face in faces { drawFace(face, isCarried: entry.isCarried, color, look, on: canvas) }
        }
        guard style.showsLabels else { return }
        results.forEach { entry in
            guard case .faces(let faces) = entry.result, let color = color(of: entry) else { return }
            // The best come first: drawn backwards, their labels are on top.
            for face in faces.reversed() {
                drawLabel(style.faceLabel, face.box, face.score, color, look, on: canvas)
            }
        }
    }

    /// The colour of a node's results; the next free one of the palette at its first appearance.
    public func color(of node: String) -> Color {
        let index: Int
        if let known = nodes.firstIndex(of: node) {
            index = known
        } else {
            index = nodes.count
            nodes.append(node)
        }
        return style.palette.isEmpty ? .white : style.palette[index % style.palette.count]
    }

    /// The colour of a result; nil of one whose parts have colours of their own.
    private func color(of entry: Results.Entry) -> Color? {
        switch entry.result {
        case .lines: style.lineColor ?? color(of: entry.node)
        case .faces: style.faceColor ?? color(of: entry.node)
        case .objects, .segmentation, .tensors: nil
        }
    }

    // MARK: Banner

    /// A corner of the picture.
    public enum Corner: Sendable, CaseIterable { case topLeft, topRight, bottomLeft, bottomRight }

    /// Draws a small status strip, such as "no signal" or a frame rate, in a corner of the picture.
    public func drawBanner(_ text: String, on canvas: Canvas, corner: Corner = .topLeft, accent: Color? = nil) {
        let look = Look(style, height: canvas.height)
        let size = canvas.size(of: text, font: look.font)
        guard canvas.width > 0, size.width > 0 else { return }
        let pad = look.padding * 2
        let bar = accent == nil ? 0 : max(3, (look.lineWidth * 1.5).rounded())
        let width = Float(size.width) + 2 * pad + bar
        let height = Float(size.height) + pad
        let margin = (look.font.size * 0.75).rounded()
        let isRight = corner == .topRight || corner == .bottomRight
        let isBottom = corner == .bottomLeft || corner == .bottomRight
        let x = isRight ? max(0, Float(canvas.width) - margin - width) : margin
        let y = isBottom ? max(0, Float(canvas.height) - margin - height) : margin
        canvas.fill(
            Box(x: x, y: y, width: width, height: height), color: Color.black.opacity(0.62),
            cornerRadius: accent == nil ? look.cornerRadius : 0)
        if let accent { canvas.fill(Box(x: x, y: y, width: bar, height: height), color: accent) }
        canvas.text(text, at: Point(x: x + bar + pad, y: y + pad / 2), font: look.font, color: .white)
    }

    // MARK: Segmentation

    private func drawMasks(_ results: Results, on canvas: Canvas) {
        let opacity = style.maskOpacity.isNaN ? 0 : max(0, min(1, style.maskOpacity))
        let border = Float(canvas.height) * style.maskBorder
        let mask = MaskStyle(
            fill: opacity, edge: min(1, opacity * 2 + 0.1),
            edgeWidth: border.isFinite ? Int(max(1, min(64, border.rounded()))) : 1)
        results.forEach { entry in
            if case .segmentation(let map) = entry.result { canvas.mask(map, mask) }
        }
    }

    private func drawLegends(_ results: Results, on canvas: Canvas) {
        results.forEach { entry in
            guard case .segmentation(let map) = entry.result else { return }
            legend.draw(map, of: entry.node, style, on: canvas)
        }
    }

    // MARK: Boxes and lines

    private func drawBox(_ box: Box, isCarried: Bool, _ color: Color, _ look: Look, on canvas: Canvas) {
        let stroke = Stroke(color: color, width: look.lineWidth, halo: look.halo)
        guard isCarried else { return canvas.outline(box, stroke, cornerRadius: look.cornerRadius) }
        let arm = min(box.width, box.height) / 4
        ends.removeAll(keepingCapacity: true)
        for (x, inward) in [(box.x, arm), (box.x + box.width, -arm)] {
            for (y, down) in [(box.y, arm), (box.y + box.height, -arm)] {
                let corner = Point(x: x, y: y)
                ends.append(LineSegment(from: corner, to: Point(x: x + inward, y: y), score: 1))
                ends.append(LineSegment(from: corner, to: Point(x: x, y: y + down), score: 1))
            }
        }
        canvas.lines(ends, stroke)
    }

    /// Each line without its middle.
    private func ends(of lines: [LineSegment]) -> [LineSegment] {
        ends.removeAll(keepingCapacity: true)
        for line in lines {
            let (dx, dy) = ((line.to.x - line.from.x) * 0.35, (line.to.y - line.from.y) * 0.35)
            ends.append(
                LineSegment(
                    from: line.from, to: Point(x: line.from.x + dx, y: line.from.y + dy), score: line.score))
            ends.append(
                LineSegment(from: Point(x: line.to.x - dx, y: line.to.y - dy), to: line.to, score: line.score))
        }
        return ends
    }

    // MARK: Faces

    private func drawFace(_ face: Face, isCarried: Bool, _ color: Color, _ look: Look, on canvas: Canvas) {
        drawBox(face.box, isCarried: isCarried, color, look, on: canvas)
        guard style.showsLandmarks else { return }
        // On small faces smaller dots, so that the face stays visible.
        let radius = max(1, min(look.lineWidth * 1.25, face.box.width / 32))
        for point in face.landmarks {
            canvas.disc(at: point, radius: radius, color: style.landmarkColor, halo: look.halo)
        }
    }

    // MARK: Objects

    /// Boxes first, so that no box runs through a label.
    private func drawObjects(_ objects: [Detection], isCarried: Bool, _ look: Look, on canvas: Canvas) {
        for object in objects { drawBox(object.box, isCarried: isCarried, color(of: object), look, on: canvas) }
        guard style.showsLabels else { return }
        for object in objects.reversed() {
            drawLabel(object.name, object.box, object.score, color(of: object), look, on: canvas)
        }
    }

    /// One colour a class.
    private func color(of object: Detection) -> Color {
        let palette = style.palette
        return palette.isEmpty ? .white : palette[Int(object.label.magnitude % UInt(palette.count))]
    }

    // MARK: Labels

    private func drawLabel(
        _ text: String, _ box: Box, _ score: Float, _ color: Color, _ look: Look, on canvas: Canvas
    ) {
        let edge = look.lineWidth / 2
        // Also false for a NaN: a face out of sight has no label.
        guard box.x < Float(canvas.width), box.y < Float(canvas.height), box.x + box.width > 0,
            box.y + box.height > 0, box.x.isFinite, box.y.isFinite
        else { return }
        let label = text.isEmpty ? (width: 0, height: 0) : canvas.size(of: text, font: look.font)
        let number = style.showsScores ? canvas.size(ofNumber: score, font: look.font) : (width: 0, height: 0)
        guard label.width + number.width > 0 else { return }
        let gap = label.width > 0 && number.width > 0 ? (look.font.size * 0.35).rounded() : 0
        let width = Float(label.width) + gap + Float(number.width) + 2 * look.padding
        let height = Float(max(label.height, number.height))
        let limit = max(0, Float(canvas.width) - width)
        let x = max(0, min(limit, (box.x - edge).rounded()))
        // Above the box; inside its top edge where there is no room above.
        let above = (box.y - edge - height).rounded()
        let y = above >= 0 ? above : max(0, (box.y + edge).rounded())
        canvas.fill(Box(x: x, y: y, width: width, height: height), color: color, cornerRadius: look.plateRadius)
        let ink = color.contrasting
        if label.width > 0 {
            let drop = Float(max(label.height, number.height) - label.height) / 2
            canvas.text(text, at: Point(x: x + look.padding, y: y + drop), font: look.font, color: ink)
        }
        if number.width > 0 {
            let drop = Float(max(label.height, number.height) - number.height) / 2
            let left = x + look.padding + Float(label.width) + gap
            canvas.number(score, at: Point(x: left, y: y + drop), font: look.font, color: ink)
        }
    }
}

/// The style in pixels of one picture.
private struct Look {
    let lineWidth: Float
    let halo: Halo
    let font: Font
    let padding: Float
    let cornerRadius: Float
    let plateRadius: Float

    init(_ style: OverlayStyle, height: Int) {
        let height = Float(height)
        // Whatever the style says, sizes are numbers in range.
        lineWidth = min(64, max(1.5, (height * style.lineWidth).isNaN ? 1.5 : height * style.lineWidth))
        halo = Halo(color: style.haloColor, width: max(0.75, lineWidth * 0.5))
        let size = (height * style.fontSize).isNaN ? 11 : height * style.fontSize
        font = Font(family: style.fontFamily, size: max(11, min(200, size.rounded())))
        padding = (font.size * 0.3).rounded()
        cornerRadius = lineWidth * 1.5
        plateRadius = 2
    }
}
