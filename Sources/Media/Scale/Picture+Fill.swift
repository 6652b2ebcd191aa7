// SPDX-License-Identifier: Apache-2.0
internal import Glibc

extension Picture {
    /// Makes a picture that nobody else has yet black.
    package func fillBlack() {
        fill(0, with: color.range == .full ? 0 : 16)
        fillChroma()
    }

    /// Makes everything but the pixels of `box` black in a picture that nobody else has yet.
    func fillBlack(around box: (x: Int, y: Int, width: Int, height: Int)) {
        for index in 0..<format.planeCount {
            let plane = mutablePlane(index)
            let (shiftX, shiftY) = index == 0 ? (0, 0) : (format.chromaShiftX, format.chromaShiftY)
            let value: Int32 = index > 0 ? 128 : color.range == .full ? 0 : 16
            let sample = format == .nv12 && index == 1 ? 2 : 1
            // A sample that is partly the box's is its own.
            let columns = (box.x >> shiftX)..<min(plane.width, (box.x + box.width + (1 << shiftX) - 1) >> shiftX)
            let rows = (box.y >> shiftY)..<min(plane.height, (box.y + box.height + (1 << shiftY) - 1) >> shiftY)
            for y in 0..<plane.height {
                let row = plane.row(y)
                guard rows.contains(y) else {
                    memset(row, value, plane.width * sample)
                    continue
                }
                memset(row, value, columns.lowerBound * sample)
                memset(row + columns.upperBound * sample, value, (plane.width - columns.upperBound) * sample)
            }
        }
    }

    /// Takes the colour out of a picture that nobody else has yet.
    func fillChroma() {
        for index in 1..<max(1, format.planeCount) { fill(index, with: 128) }
    }

    private func fill(_ index: Int, with value: Int32) {
        let plane = mutablePlane(index)
        let bytes = format == .nv12 && index == 1 ? 2 * plane.width : plane.width
        for y in 0..<plane.height { memset(plane.row(y), value, bytes) }
    }

    /// A 4:2:0 copy of a gray picture, without colour.
    func withNeutralChroma(from pool: PicturePool) throws(MediaError) -> Picture {
        let result = try pool.make(width: width, height: height, format: .i420, color: color, pixelAspect: pixelAspect)
        result.copyLuma(of: self)
        result.fillChroma()
        return result
    }

    /// A gray copy.
    func luma(from pool: PicturePool) throws(MediaError) -> Picture {
        let result = try pool.make(width: width, height: height, format: .gray8, color: color, pixelAspect: pixelAspect)
        result.copyLuma(of: self)
        return result
    }

    private func copyLuma(of other: Picture) {
        let (source, target) = (other.plane(0), mutablePlane(0))
        for y in 0..<height { memcpy(target.row(y), source.row(y), width) }
    }

    /// A copy of at least this size, the last column and row repeated into what is added.
    func padded(width newWidth: Int, height newHeight: Int, from pool: PicturePool) throws(MediaError) -> Picture {
        let result = try pool.make(
            width: newWidth, height: newHeight, format: format, color: color, pixelAspect: pixelAspect)
        for index in 0..<format.planeCount {
            let source = plane(index)
            let target = result.mutablePlane(index)
            let sample = format == .nv12 && index == 1 ? 2 : 1
            for y in 0..<target.height {
                let from = source.row(min(y, source.height - 1))
                let to = target.row(y)
                memcpy(to, from, min(source.width, target.width) * sample)
                for x in source.width..<max(source.width, target.width) {
                    memcpy(to + x * sample, from + (source.width - 1) * sample, sample)
                }
            }
        }
        return result
    }
}
