// SPDX-License-Identifier: Apache-2.0
public import Media

/// Carries what was found in one picture to the next by how the picture moved, for frames no network looks at.
///
/// ```
///  picture k-1 --+
///                +--> coarse DenseFlow --> box, landmarks: the median motion inside the box
///  picture k ----+                         line: at each end, the median motion along its nearer half
/// ```
/// One step costs well below a millisecond at any size: the flow ends at about 160 columns.
/// - Note: Thread-safety: confined. Keeps the last picture, and allocates when the pictures' size changes.
public final class MotionCarrier {
    private static let columns = 160
    /// Samples of the flow across and down a box, and along half a line.
    private static let samples = 9

    private var last: Picture?
    private var search: DenseFlow?
    private var across: [Float] = []
    private var down: [Float] = []

    /// Makes a carrier that has seen nothing yet.
    public init() {
        across.reserveCapacity(Self.samples * Self.samples)
        down.reserveCapacity(Self.samples * Self.samples)
    }

    /// Begins at a picture whose results are known.
    public func start(at picture: Picture) { last = picture }

    /// Moves a result of the last picture to the next one, in coordinates of the pictures.
    ///
    /// Where there is no last picture, or one of another size, nothing moves. Results without places come back as they
    /// are.
    public func carry(_ result: FrameResult, to picture: Picture) -> FrameResult {
        defer { last = picture }
        guard let last, last.width == picture.width, last.height == picture.height else { return result }
        prepare(for: picture).find(from: last.plane(0), to: picture.plane(0))
        if case .lines(let lines) = result { return .lines(lines.map(carry)) }
        if case .faces(let faces) = result { return .faces(faces.map(carry)) }
        return result
    }

    /// Forgets the last picture.
    public func reset() { last = nil }

    private func prepare(for picture: Picture) -> DenseFlow {
        if let search, search.width == picture.width, search.height == picture.height { return search }
        var level = 0
        while level < 5, picture.width >> (level + 1) >= Self.columns { level += 1 }
        let made = DenseFlow(
            width: picture.width, height: picture.height,
            options: DenseFlow.Options(finestLevel: level, stride: 4, iterations: 12, refinements: 0))
        search = made
        return made
    }

    private func carry(_ line: LineSegment) -> LineSegment {
        let middle = Point(x: (line.from.x + line.to.x) / 2, y: (line.from.y + line.to.y) / 2)
        return LineSegment(
            from: moved(line.from, by: motion(from: line.from, to: middle)),
            to: moved(line.to, by: motion(from: line.to, to: middle)), score: line.score)
    }

    private func carry(_ face: Face) -> Face {
        let motion = motion(inside: face.box)
        let origin = moved(Point(x: face.box.x, y: face.box.y), by: motion)
        return Face(
            box: Rect(x: origin.x, y: origin.y, width: face.box.width, height: face.box.height), score: face.score,
            landmarks: face.landmarks.map { moved($0, by: motion) })
    }

    private func moved(_ point: Point, by motion: Point) -> Point {
        Point(x: point.x + motion.x, y: point.y + motion.y)
    }

    private func motion(from start: Point, to end: Point) -> Point {
        collect { index in
            let share = Float(index) / Float(Self.samples - 1)
            return Point(x: start.x + (end.x - start.x) * share, y: start.y + (end.y - start.y) * share)
        }
    }

    private func motion(inside box: Rect) -> Point {
        collect(count: Self.samples * Self.samples) { index in
            let (column, row) = (index % Self.samples, index / Self.samples)
            return Point(
                x: box.x + box.width * (Float(column) + 0.5) / Float(Self.samples),
                y: box.y + box.height * (Float(row) + 0.5) / Float(Self.samples))
        }
    }

    /// The median motion, across and down, over some places.
    private func collect(count: Int = MotionCarrier.samples, _ place: (Int) -> Point) -> Point {
        guard let search else { return Point(x: 0, y: 0) }
        across.removeAll(keepingCapacity: true)
        down.removeAll(keepingCapacity: true)
        for index in 0..<count {
            let position = place(index)
            let motion = search.motion(x: position.x, y: position.y)
            across.append(motion.u)
            down.append(motion.v)
        }
        across.sort()
        down.sort()
        return Point(x: across[count / 2], y: down[count / 2])
    }
}
