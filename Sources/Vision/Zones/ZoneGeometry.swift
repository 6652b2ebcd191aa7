// SPDX-License-Identifier: Apache-2.0
internal import Annotations

/// Where points lie beside a line or an area.
extension Zone.Shape {
    /// How far a point is from the border, in pixels: above 0 on the side of `in`.
    ///
    /// A line has sides all the way, beyond its ends, too.
    func distance(of point: Point) -> Double {
        switch self {
        case .line(let from, let to):
            let (dx, dy) = (Double(to.x - from.x), Double(to.y - from.y))
            let length = (dx * dx + dy * dy).squareRoot()
            guard length > 0 else { return -.infinity }
            return (dx * Double(point.y - from.y) - dy * Double(point.x - from.x)) / length
        case .polygon(let points):
            var (nearest, isInside) = (Double.infinity, false)
            for index in points.indices {
                let (a, b) = (points[index], points[(index + 1) % points.count])
                nearest = min(nearest, Self.distance(of: point, from: a, to: b))
                // Even-odd: an edge counts where it passes the point's height to its right.
                if (a.y > point.y) != (b.y > point.y),
                    point.x < (b.x - a.x) * (point.y - a.y) / (b.y - a.y) + a.x
                {
                    isInside.toggle()
                }
            }
            return isInside ? nearest : -nearest
        }
    }

    /// Whether the straight way between two points, with these distances, leads through: for a line, between its ends.
    func isCrossed(from: (point: Point, distance: Double), to: (point: Point, distance: Double)) -> Bool {
        guard (from.distance >= 0) != (to.distance >= 0) else { return false }
        guard case .line(let start, let end) = self else { return true }
        let share = from.distance / (from.distance - to.distance)
        let x = Double(from.point.x) + share * Double(to.point.x - from.point.x)
        let y = Double(from.point.y) + share * Double(to.point.y - from.point.y)
        let (dx, dy) = (Double(end.x - start.x), Double(end.y - start.y))
        let along = (dx * (x - Double(start.x)) + dy * (y - Double(start.y))) / (dx * dx + dy * dy)
        return along >= 0 && along <= 1
    }

    private static func distance(of point: Point, from a: Point, to b: Point) -> Double {
        let (dx, dy) = (Double(b.x - a.x), Double(b.y - a.y))
        let (px, py) = (Double(point.x - a.x), Double(point.y - a.y))
        let length = dx * dx + dy * dy
        let share = length > 0 ? max(0, min(1, (px * dx + py * dy) / length)) : 0
        let (x, y) = (px - share * dx, py - share * dy)
        return (x * x + y * y).squareRoot()
    }
}
