// SPDX-License-Identifier: Apache-2.0
public import Annotations
public import Media

/// Draws anti-aliased shapes and text on the planes of a picture, in its own format and colours.
///
/// Coordinates are pixels, origin at the top left corner of the top left sample, so that a sample's centre is at
/// (x + 0.5, y + 0.5). Anything may lie outside the picture; what has a NaN or infinite coordinate is left out.
/// Keeps the masks of texts between pictures: use one canvas for a stream, not one per frame.
/// After the first frames drawing allocates nothing, except where a text is new.
///
/// - Note: Thread-safety: confined; one queue at a time uses a canvas.
public final class Canvas {
    private(set) var surface: Surface?
    private var spec = ColorSpec(matrix: .bt709)
    let texts: TextCache
    private let masks = MaskBlender()

    /// Makes a canvas that keeps up to `textCapacity` rendered texts.
    public init(textCapacity: Int = 256) { texts = TextCache(capacity: textCapacity) }

    /// Lets `body` draw on `picture`, which must be writable; outside of `body` all drawing is without effect.
    public func draw<Value>(on picture: Picture, _ body: (Canvas) throws -> Value) rethrows -> Value {
        let target = Surface(format: picture.format) { picture.mutablePlane($0) }
        return try withExtendedLifetime(picture) { try draw(on: target, picture.color, body) }
    }

    /// The same on bare planes.
    func draw<Value>(
        on target: Surface, _ color: ColorSpec, _ body: (Canvas) throws -> Value
    ) rethrows -> Value {
        let outer = (surface, spec)
        (surface, spec) = (target, color)
        defer { (surface, spec) = outer }
        return try body(self)
    }

    /// Width of the picture being drawn on; 0 outside of `draw(on:_:)`.
    public var width: Int { surface?.width ?? 0 }
    /// Height of the picture being drawn on; 0 outside of `draw(on:_:)`.
    public var height: Int { surface?.height ?? 0 }

    // MARK: Masks

    /// Blends a class map whose region is in pixels of the picture, every area in its class's colour.
    public func mask(_ map: ClassMap, _ style: MaskStyle = MaskStyle()) {
        guard let surface else { return }
        masks.draw(map, style, on: surface, spec)
    }

    // MARK: Lines

    /// Draws a straight line with its halo and end markers.
    public func line(from: Point, to: Point, _ stroke: Stroke) {
        if let halo = stroke.halo { segment(from, to, stroke, grownBy: halo.width, halo.color) }
        segment(from, to, stroke, grownBy: 0, stroke.color)
    }

    /// Draws lines, all halos below all lines, so that crossings and neighbours stay clean.
    public func lines(_ segments: [LineSegment], _ stroke: Stroke) {
        if let halo = stroke.halo {
            for line in segments { segment(line.from, line.to, stroke, grownBy: halo.width, halo.color) }
        }
        for line in segments { segment(line.from, line.to, stroke, grownBy: 0, stroke.color) }
    }

    private func segment(_ from: Point, _ to: Point, _ stroke: Stroke, grownBy rim: Float, _ color: Color) {
        guard let surface, rim >= 0, rim.isFinite, stroke.width > 0 else { return }
        let color = YUVColor(color, in: spec)
        if let shape = SegmentShape(
            from: from, to: to, width: stroke.width + 2 * rim, isRound: stroke.cap == .round,
            pictureWidth: surface.width, pictureHeight: surface.height)
        {
            surface.fill(shape, color)
        }
    }

    // MARK: Discs

    /// Fills a disc, its halo around it.
    public func disc(at centre: Point, radius: Float, color: Color, halo: Halo? = nil) {
        guard radius > 0 else { return }
        if let halo { fillDisc(centre, radius + max(0, halo.width), YUVColor(halo.color, in: spec)) }
        fillDisc(centre, radius, YUVColor(color, in: spec))
    }

    private func fillDisc(_ centre: Point, _ radius: Float, _ color: YUVColor) {
        guard let surface,
            let shape = DiscShape(
                centre: centre, radius: radius, pictureWidth: surface.width, pictureHeight: surface.height)
        else { return }
        surface.fill(shape, color)
    }

    // MARK: Rectangles

    /// Fills a rectangle; negative extents are left out, a radius beyond half the shorter side is cut to it.
    public func fill(_ rect: Box, color: Color, cornerRadius: Float = 0) {
        guard let surface, let box = outline(rect, grownBy: 0, cornerRadius: cornerRadius, surface) else { return }
        guard box.right > box.left && box.bottom > box.top else { return }
        surface.fill(
            BoxShape(
                outer: box, left: Int(box.left.rounded(.down)), top: Int(box.top.rounded(.down)),
                right: Int(box.right.rounded(.up)), bottom: Int(box.bottom.rounded(.up))),
            YUVColor(color, in: spec))
    }

    /// Draws the outline of a rectangle, centred on its edges, its halo below; `cornerRadius` is that of the edge.
    public func outline(_ rect: Box, _ stroke: Stroke, cornerRadius: Float = 0) {
        guard let surface, stroke.width > 0 else { return }
        let width = min(stroke.width, SegmentShape.widest)
        if let halo = stroke.halo, halo.width >= 0, halo.width.isFinite {
            let rim = min(halo.width, SegmentShape.widest)
            frame(rect, width + 2 * rim, cornerRadius, YUVColor(halo.color, in: spec), surface)
        }
        frame(rect, width, cornerRadius, YUVColor(stroke.color, in: spec), surface)
    }

