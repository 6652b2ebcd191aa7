// SPDX-License-Identifier: Apache-2.0

/// A class for every cell of a grid that lies over the picture.
///
/// ```
///   region.x, region.y            width cells, each region.width / width pixels wide
///        +----+----+----+----+
///        | 0  | 0  | 3  | 3  |    labels, row by row; a pixel has the label of the cell
///        +----+----+----+----+    that its centre lies in
///        | 0  | 3  | 3  | 3  |
///        +----+----+----+----+
/// ```
/// A cell that has no class is ``void``: the network was not sure enough of any. It is drawn clear and is no region.
/// - Note: Thread-safety: a value; copies share the labels.
public struct ClassMap: Sendable, Hashable {
    /// The label of a cell without a class.
    public static let void: UInt8 = 255

    /// What the labels stand for.
    public let classes: ClassSet
    /// Cells across.
    public let width: Int
    /// Cells down.
    public let height: Int
    /// Indices into `classes`, or ``void``, row by row.
    public let labels: [UInt8]
    /// The share of the cells that each class has, 0...1, by label; with ``voidShare`` the sum is 1.
    public let shares: [Float]
    /// The share of the cells without a class, 0...1.
    public let voidShare: Float
    /// Where the grid lies, in pixels of the source frame; may reach beyond it.
    public private(set) var region: Box

    /// Makes a map; shares are counted from the labels.
    ///
    /// - Precondition: `labels` holds `width * height` indices into `classes`, or ``void``.
    public init(classes: ClassSet, width: Int, height: Int, labels: [UInt8], region: Box) {
        precondition(width > 0 && height > 0 && labels.count == width * height, "a label for every cell")
        self.classes = classes
        self.width = width
        self.height = height
        self.labels = labels
        self.region = region
        (shares, voidShare) = withUnsafeTemporaryAllocation(of: Int.self, capacity: 256) { counts in
            counts.initialize(repeating: 0)
            for label in labels { counts[Int(label)] += 1 }
            let void = Int(Self.void)
            precondition(counts[classes.count..<void].allSatisfy { $0 == 0 }, "every label is one of the set, or void")
            let all = Float(labels.count)
            return (counts[..<classes.count].map { Float($0) / all }, Float(counts[void]) / all)
        }
    }

    /// The same labels with the grid elsewhere.
    public func moved(to region: Box) -> ClassMap {
        var map = self
        map.region = region
        return map
    }

    /// The label under a point in the coordinates of `region`; nil beside the grid and where it is void.
    public func label(at point: Point) -> UInt8? {
        let x = ((point.x - region.x) / region.width * Float(width)).rounded(.down)
        let y = ((point.y - region.y) / region.height * Float(height)).rounded(.down)
        guard x >= 0, y >= 0, x < Float(width), y < Float(height) else { return nil }
        let label = labels[Int(y) * width + Int(x)]
        return label == Self.void ? nil : label
    }

    /// The label of every pixel of a picture that the grid's region is measured in; `other` beside the grid and where it
    /// is void.
    public func expanded(width: Int, height: Int, other: UInt8) -> [UInt8] {
        let columns = Self.cells(of: region.x, region.width, self.width, pixels: width)
        let rows = Self.cells(of: region.y, region.height, self.height, pixels: height)
        var result = [UInt8](repeating: other, count: width * height)
        for (y, row) in rows.enumerated() where row >= 0 {
            for (x, column) in columns.enumerated() where column >= 0 {
                let label = labels[row * self.width + column]
                if label != Self.void { result[y * width + x] = label }
            }
        }
        return result
    }

    /// The cell that the centre of each pixel lies in, or -1.
    private static func cells(of start: Float, _ extent: Float, _ count: Int, pixels: Int) -> [Int] {
        (0..<pixels).map { pixel in
            let cell = ((Float(pixel) + 0.5 - start) / extent * Float(count)).rounded(.down)
            return cell >= 0 && cell < Float(count) ? Int(cell) : -1
        }
    }
}

extension ClassMap: Annotation {
    /// Recorded as "segmentation".
    public static let kind = AnnotationKind(
        "segmentation", form: .single, layer: .areas, isColoredByNode: false, moves: false)

    /// The same in other coordinates.
    public func mapped(by map: PictureMap) -> ClassMap { moved(to: map(region)) }

    /// Draws what one node found.
    public static func draw(_ maps: [ClassMap], on canvas: any AnnotationCanvas) {
        for map in maps {
            canvas.mask(map)
            canvas.legend(map)
        }
    }

    /// `"classes":{"road":0.31,...}`, the share of each class that there is any of, and `"void":0.12` where there is any.
    ///
    /// In a detailed record also `"mask":{"size":[columns,rows],"box":[x,y,width,height],"names":[...],
    /// "runs":[label,cells,...]}`, the runs row by row without a break at the end of a row; the label of void is 255.
    public func write(to record: inout JSONWriter) {
        record.key("classes")
        record.beginObject()
        for (label, share) in shares.enumerated() where share > 0 {
            record.key(classes.members[label].name)
            record.value(Double(share), decimals: 4)
        }
        record.endObject()
        if voidShare > 0 {
            record.key("void")
            record.value(Double(voidShare), decimals: 4)
        }
        guard record.isDetailed else { return }
        record.key("mask")
        record.beginObject()
        record.key("size")
        record.beginArray()
        record.value(width)
        record.value(height)
        record.endArray()
        record.field("box", region)
        record.key("names")
        record.beginArray()
        for member in classes.members { record.value(member.name) }
        record.endArray()
        record.key("runs")
        record.beginArray()
        writeRuns(to: &record)
        record.endArray()
        record.endObject()
    }

    private func writeRuns(to record: inout JSONWriter) {
        var start = 0
        while start < labels.count {
            var end = start + 1
            while end < labels.count, labels[end] == labels[start] { end += 1 }
            record.value(Int(labels[start]))
            record.value(end - start)
            start = end
        }
    }

    /// Calls `body` with every part of the picture that it covers.
    public func forEachRegion(_ body: (AnnotationRegion) -> Void) {
        for (label, share) in shares.enumerated() where share > 0 { body(.cells(self, label: UInt8(label))) }
    }
}
