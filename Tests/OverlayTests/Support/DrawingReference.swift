// SPDX-License-Identifier: Apache-2.0
import Media
@testable import Overlay

/// Planes in memory of our own, with guard bytes before, after and between the rows.
final class DrawingPlanes {
    let format: PixelFormat
    let width: Int
    let height: Int
    private let planes: [MutablePlane]
    private let rowBytes: [Int]
    private static let guardCount = 96
    private static let guardByte: UInt8 = 0xA5

    init(format: PixelFormat, width: Int, height: Int, fill: (_ plane: Int) -> UInt8) {
        self.format = format
        self.width = width
        self.height = height
        var planes: [MutablePlane] = []
        var rowBytes: [Int] = []
        for index in 0..<format.planeCount {
            let samples = index == 0 ? width : format.chromaWidth(width)
            let rows = index == 0 ? height : format.chromaHeight(height)
            let bytes = format == .nv12 && index == 1 ? 2 * samples : samples
            let stride = bytes + 13
            let count = 2 * Self.guardCount + stride * rows
            let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: count)
            memory.initialize(repeating: Self.guardByte, count: count)
            for y in 0..<rows { for x in 0..<bytes { memory[Self.guardCount + y * stride + x] = fill(index) } }
            planes.append(
                MutablePlane(base: memory + Self.guardCount, stride: stride, width: samples, height: rows))
            rowBytes.append(bytes)
        }
        self.planes = planes
        self.rowBytes = rowBytes
    }

    deinit { for plane in planes { (plane.base - Self.guardCount).deallocate() } }

    var surface: Surface { Surface(format: format) { planes[$0] } }

    /// Whether no byte outside of the samples was touched.
    var areGuardsIntact: Bool {
        for (plane, bytes) in zip(planes, rowBytes) {
            let before = (-Self.guardCount)..<0
            let end = plane.stride * plane.height
            for offset in before where plane.base[offset] != Self.guardByte { return false }
            for offset in end..<(end + Self.guardCount) where plane.base[offset] != Self.guardByte { return false }
            for y in 0..<plane.height {
                for x in bytes..<plane.stride where plane.row(y)[x] != Self.guardByte { return false }
            }
        }
        return true
    }

    /// Component 0 (Y), 1 (U) or 2 (V) at its own resolution.
    func component(_ index: Int) -> [UInt8] {
        let isPaired = format == .nv12 && index > 0
        let plane = planes[isPaired ? 1 : index]
        return (0..<plane.height).flatMap { y in
            (0..<plane.width).map { x in plane.row(y)[isPaired ? 2 * x + index - 1 : x] }
        }
    }

    var bytes: [UInt8] { (0..<(format == .gray8 ? 1 : 3)).flatMap { component($0) } }
}

/// The plain way: every sample is covered by the share of a dense grid of points that lie inside the shape.
struct DrawingReference {
    let format: PixelFormat
    let width: Int
    let height: Int
    private(set) var components: [[Double]]
    /// Places whose coverage is neither nothing nor everything, or that are covered: what the mean error is over.
    private(set) var touched: [[Bool]]

    init(format: PixelFormat, width: Int, height: Int, fill: (_ plane: Int) -> UInt8) {
        self.format = format
        self.width = width
        self.height = height
        let chroma = format.chromaWidth(width) * format.chromaHeight(height)
        let counts = format == .gray8 ? [width * height] : [width * height, chroma, chroma]
        components = counts.enumerated().map { Array(repeating: Double(fill($0.offset)), count: $0.element) }
        touched = counts.map { Array(repeating: false, count: $0) }
    }

    /// How much of every luma sample lies inside, tried at `density` x `density` points a sample.
    static func coverage(
        width: Int, height: Int, density: Int = 16, isInside: (_ x: Double, _ y: Double) -> Bool
    ) -> [Double] {
        var cover = [Double](repeating: 0, count: width * height)
        for y in 0..<height {
            for x in 0..<width {
                var hits = 0
                for i in 0..<density {
                    for j in 0..<density {
                        let px = Double(x) + (Double(i) + 0.5) / Double(density)
                        let py = Double(y) + (Double(j) + 0.5) / Double(density)
                        if isInside(px, py) { hits += 1 }
                    }
                }
                cover[y * width + x] = Double(hits) / Double(density * density)
            }
        }
        return cover
    }

    /// Blends a colour into the samples, into chroma by the mean coverage of the luma samples it stands for.
    mutating func blend(y luma: Double, u: Double, v: Double, _ cover: [Double]) {
        blend(0, luma, cover)
        guard format != .gray8 else { return }
        let (columns, rows) = (format.chromaWidth(width), format.chromaHeight(height))
        var mean = [Double](repeating: 0, count: columns * rows)
        for cy in 0..<rows {
            for cx in 0..<columns {
                var sum = 0.0
                var count = 0.0
                for y in (cy << format.chromaShiftY)..<min(height, (cy + 1) << format.chromaShiftY) {
                    for x in (cx << format.chromaShiftX)..<min(width, (cx + 1) << format.chromaShiftX) {
                        sum += cover[y * width + x]
                        count += 1
                    }
                }
                mean[cy * columns + cx] = sum / count
            }
        }
        blend(1, u, mean)
        blend(2, v, mean)
    }

    private mutating func blend(_ index: Int, _ value: Double, _ cover: [Double]) {
        for (place, part) in cover.enumerated() where part > 0 {
            components[index][place] += (value - components[index][place]) * part
            touched[index][place] = true
        }
    }

    /// Largest error of any sample, and the mean over the samples touched, of one component, in levels.
    func errors(of planes: DrawingPlanes, component index: Int) -> (largest: Double, mean: Double) {
        let drawn = planes.component(index)
        var largest = 0.0
        var sum = 0.0
        var count = 0.0
        for (place, expected) in components[index].enumerated() {
            let error = abs(expected - Double(drawn[place]))
            largest = max(largest, error)
            if touched[index][place] {
                sum += error
                count += 1
            }
        }
        return (largest, count > 0 ? sum / count : 0)
    }
}