    private func frame(_ rect: Box, _ width: Float, _ radius: Float, _ color: YUVColor, _ surface: Surface) {
        let half = width / 2
        guard let outer = outline(rect, grownBy: half, cornerRadius: radius, surface) else { return }
        let inner = outline(rect, grownBy: -half, cornerRadius: radius, surface) ?? .empty
        let left = Int(outer.left.rounded(.down))
        let right = Int(outer.right.rounded(.up))
        let top = Int(outer.top.rounded(.down))
        let bottom = Int(outer.bottom.rounded(.up))
        // Between `low` and `high` rows meet only the upright sides. Even, so that no chroma sample is in two strips.
        let corner = inner.radius + 1
        let low = (Int(inner.top + corner) + 2) & ~1
        let high = Int(inner.bottom - corner) & ~1
        let leftEnd = Int(inner.left.rounded(.up)) + 1
        let rightStart = (Int(inner.right) - 1) & ~1
        // Strips are blended eight samples at a time: with less than two such steps between them they would touch.
        guard high > low, rightStart - leftEnd >= 16 else {
            return surface.fill(
                BoxShape(outer: outer, inner: inner, left: left, top: top, right: right, bottom: bottom), color)
        }
        surface.fill(BoxShape(outer: outer, inner: inner, left: left, top: top, right: right, bottom: low), color)
        surface.fill(BoxShape(outer: outer, inner: inner, left: left, top: low, right: leftEnd, bottom: high), color)
        surface.fill(
            BoxShape(outer: outer, inner: inner, left: rightStart, top: low, right: right, bottom: high), color)
        surface.fill(BoxShape(outer: outer, inner: inner, left: left, top: high, right: right, bottom: bottom), color)
    }

    /// The rectangle moved outwards, brought near the picture where it is far from it; nil where it cannot be drawn.
    private func outline(_ rect: Box, grownBy rim: Float, cornerRadius: Float, _ surface: Surface) -> RoundedBox? {
        guard rect.x.isFinite, rect.y.isFinite, rect.width >= 0, rect.height >= 0, rect.width.isFinite,
            rect.height.isFinite
        else { return nil }
        let radius = cornerRadius > 0 ? min(cornerRadius, 1024) : 0
        // What is moved stays out of sight: further out than the corner, the stroke and its halo reach.
        let margin = 2048 + 4 * Double(abs(rim))
        func near(_ value: Double, _ extent: Int) -> Double { max(-margin, min(Double(extent) + margin, value)) }
        let left = near(Double(rect.x), surface.width) - Double(rim)
        let right = near(Double(rect.x) + Double(rect.width), surface.width) + Double(rim)
        let top = near(Double(rect.y), surface.height) - Double(rim)
        let bottom = near(Double(rect.y) + Double(rect.height), surface.height) + Double(rim)
        guard right >= left, bottom >= top else { return nil }
        let grown = radius > 0 ? max(0, radius + rim) : 0
        return RoundedBox(
            left: Float(left), top: Float(top), right: Float(right), bottom: Float(bottom),
            radius: min(grown, Float(min(right - left, bottom - top)) / 2))
    }

    // MARK: Text

    /// Size in pixels that `text` takes up; zero where the system cannot render text.
    public func size(of text: String, font: Font) -> (width: Int, height: Int) {
        texts.mask(text, font: font).map { ($0.advance, $0.lineHeight) } ?? (0, 0)
    }

    /// Draws one line of text in any script, the top left corner of its logical box at the nearest whole pixel to `at`.
    ///
    /// Rendered at the first use, blended from the cache afterwards.
    public func text(_ text: String, at: Point, font: Font, color: Color, halo: Halo? = nil) {
        guard surface != nil, !text.isEmpty else { return }
        if let halo, halo.width > 0, let rim = texts.mask(text, font: font, outline: min(halo.width, 64)) {
            put(rim, at, halo.color)
        }
        if let mask = texts.mask(text, font: font) { put(mask, at, color) }
    }

    /// Size in pixels that `number(_:decimals:at:font:color:halo:)` takes up.
    public func size(ofNumber value: Float, decimals: Int = 2, font: Font) -> (width: Int, height: Int) {
        guard let digits = texts.digitSet(font) else { return (0, 0) }
        return (digits.width(ofHundredths: hundredths(value, decimals), decimals: decimals), digits.lineHeight)
    }

    /// Draws a number of 0 to 999.99 with up to two decimals, put together from masks of digits: no text per value.
    public func number(
        _ value: Float, decimals: Int = 2, at: Point, font: Font, color: Color, halo: Halo? = nil
    ) {
        let value = hundredths(value, decimals)
        if let halo, halo.width > 0, let rims = texts.digitSet(font, outline: min(halo.width, 64)) {
            rims.forEach(ofHundredths: value, decimals: decimals) { mask, x in
                put(mask, Point(x: at.x + Float(x), y: at.y), halo.color)
            }
        }
        guard let digits = texts.digitSet(font) else { return }
        digits.forEach(ofHundredths: value, decimals: decimals) { mask, x in
            put(mask, Point(x: at.x + Float(x), y: at.y), color)
        }
    }

    private func hundredths(_ value: Float, _ decimals: Int) -> Int {
        guard value > 0 else { return 0 }
        let unit = decimals <= 0 ? 100 : decimals == 1 ? 10 : 1
        return Int((Double(min(value, 1000)) * 100 / Double(unit)).rounded()) * unit
    }

    private func put(_ mask: TextMask, _ at: Point, _ color: Color) {
        guard let surface, mask.width > 0, at.x.isFinite, at.y.isFinite else { return }
        let limits = -(1 << 20)...(1 << 20)
        let left = floorInt(Double(at.x) + 0.5, in: limits) + mask.left
        let top = floorInt(Double(at.y) + 0.5, in: limits) + mask.top
        surface.fill(MaskShape(mask, left: left, top: top), YUVColor(color, in: spec))
    }
}
