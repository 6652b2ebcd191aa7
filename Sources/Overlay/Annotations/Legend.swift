// SPDX-License-Identifier: Apache-2.0
internal import Annotations

/// Lists the classes of a segmentation beside their colours, in a corner of the picture.
///
/// A class is listed from its first appearance on: what comes and goes from frame to frame would make the list jump.
/// - Note: Thread-safety: confined.
final class Legend {
    /// The classes that a node's maps have had so far.
    private struct Seen {
        let node: String
        let classes: ClassSet
        var labels: [Bool]
    }

    /// Areas smaller than this share of the picture do not enter the list.
    private static let leastShare: Float = 0.002

    private var seen: [Seen] = []

    /// Adds the classes of `map` to those seen and draws the list.
    func draw(_ map: ClassMap, of node: String, _ style: OverlayStyle, on canvas: Canvas) {
        let index = note(map, of: node)
        let labels = seen[index].labels
        let count = labels.reduce(0) { $0 + ($1 ? 1 : 0) }
        guard count > 0, canvas.height > 0 else { return }

        let height = Float(canvas.height)
        let size = (height * style.fontSize).isNaN ? 11 : height * style.fontSize
        let font = Font(family: style.fontFamily, size: max(11, min(200, size.rounded())))
        let line = Float(canvas.size(of: "X", font: font).height)
        guard line > 0 else { return }
        let pad = (font.size * 0.5).rounded()
        let margin = (font.size * 0.75).rounded()
        let rows = max(1, min(count, Int((height - 2 * margin - 2 * pad) / line)))
        let columns = (count + rows - 1) / rows
        var widest = 0
        for (label, member) in map.classes.members.enumerated() where labels[label] {
            widest = max(widest, canvas.size(of: member.name, font: font).width)
        }
        let swatch = (font.size * 0.8).rounded()
        let column = swatch + pad + Float(widest)
        let box = (
            width: Float(columns) * (column + pad) + pad, height: Float(rows) * line + 2 * pad
        )
        let isRight = style.legendCorner == .topRight || style.legendCorner == .bottomRight
        let isBottom = style.legendCorner == .bottomLeft || style.legendCorner == .bottomRight
        let left = isRight ? max(0, Float(canvas.width) - margin - box.width) : margin
        let top = isBottom ? max(0, height - margin - box.height) : margin
        canvas.fill(
            Box(x: left, y: top, width: box.width, height: box.height), color: Color.black.opacity(0.62),
            cornerRadius: pad / 2)

        var place = 0
        for (label, member) in map.classes.members.enumerated() where labels[label] {
            let x = left + pad + Float(place / rows) * (column + pad)
            let y = top + pad + Float(place % rows) * line
            let drop = ((line - swatch) / 2).rounded()
            // A light rim, so that a dark colour stands out from the plate.
            canvas.fill(
                Box(x: x - 1, y: y + drop - 1, width: swatch + 2, height: swatch + 2), color: Color.white.opacity(0.7))
            canvas.fill(Box(x: x, y: y + drop, width: swatch, height: swatch), color: member.color)
            canvas.text(member.name, at: Point(x: x + swatch + pad, y: y), font: font, color: .white)
            place += 1
        }
    }

    private func note(_ map: ClassMap, of node: String) -> Int {
        var index = seen.firstIndex { $0.node == node } ?? seen.count
        if index < seen.count, seen[index].classes != map.classes {
            seen.remove(at: index)
            index = seen.count
        }
        if index == seen.count {
            seen.append(
                Seen(node: node, classes: map.classes, labels: [Bool](repeating: false, count: map.classes.count)))
        }
        for (label, share) in map.shares.enumerated() where share >= Self.leastShare {
            seen[index].labels[label] = true
        }
        return index
    }
}
