// SPDX-License-Identifier: Apache-2.0

/// A straight line through points, by least squares.
struct LineFit {
    private(set) var count = 0.0
    private var x = 0.0, y = 0.0, xx = 0.0, xy = 0.0, yy = 0.0

    mutating func add(_ x: Double, _ y: Double) {
        count += 1
        self.x += x
        self.y += y
        xx += x * x
        xy += x * y
        yy += y * y
    }

    private var spread: Double { xx - x * x / max(1, count) }
    /// Zero where all points have one x.
    var slope: Double { spread > 1e-9 ? (xy - x * y / max(1, count)) / spread : 0 }
    var offset: Double { (y - slope * x) / max(1, count) }
    /// Sum of the squares that the line leaves.
    var residual: Double {
        max(0, (yy - y * y / max(1, count)) - slope * slope * spread)
    }
}
