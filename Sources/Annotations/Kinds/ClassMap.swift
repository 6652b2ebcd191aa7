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
/// - Note: Thread-safety: a value; copies share the labels.
public struct ClassMap: Sendable, Hashable {
    /// What the labels stand for.
    public let classes: ClassSet
    /// Cells across.
    public let width: Int
    /// Cells down.
    public let height: Int
    /// Indices into `classes`, row by row.
    public let labels: [UInt8]
    /// The share of the cells that each class has, 0...1, by label; the sum is 1.
    public let shares: [Float]
    /// Where the grid lies, in pixels of the source frame; may reach beyond it.
    public private(set) var region: Box

    /// Makes a map; shares are counted from the labels.
    ///
    /// - Precondition: `labels` holds `width * height` indices into `classes`.
    public init(classes: ClassSet, width: Int, height: Int, labels: [UInt8], region: Box) {
        precondition(width > 0 && height > 0 && labels.count == width * height, "a label for every cell")
        self.classes = classes
        self.width = width
        self.height = height
        self.labels = labels
        self.region = region
        shares = withUnsafeTemporaryAllocation(of: Int.self, capacity: 256) { counts in
            counts.initialize(repeating: 0)
            for label in labels { counts[Int(label)] += 1 }
            precondition(counts[classes.count...].allSatisfy { $0 == 0 }, "every label is one of the set")
            return counts[..<classes.count].map { Float($0) / Float(labels.count) }
        }
    }

    /// The same labels with the grid elsewhere.
    public func moved(to region: Box) -> ClassMap {
        var map = self
        map.region = region
        return map
    }

    /// The label under a point in the coordinates of `region`; nil beside the grid.
    public func label(at point: Point) -> UInt8? {
        let x = ((point.x - region.x) / region.width * Float(width)).rounded(.down)
        let y = ((point.y - region.y) / region.height * Float(height)).rounded(.down)
        guard x >= 0, y >= 0, x < Float(width), y < Float(height) else { return nil }
        return labels[Int(y) * width + Int(x)]
    }

    /// The label of every pixel of a picture that the grid's region is measured in; `other` beside the grid.
    public func expanded(width: Int, height: Int, other: UInt8) -> [UInt8] {
        let columns = Self.cells(of: region.x, region.width, self.width, pixels: width)
        let rows = Self.cells(of: region.y, region.height, self.height, pixels: height)
        var result = [UInt8](repeating: other, count: width * height)
        for (y, row) in rows.enumerated() where row >= 0 {
            for (x, column) in columns.enumerated() where column >= 0 {
                result[y * width + x] = labels[row * self.width + column]
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

    /// `"classes":{"road":0.31,...}`, the share of each class that there is any of.
    ///
    /// In a detailed record also `"mask":{"size":[columns,rows],"box":[x,y,width,height],"names":[...],
    /// "runs":[label,cells,...]}`, the runs row by row without a break at the end of a row.
    public func write(to record: inout JSONWriter) {
        record.key("classes")
        record.beginObject()
        for (label, share) in shares.enumerated() where share > 0 {
            record.key(classes.members[label].name)
            record.value(Double(share), decimals: 4)
        }
        record.endObject()
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
