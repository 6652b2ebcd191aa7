// SPDX-License-Identifier: Apache-2.0
internal import Annotations

/// Says in a corner of the picture how old each node's annotations are, such as "faces 66 ms", beside the node's colour.
struct AgeStrip {
    /// An age as it is written: milliseconds, and larger units where those have more than three digits.
    static func text(of age: Double) -> (value: Float, decimals: Int, unit: String) {
        // As rounded below: what would be written as 1000 has the next unit.
        if age >= 999.95 { return (Float(age / 60), 1, "min") }
        if age >= 0.9995 { return (Float(age), 1, "s") }
        return (Float(max(0, age) * 1000), 0, "ms")
    }

    /// Draws a row for every node; those found in the frame itself are 0 ms old.
    ///
    /// - Parameter color: that of a node in the picture; nil where its annotations have colours of their own.
    func draw(
        _ annotations: FrameAnnotations, _ style: OverlayStyle, on canvas: Canvas,
        color: (FrameAnnotations.Entry) -> Color?
    ) {
        let height = Float(canvas.height)
        let size = (height * style.fontSize).isNaN ? 11 : height * style.fontSize
        let font = Font(family: style.fontFamily, size: max(11, min(200, size.rounded())))
        let line = Float(canvas.size(of: "X", font: font).height)
        guard line > 0, height > 0 else { return }
        // The widest usual age, so that the plate does not change its width with it.
        let number = Float(canvas.size(ofNumber: 99.9, decimals: 1, font: font).width)
        let unit = Float(canvas.size(of: "min", font: font).width)
        var (rows, widest) = (0, 0)
        annotations.forEach { entry in
            rows += 1
            widest = max(widest, canvas.size(of: entry.node, font: font).width)
        }
        let pad = (font.size * 0.5).rounded()
        let margin = (font.size * 0.75).rounded()
        let swatch = (font.size * 0.8).rounded()
        let width = swatch + Float(widest) + number + unit + 4 * pad
        let depth = Float(rows) * line + pad
        let isRight = style.ageCorner == .topRight || style.ageCorner == .bottomRight
        let isBottom = style.ageCorner == .bottomLeft || style.ageCorner == .bottomRight
        let left = isRight ? max(0, Float(canvas.width) - margin - width) : margin
        let top = isBottom ? max(0, height - margin - depth) : margin
        canvas.fill(
            Box(x: left, y: top, width: width, height: depth), color: Color.black.opacity(0.62), cornerRadius: pad / 2)
        let end = left + width - pad
        var y = top + (pad / 2).rounded()
        annotations.forEach { entry in
            if let color = color(entry) {
                let drop = ((line - swatch) / 2).rounded()
                canvas.fill(Box(x: left + pad, y: y + drop, width: swatch, height: swatch), color: color)
            }
            // White: not every colour of a palette can be read on a plate that lets a bright picture through.
            canvas.text(entry.node, at: Point(x: left + swatch + 1.5 * pad, y: y), font: font, color: .white)
            let (value, decimals, unit) = Self.text(of: entry.age ?? 0)
            let units = Float(canvas.size(of: unit, font: font).width)
            let digits = Float(canvas.size(ofNumber: value, decimals: decimals, font: font).width)
            canvas.text(unit, at: Point(x: end - units, y: y), font: font, color: .white)
            canvas.number(
                value, decimals: decimals, at: Point(x: end - units - (pad / 2).rounded() - digits, y: y), font: font,
                color: .white)
            y += line
        }
    }
}
