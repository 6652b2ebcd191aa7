// SPDX-License-Identifier: Apache-2.0
import Media
import Networks
import Vision

/// Pre-processing said plainly: one target pixel at a time, in two dimensions at once, in double precision.
struct ReferencePreprocessor {
    var size: InputSize
    var normalisation: InputNormalisation
    var filter: Preprocessor.Filter
    var alignment = Placement.Alignment.topLeft

    func tensor(of picture: Picture) -> [Float] {
        var values = [Float](repeating: 0, count: 3 * size.width * size.height)
        let (left, top, width, height) = rectangle(picture)
        let area = filter == .area && width <= picture.width && height <= picture.height
        for y in 0..<height {
            for x in 0..<width {
                let samples = (0..<3).map { component in
                    picture.format == .gray8 && component > 0
                        ? 128
                        : area
                            ? mean(picture, component, x, y, width, height)
                            : interpolated(picture, component, x, y, width, height)
                }
                var colour = rgb(samples, picture.color)
                if normalisation.channelOrder == .bgr { colour.reverse() }
                for channel in 0..<3 {
                    let value = (colour[channel] - Double(normalisation.mean[channel]))
                    values[(channel * size.height + top + y) * size.width + left + x] = Float(
                        value * Double(normalisation.scale[channel]))
                }
            }
        }
        return values
    }

    private func rectangle(_ picture: Picture) -> (Int, Int, Int, Int) {
        guard normalisation.fit == .letterbox else { return (0, 0, size.width, size.height) }
        // Whole numbers: the tighter axis is filled, the other one rounded to the nearest pixel.
        let isWide = picture.width * size.height >= picture.height * size.width
        let width = isWide ? size.width : (2 * picture.width * size.height + picture.height) / (2 * picture.height)
        let height = isWide ? (2 * picture.height * size.width + picture.width) / (2 * picture.width) : size.height
        let (w, h) = (max(1, width), max(1, height))
        return alignment == .topLeft ? (0, 0, w, h) : ((size.width - w) / 2, (size.height - h) / 2, w, h)
    }

    /// The sample that belongs to a luma position, chroma repeated over the positions it stands for.
    private func sample(_ picture: Picture, _ component: Int, _ x: Int, _ y: Int) -> Double {
        guard component > 0 else { return Double(picture.plane(0).row(y)[x]) }
        return plane(picture, component, x >> picture.format.chromaShiftX, y >> picture.format.chromaShiftY)
    }

    private func plane(_ picture: Picture, _ component: Int, _ x: Int, _ y: Int) -> Double {
        if component == 0 { return Double(picture.plane(0).row(y)[x]) }
        return picture.format == .nv12
            ? Double(picture.plane(1).row(y)[2 * x + component - 1]) : Double(picture.plane(component).row(y)[x])
    }

    /// The mean over the target pixel's area of the picture with repeated chroma.
    private func mean(_ picture: Picture, _ component: Int, _ x: Int, _ y: Int, _ width: Int, _ height: Int) -> Double {
        let across = Double(picture.width) / Double(width)
        let down = Double(picture.height) / Double(height)
        let (x0, x1, y0, y1) = (
            Double(x) * across, Double(x + 1) * across, Double(y) * down, Double(y + 1) * down
        )
        var sum = 0.0
        for row in Int(y0)..<min(picture.height, Int(y1.rounded(.up))) {
            for column in Int(x0)..<min(picture.width, Int(x1.rounded(.up))) {
                let w = min(x1, Double(column + 1)) - max(x0, Double(column))
                let h = min(y1, Double(row + 1)) - max(y0, Double(row))
                if w > 0, h > 0 { sum += w * h * sample(picture, component, column, row) }
            }
        }
        return sum / (across * down)
    }

    private func interpolated(
        _ picture: Picture, _ component: Int, _ x: Int, _ y: Int, _ width: Int, _ height: Int
    ) -> Double {
        let format = picture.format
        let columns = component == 0 ? picture.width : format.chromaWidth(picture.width)
        let rows = component == 0 ? picture.height : format.chromaHeight(picture.height)
        let stepX = component == 0 ? 1 : Double(1 << format.chromaShiftX)
        let stepY = component == 0 ? 1 : Double(1 << format.chromaShiftY)
        let px = (Double(x) + 0.5) * Double(picture.width) / Double(width) / stepX - 0.5
        let py = (Double(y) + 0.5) * Double(picture.height) / Double(height) / stepY - 0.5
        let (left, top) = (px.rounded(.down), py.rounded(.down))
        var sum = 0.0
        for (row, wy) in [(top, 1 - (py - top)), (top + 1, py - top)] {
            for (column, wx) in [(left, 1 - (px - left)), (left + 1, px - left)] {
                let (c, r) = (min(max(Int(column), 0), columns - 1), min(max(Int(row), 0), rows - 1))
                sum += wx * wy * plane(picture, component, c, r)
            }
        }
        return sum
    }

    private func rgb(_ yuv: [Double], _ color: ColorSpec) -> [Double] {
        let (kr, kb): (Double, Double) =
            switch color.matrix {
            case .bt601: (0.299, 0.114)
            case .bt709: (0.2126, 0.0722)
            case .bt2020: (0.2627, 0.0593)
            }
        let isFull = color.range == .full
        let y = isFull ? yuv[0] / 255 : (yuv[0] - 16) / 219
        let cb = (yuv[1] - 128) / (isFull ? 255 : 224)
        let cr = (yuv[2] - 128) / (isFull ? 255 : 224)
        let red = y + 2 * (1 - kr) * cr
        let blue = y + 2 * (1 - kb) * cb
        let green = (y - kr * red - kb * blue) / (1 - kr - kb)
        return [red, green, blue].map { min(max(255 * $0, 0), 255) }
    }
}
