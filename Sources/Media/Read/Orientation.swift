// SPDX-License-Identifier: Apache-2.0

/// A turn by a multiple of 90 degrees, with or without mirroring: how stored pixels become the upright picture.
public struct Orientation: Sendable, Hashable {
    /// Whether rows become columns (before the mirroring below).
    public var swapsAxes: Bool
    /// Whether the result is mirrored left to right.
    public var mirrorsX: Bool
    /// Whether the result is mirrored top to bottom.
    public var mirrorsY: Bool

    /// Pixels are stored upright.
    public static let upright = Orientation(swapsAxes: false, mirrorsX: false, mirrorsY: false)

    /// Makes an orientation from its steps.
    public init(swapsAxes: Bool, mirrorsX: Bool, mirrorsY: Bool) {
        self.swapsAxes = swapsAxes
        self.mirrorsX = mirrorsX
        self.mirrorsY = mirrorsY
    }

    /// Reads the 3x3 display matrix of ISO 14496-12 (16.16 fixed point, row vectors); nil for other angles or scales.
    package init?(matrix: UnsafePointer<Int32>) {
        // x' = a x + c y, y' = b x + d y
        let (a, b, c, d) = (matrix[0], matrix[1], matrix[3], matrix[4])
        if b == 0 && c == 0 && a != 0 && d != 0 {
            self.init(swapsAxes: false, mirrorsX: a < 0, mirrorsY: d < 0)
        } else if a == 0 && d == 0 && b != 0 && c != 0 {
            self.init(swapsAxes: true, mirrorsX: c < 0, mirrorsY: b < 0)
        } else {
            return nil
        }
    }

    /// Degrees clockwise the stored pixels are turned (mirroring, if any, comes first).
    public var degrees: Int {
        switch (swapsAxes, mirrorsX, mirrorsY) {
        case (false, true, true): 180
        case (true, true, false), (true, true, true): 90
        case (true, false, true), (true, false, false): 270
        default: 0
        }
    }

    /// Writes the turned `source` to `target`, whose size is that of the turned plane.
    ///
    /// `bytes` is 1, or 2 for UV pairs.
    package func apply(from source: Plane, to target: MutablePlane, bytes: Int) {
        if bytes == 2 {
            turn(from: source, to: target, as: UInt16.self)
        } else {
            turn(from: source, to: target, as: UInt8.self)
        }
    }

    private func turn<Sample>(from source: Plane, to target: MutablePlane, as _: Sample.Type) {
        let (width, height) = (target.width, target.height)
        precondition(
            swapsAxes
                ? source.width == height && source.height == width
                : source.width == width && source.height == height, "planes of different size")
        // Tiles keep both the rows read and the rows written in the first level cache when axes are swapped.
        let tile = 32
        for top in stride(from: 0, to: height, by: tile) {
            for left in stride(from: 0, to: width, by: swapsAxes ? tile : width) {
                let right = swapsAxes ? min(left + tile, width) : width
                for y in top..<min(top + tile, height) {
                    let sourceY = mirrorsY ? height - 1 - y : y
                    let row = UnsafeMutableRawPointer(target.row(y)).assumingMemoryBound(to: Sample.self)
                    if swapsAxes {
                        for x in left..<right {
                            let sourceRow = UnsafeRawPointer(source.row(mirrorsX ? width - 1 - x : x))
                            row[x] = sourceRow.assumingMemoryBound(to: Sample.self)[sourceY]
                        }
                    } else {
                        let sourceRow = UnsafeRawPointer(source.row(sourceY)).assumingMemoryBound(to: Sample.self)
                        for x in left..<right { row[x] = sourceRow[mirrorsX ? width - 1 - x : x] }
                    }
                }
            }
        }
    }
}
