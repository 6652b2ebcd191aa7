// SPDX-License-Identifier: Apache-2.0
internal import Inference

/// How a detection network writes its boxes: what stands in a row, in which output, in which coordinates.
package struct ObjectLayout: Sendable, Hashable {
    /// What the four numbers of a box are.
    package enum Corners: String, Sendable, Hashable, CaseIterable {
        /// Left, top, right, bottom.
        case xyxy
        /// Centre, then width and height.
        case cxcywh
        /// Left, top, width, height.
        case xywh
        /// Top, left, bottom, right.
        case yxyx
    }

    /// A stretch of a row.
    package enum Column: String, Sendable, Hashable, CaseIterable {
        /// Four numbers.
        case box
        /// The score of the box.
        case score
        /// A probability that multiplies the classes' scores.
        case objectness
        /// The index of the class.
        case label
        /// A score for each class, to the end of the row.
        case classes
        /// A number that is not needed.
        case skip

        var width: Int { self == .box ? 4 : 1 }
    }

    /// What a row holds, from its start; only the last column may be `classes`.
    package var columns: [Column] = [.box, .classes]
    /// What the four numbers of a box are.
    package var corners = Corners.cxcywh
    /// Whether boxes are fractions of the network's input rather than its pixels.
    package var isNormalised = false
    /// Whether scores are logits, to be squashed by the logistic function.
    package var isLogit = false
    /// The output that holds the rows; nil is the model's first.
    package var output: String?
    /// An output of its own with a score, or a score a class, for each row.
    package var scores: String?
    /// An output of its own with the index of the class of each row.
    package var labels: String?

    /// Rows of a box and a score for each class, as many detectors give them.
    package init() {}

    /// Why rows cannot be read so, in one sentence; nil when they can.
    package var mistake: String? {
        if columns.filter({ $0 == .box }).count != 1 { return "\"box\" must be there once" }
        if columns.dropLast().contains(.classes) { return "\"classes\" takes the rest of a row and must be the last" }
        let hasScore = columns.contains(.score) || columns.contains(.classes) || columns.contains(.objectness)
        if !hasScore, scores == nil { return "there must be a \"score\", \"objectness\" or \"classes\"" }
        return nil
    }
}

/// One output seen as a table: row and column strides in elements.
struct TensorTable {
    let index: Int
    let rows: Int
    let columns: Int
    let rowStride: Int
    let columnStride: Int

    /// Finds the output `name`, the first when nil, and lays a table of `columns` columns over it.
    ///
    /// A leading batch of 1 is passed over. Where neither `columns` nor `rows` tell which axis is which, the longer one
    /// is rows.
    init(
        _ name: String?, of outputs: [TensorInfo], columns wanted: ClosedRange<Int>, rows: Int? = nil
    ) throws(VisionError) {
        let names = outputs.map(\.name).joined(separator: ", ")
        guard let index = name.map({ name in outputs.firstIndex { $0.name == name } }) ?? 0, index < outputs.count
        else {
            throw VisionError(.outputs, "the model has no output \"\(name ?? "")\"; it has \(names)")
        }
        let info = outputs[index]
        var shape = info.shape
        while shape.count > 1, shape[0] == 1, shape.count > 2 || wanted == 1...1 { shape.removeFirst() }
        // Where the model decides how many rows there are, these are what is open.
        let hasOpenRows = info.openAxis == info.shape.count - shape.count
        if shape.count == 1 { shape.append(1) }
        guard shape.count == 2 else {
            throw VisionError(.outputs, "the output \(info) is not a table of numbers")
        }
        let isRowsFirst =
            wanted.contains(shape[1])
            && (hasOpenRows || !wanted.contains(shape[0]) || (rows.map { shape[0] == $0 } ?? (shape[0] >= shape[1])))
        guard isRowsFirst || wanted.contains(shape[0]) else {
            let need = wanted.upperBound == Int.max ? "at least \(wanted.lowerBound)" : "\(wanted.upperBound)"
            throw VisionError(.outputs, "the output \(info) has no axis of \(need) columns")
        }
        self.index = index
        self.rows = isRowsFirst ? shape[0] : shape[1]
        columns = isRowsFirst ? shape[1] : shape[0]
        rowStride = isRowsFirst ? shape[1] : 1
        columnStride = isRowsFirst ? 1 : shape[1]
    }

    /// Rows that the last inference gave.
    func rows(in outputs: [TensorBuffer]) -> Int { min(rows, outputs[index].openRows?.count ?? rows) }

    /// The number at a place.
    @inline(__always)
    func value(_ row: Int, _ column: Int, in outputs: [TensorBuffer]) -> Float {
        outputs[index].number(at: row &* rowStride &+ column &* columnStride)
    }
}
