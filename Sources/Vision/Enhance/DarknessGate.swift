// SPDX-License-Identifier: Apache-2.0
public import Media

/// Says whether pictures are dark enough to work on, without going back and forth at the border.
///
/// - Note: Units: mean luma on the scale 0...255, whatever range the picture has.
/// - Note: Thread-safety: a value.
public struct DarknessGate: Sendable {
    /// Mean luma below which the gate opens.
    public let threshold: Float
    /// Mean luma above which an open gate closes.
    public var release: Float { threshold * 1.2 + 4 }
    /// Whether the picture last shown was dark.
    public private(set) var isOpen = false

    /// A closed gate.
    public init(threshold: Float) { self.threshold = threshold }

    /// Looks at the next picture.
    public mutating func admits(_ picture: Picture) -> Bool {
        let luma = Self.meanLuma(of: picture)
        isOpen = isOpen ? luma <= release : luma < threshold
        return isOpen
    }

    /// The mean of every fourth sample of every fourth row.
    public static func meanLuma(of picture: Picture) -> Float {
        let plane = picture.plane(0)
        var (sum, count) = (0, 0)
        for y in stride(from: min(2, plane.height - 1), to: plane.height, by: 4) {
            let row = plane.row(y)
            for x in stride(from: min(2, plane.width - 1), to: plane.width, by: 4) {
                sum += Int(row[x])
                count += 1
            }
        }
        let mean = Float(sum) / Float(max(count, 1))
        return picture.color.range == .full ? mean : min(max((mean - 16) * 255 / 219, 0), 255)
    }
}
