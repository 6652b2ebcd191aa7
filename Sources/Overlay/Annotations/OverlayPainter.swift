// SPDX-License-Identifier: Apache-2.0
public import Annotations

/// Draws annotations on a picture: areas lowest, then lines, boxes and points, labels on top.
///
/// What was found in the frame itself is drawn closed, what was carried to it from an earlier one open: boxes by their
/// corners, lines by their ends.
/// - Note: Thread-safety: confined, together with the canvas it draws on.
public final class OverlayPainter {
    /// A corner of the picture.
    public enum Corner: Sendable, CaseIterable { case topLeft, topRight, bottomLeft, bottomRight }

    /// The look; may change between frames.
    public var style: OverlayStyle
    private var nodes: [String]
    private let pen = AnnotationPen()
    private let ageStrip = AgeStrip()

    /// Makes a painter; `nodes` get the palette's colours in this order, others in the order of their appearance.
    public init(style: OverlayStyle = OverlayStyle(), nodes: [String] = []) {
        self.style = style
        self.nodes = nodes
    }

    /// Whether anything of `annotations` is to be drawn; nothing found leaves no mark, but for its age where ages are shown.
    public func marks(_ annotations: FrameAnnotations) -> Bool {
        style.showsAges ? !annotations.isEmpty : annotations.hasFindings
    }

    /// Draws `annotations`, whose coordinates are pixels of the picture that `canvas` draws on.
    public func draw(_ annotations: FrameAnnotations, on canvas: Canvas) {
        guard canvas.width > 0, !annotations.isEmpty else { return }
        pen.draw(on: canvas, style) {
            annotations.forEachByLayer { entry in
                guard !style.hiddenKinds.contains(entry.list.kind.name) else { return }
                pen.draw(entry) { color(of: entry.node) }
            }
        }
        guard style.showsAges else { return }
        ageStrip.draw(annotations, style, on: canvas) { entry in
            entry.list.kind.isColoredByNode ? color(of: entry.node) : nil
        }
    }

    /// The colour of a node's annotations; the next free one of the palette at its first appearance.
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
}
