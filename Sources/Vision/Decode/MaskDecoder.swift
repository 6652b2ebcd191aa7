// SPDX-License-Identifier: Apache-2.0
package import Annotations
package import Inference
package import Networks

/// A class for each cell from whatever segmentation networks of others give: scores of each class, colours first or last;
/// the classes themselves; or one number that says how likely the second of two is.
///
/// ```
///  [1, C, h, w]  [1, h, w, C]      the largest of C scores     floats of 16 or 32 bits
///  [1, h, w]  [h, w]  with a 1     the class                   whole numbers
///  anywhere                        above a half, or above 0    floats: one score for "foreground"
/// ```
/// - Note: Thread-safety: confined.
package final class MaskDecoder: OutputDecoder {
    private enum Kind {
        case scores(SegmentationDecoder, isLast: Bool)
        case labels
        case foreground(above: Float)
    }

    /// What the labels stand for.
    package let classes: ClassSet
    private let kind: Kind
    private let index: Int
    private let size: InputSize
    private let grid: InputSize
    /// Scores as floats, class by class, where the output has them otherwise.
    private let planes: UnsafeMutableBufferPointer<Float>

    /// Prepares for a model with `outputs`, built at an input of `size`.
    ///
    /// - Parameters:
    ///   - output: the name of the output; nil is the first.
    ///   - names: of the classes; indices stand for them when there are none.
    ///   - isLogit: whether a single score is a logit rather than a probability.
    /// - Throws: `VisionError.Code.outputs`.
    package init(
        outputs: [TensorInfo], named output: String?, size: InputSize, names: [String], isLogit: Bool = false
    ) throws(VisionError) {
        let list = outputs.map(\.description).joined(separator: ", ")
        guard let index = output.map({ name in outputs.firstIndex { $0.name == name } }) ?? 0, index < outputs.count
        else {
            throw VisionError(.outputs, "the model has no output \"\(output ?? "")\"; it has \(list)")
        }
        self.index = index
        self.size = size
        let info = outputs[index]
        guard info.openAxis == nil else {
            throw VisionError(.outputs, "the output \(info) leaves its size open, which no map of classes does")
        }
        let isWhole = [.i64, .i32, .u8, .i8].contains(info.element)
        let plain = info.shape.filter { $0 != 1 }
        if isWhole || plain.count == 2 {
            let shape = info.shape.count > 1 && info.shape.first == 1 ? Array(info.shape.dropFirst()) : info.shape
            let flat =
                shape.count == 3
                ? (shape[0] == 1 ? Array(shape[1...]) : shape[2] == 1 ? Array(shape[..<2]) : []) : shape
            guard flat.count == 2 else {
                throw VisionError(.outputs, "the output \(info) is not one class for each place of a picture")
            }
            grid = InputSize(width: flat[1], height: flat[0])
            planes = .allocate(capacity: 0)
            if isWhole {
                guard names.count <= 254 else {
                    throw VisionError(.outputs, "a map tells 254 classes apart, but \(names.count) are named")
                }
                classes = ClassSet(naming: names.isEmpty ? (0..<254).map(String.init) : names + ["other"])
                kind = .labels
            } else {
                guard names.isEmpty || names.count == 2 else {
                    throw VisionError(
                        .outputs, "the output \(info) tells 2 classes apart, but \(names.count) are named")
                }
                classes = ClassSet(naming: names.isEmpty ? ["background", "foreground"] : names)
                kind = .foreground(above: isLogit ? 0 : 0.5)
            }
            return
        }
        guard info.shape.count == 4, info.shape[0] == 1 else {
            throw VisionError(
                .outputs,
                "the output \(info) is no mask: [1,classes,rows,columns], [1,rows,columns,classes] or [1,rows,columns]")
        }
        let isLast = Self.isLast(info.shape, size: size, names: names.count)
        let count = isLast ? info.shape[3] : info.shape[1]
        grid = InputSize(
            width: isLast ? info.shape[2] : info.shape[3], height: isLast ? info.shape[1] : info.shape[2])
        guard (2...255).contains(count) else {
            throw VisionError(.outputs, "the output \(info) does not tell 2 to 255 classes apart")
        }
        guard names.isEmpty || names.count == count else {
            throw VisionError(.outputs, "the output \(info) tells \(count) classes apart, but \(names.count) are named")
        }
        classes = ClassSet(naming: names.isEmpty ? (0..<count).map(String.init) : names)
        kind = .scores(
            SegmentationDecoder(index: index, grid: grid, size: size, classes: classes, resolution: .cells),
            isLast: isLast)
        planes = .allocate(capacity: isLast || info.element != .f32 ? info.count : 0)
        planes.initialize(repeating: 0)
    }

    deinit { planes.deallocate() }

    /// Whether the classes are the last axis: by their number where they are named, else last where that grid has by far
    /// more nearly the proportions of the input.
    private static func isLast(_ shape: [Int], size: InputSize, names: Int) -> Bool {
        if names > 0, (shape[1] == names) != (shape[3] == names) { return shape[3] == names }
        func distortion(_ width: Int, _ height: Int) -> Double {
            let ratio = Double(width * size.height) / Double(height * size.width)
            return max(ratio, 1 / ratio)
        }
        return 2 * distortion(shape[2], shape[1]) < distortion(shape[3], shape[2])
    }

    /// The class map; cells that lie in the padding of a letterboxed picture are left out.
    package func decode(_ outputs: [TensorBuffer], placement: Placement) -> ClassMap {
        let tensor = outputs[index]
        let area = grid.width * grid.height
        switch kind {
        case .scores(let decoder, let isLast):
            guard let scores = planes.baseAddress, !planes.isEmpty else {
                return decoder.decode(outputs, placement: placement)
            }
            let count = classes.count
            for place in 0..<area {
                for label in 0..<count {
                    scores[label * area + place] = tensor.number(
                        at: isLast ? place * count + label : label * area + place)
                }
            }
            return decoder.decode(UnsafePointer(scores), placement: placement)
        case .labels:
            // What has no name is the last.
            let last = Float(classes.count - 1)
            let labels = (0..<area).map { place in
                let label = tensor.number(at: place)
                return UInt8(label >= 0 && label < last ? label : last)
            }
            return SegmentationDecoder.map(labels, grid, of: size, classes, placement)
        case .foreground(let limit):
            let labels = (0..<area).map { tensor.number(at: $0) > limit ? UInt8(1) : 0 }
            return SegmentationDecoder.map(labels, grid, of: size, classes, placement)
        }
    }
}
