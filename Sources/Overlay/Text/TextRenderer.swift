// SPDX-License-Identifier: Apache-2.0
internal import CCairo

/// Shapes and rasterises single lines of text in any script with Pango and Cairo.
///
/// Confined. It owns its font map, because Pango's default map belongs to the thread that asks, and a serial queue
/// moves between threads.
final class TextRenderer {
    private let fontMap: UnsafeMutablePointer<PangoFontMap>
    private let context: OpaquePointer
    private let layout: OpaquePointer

    /// Longest text, in characters; the rest is left out.
    static let longest = 512
    /// Widest and highest mask, in samples; ink beyond is left out.
    static let widest = 8192
    static let highest = 2048

    /// Nil where the system has no usable font back end; texts are then left out.
    init?() {
        guard let map = pango_cairo_font_map_new() else { return nil }
        guard let context = pango_font_map_create_context(map) else {
            g_object_unref(map)
            return nil
        }
        guard let layout = pango_layout_new(context) else {
            g_object_unref(UnsafeMutableRawPointer(context))
            g_object_unref(map)
            return nil
        }
        fontMap = map
        self.context = context
        self.layout = layout
        let options = cairo_font_options_create()
        cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY)
        cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_SLIGHT)
        cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_ON)
        pango_cairo_context_set_font_options(context, options)
        cairo_font_options_destroy(options)
        pango_layout_set_single_paragraph_mode(layout, 1)
    }

    deinit {
        g_object_unref(UnsafeMutableRawPointer(layout))
        g_object_unref(UnsafeMutableRawPointer(context))
        g_object_unref(fontMap)
    }

    /// Renders `text`, its outline widened by `outline` samples on every side; nil when out of memory.
    func render(_ text: String, font: Font, outline: Float) -> TextMask? {
        guard let description = pango_font_description_new() else { return nil }
        defer { pango_font_description_free(description) }
        pango_font_description_set_family(description, clean(font.family, limit: 256))
        let size = font.size.isFinite ? max(4, min(512, font.size)) : 16
        pango_font_description_set_absolute_size(description, Double(size) * Double(PANGO_SCALE))
        pango_font_description_set_weight(description, font.isBold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL)
        pango_layout_set_font_description(layout, description)
        pango_layout_set_text(layout, clean(text, limit: Self.longest), -1)

        var ink = PangoRectangle()
        var logical = PangoRectangle()
        pango_layout_get_pixel_extents(layout, &ink, &logical)
        let pad = outline.isFinite && outline > 0 ? Int(min(outline, 64).rounded(.up)) + 1 : 0
        let hasInk = ink.width > 0 && ink.height > 0
        let width = hasInk ? min(Int(ink.width) + 2 * pad, Self.widest) : 0
        let height = hasInk ? min(Int(ink.height) + 2 * pad, Self.highest) : 0
        let mask = TextMask(
            width: width, height: height, left: Int(ink.x) - pad - Int(logical.x),
            top: Int(ink.y) - pad - Int(logical.y), advance: max(0, Int(logical.width)),
            lineHeight: max(0, Int(logical.height)),
            baseline: Int(pango_layout_get_baseline(layout)) / Int(PANGO_SCALE) - Int(logical.y))
        guard width > 0, height > 0 else { return mask }
        let (x, y) = (Double(pad) - Double(ink.x), Double(pad) - Double(ink.y))
        return paint(mask, x: x, y: y, outline: pad > 0 ? Double(min(outline, 64)) : 0) ? mask : nil
    }

    private func paint(_ mask: TextMask, x: Double, y: Double, outline: Double) -> Bool {
        let surface = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, Int32(mask.width), Int32(mask.height))
        defer { cairo_surface_destroy(surface) }
        guard cairo_surface_status(surface) == CAIRO_STATUS_SUCCESS else { return false }
        guard let cr = cairo_create(surface) else { return false }
        cairo_set_source_rgb(cr, 1, 1, 1)
        cairo_move_to(cr, x, y)
        pango_cairo_show_layout(cr, layout)
        if outline > 0 {
            cairo_move_to(cr, x, y)
            pango_cairo_layout_path(cr, layout)
            cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND)
            cairo_set_line_width(cr, 2 * outline)
            cairo_stroke(cr)
        }
        let isDrawn = cairo_status(cr) == CAIRO_STATUS_SUCCESS
        cairo_destroy(cr)
        cairo_surface_flush(surface)
        guard isDrawn, let data = cairo_image_surface_get_data(surface) else { return false }
        let stride = Int(cairo_image_surface_get_stride(surface))
        for row in 0..<mask.height {
            let line = UnsafeRawPointer(data + row * stride).assumingMemoryBound(to: UInt32.self)
            for column in 0..<mask.width { mask.set(column, row, coverage(line[column], isOutline: outline > 0)) }
        }
        return true
    }

    /// White text covers by its alpha; a colour glyph (emoji) by its brightness, so that its drawing stays visible.
    private func coverage(_ pixel: UInt32, isOutline: Bool) -> UInt8 {
        let brightness =
            isOutline
            ? pixel >> 24
            : ((pixel >> 16 & 255) * 77 + (pixel >> 8 & 255) * 151 + (pixel & 255) * 28 + 128) >> 8
        return UInt8((brightness * 128 + 127) / 255)
    }

    /// One line without control characters: Pango would show them as boxes, and C ends a string at a zero.
    private func clean(_ text: String, limit: Int) -> String {
        var line = String.UnicodeScalarView()
        for scalar in text.unicodeScalars.prefix(limit) {
            let isControl = scalar.value < 32 || (127..<160).contains(scalar.value)
            line.append(isControl || scalar.value == 0x2028 || scalar.value == 0x2029 ? " " : scalar)
        }
        return String(line)
    }
}
