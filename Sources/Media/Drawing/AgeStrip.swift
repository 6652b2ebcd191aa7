// SPDX-License-Identifier: Apache-2.0

/// Says in a corner of the picture how old each node's results are, such as "faces 66 ms".
struct AgeStrip {
    /// Draws a row for every result; those found in the frame itself are 0 ms old.
    func draw(_ results: Results, _ style: OverlayStyle, on canvas: Canvas, color: (String) -> Color) {
        let height = Float(canvas.height)
        let size = (height * style.fontSize).isNaN ? 11 : height * style.fontSize
        let font = Font(family: style.fontFamily, size: max(11, min(200, size.rounded())))
        let line = Float(canvas.size(of: "X", font: font).height)
        guard line > 0, height > 0 else { return }
        // The widest number, so that the plate does not change its width with the age.
        let number = Float(canvas.size(ofNumber: 999, decimals: 0, font: font).width)
        let unit = Float(canvas.size(of: "ms", font: font).width)
        var (rows, widest) = (0, 0)
        results.forEach { entry in
            rows += 1
            widest = max(widest, canvas.size(of: entry.node, font: font).width)
        }
        let pad = (font.size * 0.5).rounded()
        let margin = (font.size * 0.75).rounded()
        let width = Float(widest) + number + unit + 4 * pad
        let depth = Float(rows) * line + pad
        let isRight = style.ageCorner == .topRight || style.ageCorner == .bottomRight
        let isBottom = style.ageCorner == .bottomLeft || style.ageCorner == .bottomRight
        let left = isRight ? max(0, Float(canvas.width) - margin - width) : margin
        let top = isBottom ? max(0, height - margin - depth) : margin
        canvas.fill(
            Rect(x: left, y: top, width: width, height: depth), color: Color.black.opacity(0.62), cornerRadius: pad / 2)
        let end = left + width - pad
        var y = top + pad / 2
        results.forEach { entry in
            canvas.text(entry.node, at: Point(x: left + pad, y: y), font: font, color: color(entry.node))
            // Milliseconds, and seconds where they have more than three digits.
            let age = max(0, entry.age ?? 0)
            let isLong = age >= 0.9995
            let (value, decimals) = isLong ? (Float(age), 1) : (Float(age * 1000), 0)
            let text = isLong ? "s" : "ms"
            let digits = Float(canvas.size(ofNumber: value, decimals: decimals, font: font).width)
            canvas.number(
                value, decimals: decimals, at: Point(x: end - unit - pad / 2 - digits, y: y), font: font, color: .white)
            canvas.text(text, at: Point(x: end - unit, y: y), font: font, color: .white)
            y += line
        }
    }
}
