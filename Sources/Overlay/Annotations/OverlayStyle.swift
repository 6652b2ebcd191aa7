// SPDX-License-Identifier: Apache-2.0
public import Annotations

/// What an overlay looks like; sizes are fractions of the picture's height, so that any resolution looks the same.
public struct OverlayStyle: Sendable, Hashable {
    /// Colours of the nodes, in order; more nodes than colours start over.
    public var palette: [Color] = Self.colorBlindSafe
    /// Kinds of annotations that are not drawn, by name.
    public var hiddenKinds: Set<String> = []
    /// Fill of points, such as the landmarks of faces.
    public var pointColor = Color.white
    /// Rim of lines, boxes and points.
    public var haloColor = Color(red: 0, green: 0, blue: 0, alpha: 120)
    /// Width of lines and boxes over the picture's height; never below 1.5 pixels.
    public var lineWidth: Float = 0.0028
    /// Height of the labels' font over the picture's height; never below 11 pixels.
    public var fontSize: Float = 0.022
    /// Family of the labels' font.
    public var fontFamily = "sans-serif"
    /// Opacity of a segmentation's areas; their borders are twice as strong and a bit more.
    public var maskOpacity: Float = 0.4
    /// Width of the border on each side between two areas over the picture's height; never below 1 pixel.
    public var maskBorder: Float = 0.0014
    /// Where the legend of a segmentation goes.
    public var legendCorner = OverlayPainter.Corner.topLeft
    /// Whether the areas of class maps are drawn.
    public var showsMasks = true
    /// Whether the classes of a segmentation are listed.
    public var showsLegend = true
    /// Whether points are drawn, such as the landmarks of faces.
    public var showsPoints = true
    /// Whether boxes have a label.
    public var showsLabels = true
    /// Whether labels end in the score.
    public var showsScores = true
    /// Whether a strip says how old each node's results are.
    public var showsAges = false
    /// Where that strip goes.
    public var ageCorner = OverlayPainter.Corner.bottomLeft

    /// The default look.
    public init() {}

    /// Seven hues that people with any common colour vision deficiency tell apart, light enough for a dark rim.
    ///
    /// - Note: Source: M. Okabe and K. Ito, Color Universal Design (2008); the blue and the green are lightened.
    public static let colorBlindSafe: [Color] = [
        Color(hex: 0x56B4E9), Color(hex: 0xF0A020), Color(hex: 0x1FC795), Color(hex: 0xF0E442), Color(hex: 0xE07BB5),
        Color(hex: 0xEB6A1C), Color(hex: 0x5C8DFF),
    ]
}
