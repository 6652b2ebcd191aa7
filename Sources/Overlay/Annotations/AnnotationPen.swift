// SPDX-License-Identifier: Apache-2.0
internal import Annotations

/// Gives annotations their look on a picture: widths, halos, fonts and colours of a style.
///
/// Labels wait until all shapes are drawn, legends until all labels are; the memory for that is kept between frames.
/// - Note: Thread-safety: confined.
final class AnnotationPen: AnnotationCanvas {
    private struct Label {
        let text: String
        let score: Float?
        let box: Box
        let color: Color
    }

    private let legends = Legend()
    private var labels: [Label] = []
    private var maps: [(map: ClassMap, node: String)] = []
    /// The open ends of what is carried, in drawing.
    private var ends: [LineSegment] = []

    // For the picture being drawn on.
    private var canvas = Canvas(textCapacity: 0)
    private var style = OverlayStyle()
    private var look = Look(OverlayStyle(), height: 0)

    // For the node whose annotations are drawn.
    private var node = ""
    private var isCarried = false
    private var nodeColor = Color.white

    /// Draws all that `body` draws, and then the labels and legends that it left.
    func draw(on canvas: Canvas, _ style: OverlayStyle, _ body: () -> Void) {
        self.canvas = canvas
        self.style = style
        look = Look(style, height: canvas.height)
        body()
        for label in labels { draw(label) }
        labels.removeAll(keepingCapacity: true)
        for (map, node) in maps { legends.draw(map, of: node, style, on: canvas) }
        maps.removeAll(keepingCapacity: true)
    }

    /// Draws what one node found.
    func draw(_ entry: FrameAnnotations.Entry, color: () -> Color) {
        node = entry.node
        isCarried = entry.isCarried
        if entry.list.kind.isColoredByNode { nodeColor = color() }
        let start = labels.count
        entry.list.draw(on: self)
        // The best come first: drawn backwards, their labels are on top.
        labels[start...].reverse()
    }

    // MARK: Shapes

    func box(_ box: Box, _ color: AnnotationColor) {
        let stroke = stroke(color)
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

    func lines(_ segments: [LineSegment], _ color: AnnotationColor) {
        guard isCarried else { return canvas.lines(segments, stroke(color)) }
        ends.removeAll(keepingCapacity: true)
        for line in segments {
            let (dx, dy) = ((line.to.x - line.from.x) * 0.35, (line.to.y - line.from.y) * 0.35)
            ends.append(
                LineSegment(
                    from: line.from, to: Point(x: line.from.x + dx, y: line.from.y + dy), score: line.score))
            ends.append(
                LineSegment(from: Point(x: line.to.x - dx, y: line.to.y - dy), to: line.to, score: line.score))
        }
        canvas.lines(ends, stroke(color))
    }

    func polyline(_ points: [Point], isClosed: Bool, _ color: AnnotationColor) {
        guard let first = points.first else { return }
        ends.removeAll(keepingCapacity: true)
        var last = first
        for point in points.dropFirst() {
            ends.append(LineSegment(from: last, to: point, score: 1))
            last = point
        }
        if isClosed { ends.append(LineSegment(from: last, to: first, score: 1)) }
        canvas.lines(ends, stroke(color))
    }

    func points(_ points: [Point], largestRadius: Float) {
        guard style.showsPoints else { return }
        let radius = max(1, min(look.lineWidth * 1.25, largestRadius))
        for point in points { canvas.disc(at: point, radius: radius, color: style.pointColor, halo: look.halo) }
    }

    private func stroke(_ color: AnnotationColor) -> Stroke {
        Stroke(color: resolved(color), width: look.lineWidth, halo: look.halo)
    }

    private func resolved(_ color: AnnotationColor) -> Color {
        switch color {
        case .node: nodeColor
        case .palette(let index):
            style.palette.isEmpty ? .white : style.palette[Int(index.magnitude % UInt(style.palette.count))]
        case .fixed(let color): color
        }
    }

    // MARK: Areas

    func mask(_ map: ClassMap) {
        guard style.showsMasks else { return }
        let opacity = style.maskOpacity.isNaN ? 0 : max(0, min(1, style.maskOpacity))
        let border = Float(canvas.height) * style.maskBorder
        canvas.mask(
            map,
            MaskStyle(
                fill: opacity, edge: min(1, opacity * 2 + 0.1),
                edgeWidth: border.isFinite ? Int(max(1, min(64, border.rounded()))) : 1))
    }

    func legend(_ map: ClassMap) {
        if style.showsLegend { maps.append((map, node)) }
    }

    // MARK: Labels

    func label(_ text: String, score: Float?, at box: Box, _ color: AnnotationColor) {
        guard style.showsLabels else { return }
        labels.append(Label(text: text, score: style.showsScores ? score : nil, box: box, color: resolved(color)))
    }

    private func draw(_ label: Label) {
        let (text, box) = (label.text, label.box)
        let edge = look.lineWidth / 2
        // Also false for a NaN: a box out of sight has no label.
        guard box.x < Float(canvas.width), box.y < Float(canvas.height), box.x + box.width > 0,
            box.y + box.height > 0, box.x.isFinite, box.y.isFinite
        else { return }
        let words = text.isEmpty ? (width: 0, height: 0) : canvas.size(of: text, font: look.font)
        let number = label.score.map { canvas.size(ofNumber: $0, font: look.font) } ?? (width: 0, height: 0)
        guard words.width + number.width > 0 else { return }
        let gap = words.width > 0 && number.width > 0 ? (look.font.size * 0.35).rounded() : 0
        let width = Float(words.width) + gap + Float(number.width) + 2 * look.padding
        let height = Float(max(words.height, number.height))
        let limit = max(0, Float(canvas.width) - width)
        let x = max(0, min(limit, (box.x - edge).rounded()))
        // Above the box; inside its top edge where there is no room above.
        let above = (box.y - edge - height).rounded()
        let y = above >= 0 ? above : max(0, (box.y + edge).rounded())
        canvas.fill(
            Box(x: x, y: y, width: width, height: height), color: label.color, cornerRadius: look.plateRadius)
        let ink = label.color.contrasting
        if words.width > 0 {
            let drop = Float(max(words.height, number.height) - words.height) / 2
            canvas.text(text, at: Point(x: x + look.padding, y: y + drop), font: look.font, color: ink)
        }
        if let score = label.score, number.width > 0 {
            let drop = Float(max(words.height, number.height) - number.height) / 2
            let left = x + look.padding + Float(words.width) + gap
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
