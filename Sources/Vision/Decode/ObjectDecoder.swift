// SPDX-License-Identifier: Apache-2.0
package import Annotations
package import Inference
package import Networks

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Boxes with classes from the tables that detection networks give, in a declared layout.
///
/// Rows above the threshold, best first; of boxes of one class that overlap, the best stays. Rows that are not finite are
/// no objects.
package final class ObjectDecoder: OutputDecoder {
    private let layout: ObjectLayout
    private let options: BoxSelection
    private let size: InputSize
    private let names: [String]
    private let table: TensorTable
    private let scores: TensorTable?
    private let labels: TensorTable?
    /// Where each kind of column starts.
    private let places: [ObjectLayout.Column: Int]
    private let best: TopK

    /// Prepares for a model with `outputs`, built at an input of `size`.
    ///
    /// - Parameter names: of the classes; a class beyond them is called by its index.
    /// - Throws: `VisionError.Code.outputs`.
    package init(
        outputs: [TensorInfo], size: InputSize, layout: ObjectLayout, names: [String] = [],
        options: BoxSelection = .objects
    ) throws(VisionError) {
        if let mistake = layout.mistake { throw VisionError(.outputs, "columns: \(mistake)") }
        var places: [ObjectLayout.Column: Int] = [:]
        var width = 0
        for column in layout.columns {
            places[column] = width
            width += column.width
        }
        let hasClasses = layout.columns.last == .classes
        let exact = hasClasses && !names.isEmpty ? width - 1 + names.count : width
        let widths = hasClasses && names.isEmpty ? width...Int.max : exact...exact
        table = try TensorTable(layout.output, of: outputs, columns: widths)
        let rows = table.rows
        scores = try layout.scores.map { name throws(VisionError) in
            try TensorTable(
                name, of: outputs, columns: names.isEmpty ? 1...Int.max : 1...max(1, names.count), rows: rows)
        }
        labels = try layout.labels.map { name throws(VisionError) in
            try TensorTable(name, of: outputs, columns: 1...1, rows: rows)
        }
        for (name, other) in [("scores", scores), ("labels", labels)] {
            guard let other, other.rows != table.rows else { continue }
            throw VisionError(.outputs, "\(table.rows) boxes but \(other.rows) \(name)")
        }
        self.places = places
        self.layout = layout
        self.options = options
        self.size = size
        self.names = names
        best = options.best(of: table.rows)
    }

    /// The objects, best first; boxes may reach outside the picture.
    package func decode(_ outputs: [TensorBuffer], placement: Placement) -> [Detection] {
        best.removeAll()
        for row in 0..<([table, scores, labels].compactMap { $0?.rows(in: outputs) }.min() ?? 0) {
            let score = score(row, outputs).score
            if score > options.scoreThreshold, score.isFinite { best.offer(score, row) }
        }
        best.sort()
        var found: [Detection] = []
        for position in 0..<best.count {
            guard found.count < options.limit else { break }
            let entry = best[position]
            let row = Int(entry.index)
            guard let box = box(row, outputs, placement) else { continue }
            let label = score(row, outputs).label
            guard !found.contains(where: { $0.label == label && $0.box.iou(box) > options.iouThreshold }) else {
                continue
            }
            found.append(
                Detection(
                    box: box, score: entry.score, label: label,
                    name: names.indices.contains(label) ? names[label] : String(label)))
        }
        return found
    }

    private func score(_ row: Int, _ outputs: [TensorBuffer]) -> (score: Float, label: Int) {
        var score: Float = 1
        var label = 0
        if let place = places[.score] { score *= probability(table.value(row, place, in: outputs)) }
        if let place = places[.objectness] { score *= probability(table.value(row, place, in: outputs)) }
        if let start = places[.classes] {
            let (value, index) = largest(table, row, start, outputs)
            (score, label) = (score * probability(value), index)
        }
        if let scores {
            let (value, index) = largest(scores, row, 0, outputs)
            (score, label) = (score * probability(value), index)
        }
        if let place = places[.label] { label = Self.index(table.value(row, place, in: outputs)) }
        if let labels { label = Self.index(labels.value(row, 0, in: outputs)) }
        return (score, label)
    }

    private func largest(
        _ table: TensorTable, _ row: Int, _ start: Int, _ outputs: [TensorBuffer]
    ) -> (value: Float, index: Int) {
        var best = table.value(row, start, in: outputs)
        var index = 0
        for column in start..<table.columns {
            let value = table.value(row, column, in: outputs)
            if value > best { (best, index) = (value, column - start) }
        }
        return (best, index)
    }

    private func probability(_ value: Float) -> Float { layout.isLogit ? 1 / (1 + expf(-value)) : value }

    private static func index(_ value: Float) -> Int { value >= 0 && value < 1e6 ? Int(value.rounded()) : 0 }

    private func box(_ row: Int, _ outputs: [TensorBuffer], _ placement: Placement) -> Box? {
        guard let start = places[.box] else { return nil }
        var (a, b, c, d) = (
            table.value(row, start, in: outputs), table.value(row, start + 1, in: outputs),
            table.value(row, start + 2, in: outputs), table.value(row, start + 3, in: outputs)
        )
        switch layout.corners {
        case .xyxy: (c, d) = (c - a, d - b)
        case .cxcywh: (a, b) = (a - c / 2, b - d / 2)
        case .xywh: break
        case .yxyx: (a, b, c, d) = (b, a, d - b, c - a)
        }
        if layout.isNormalised {
            let (width, height) = (Float(size.width), Float(size.height))
            (a, b, c, d) = (a * width, b * height, c * width, d * height)
        }
        let corner = placement.source(x: a, y: b)
        let box = Box(x: corner.x, y: corner.y, width: c * placement.scaleX, height: d * placement.scaleY)
        let isSound = (box.x + box.y + box.area).isFinite && box.width >= 0 && box.height >= 0
        return isSound ? box : nil
    }
}

/// Outputs as they are, for readers who decode them themselves.
package final class TensorDecoder: OutputDecoder {
    package init() {}

    /// Copies of all outputs, in the model's order.
    package func decode(_ outputs: [TensorBuffer], placement: Placement) -> [RawTensor] {
        outputs.map { tensor in
            RawTensor(name: tensor.info.name, shape: tensor.shape, values: tensor.numbers())
        }
    }
}
