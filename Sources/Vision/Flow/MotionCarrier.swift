// SPDX-License-Identifier: Apache-2.0
public import Annotations
public import Media

/// Carries what was found in one picture to a later one by how the picture moved between them, for frames no network
/// looks at.
///
/// ```
///  every picture --reduce--> about 160 columns, the last `memory` of them kept
///  that of the result --+
///                       +--> DenseFlow --> box, landmarks: the median motion inside the box
///  the newest ----------+                  line: at each end, the median motion along its nearer half
/// ```
/// One step costs well below a millisecond at any size, one flow for all results that come from one picture.
/// - Note: Thread-safety: confined. Keeps no picture, only small copies; allocates when the pictures' size changes.
public final class MotionCarrier {
    private static let columns = 160
    /// Samples of the flow across and down a box, and along half a line.
    private static let samples = 9

    private struct Seen {
        let number: UInt64
        let picture: Picture
    }

    private let memory: Int
    /// Oldest first.
    private var seen: [Seen] = []
    private let pool = PicturePool()
    private var size = (width: 0, height: 0)
    /// Pixels of the pictures per pixel of the small ones.
    private var factor = 1
    private var sums: [UInt16] = []
    private var search: DenseFlow?
    /// Where the motion that was last found begins; it ends at the newest picture.
    private var origin: UInt64?
    private var across: [Float] = []
    private var down: [Float] = []

    /// Makes a carrier that has seen nothing yet and will remember that many pictures.
    public init(memory: Int = 2) {
        self.memory = max(2, memory)
        seen.reserveCapacity(self.memory)
        across.reserveCapacity(Self.samples * Self.samples)
        down.reserveCapacity(Self.samples * Self.samples)
    }

    /// Takes note of the next picture.
    ///
    /// Numbers rise; one of another size makes all others forgotten.
    public func append(_ picture: Picture, number: UInt64) {
        if picture.width != size.width || picture.height != size.height { prepare(for: picture) }
        let made = try? pool.make(
            width: (size.width + factor - 1) / factor, height: (size.height + factor - 1) / factor, format: .gray8,
            color: picture.color)
        // Without memory for it there is no motion to go by; whoever makes pictures says so.
        guard let small = made else {
            seen.removeAll(keepingCapacity: true)
            return
        }
        sums.withUnsafeMutableBufferPointer { sums in
            guard let base = sums.baseAddress else { return }
            FlowPyramid.reduce(picture.plane(0), by: factor, into: small.mutablePlane(0), sums: base)
        }
        if seen.count == memory { seen.removeFirst() }
        seen.append(Seen(number: number, picture: small))
        origin = nil
    }

    /// Moves annotations from one picture to the newest, in coordinates of the pictures.
    ///
    /// The nearest picture stands for one that is not remembered. Kinds without places, and annotations of the newest
    /// picture, come back as they are.
    public func carry(_ list: any AnnotationList, from number: UInt64) -> any AnnotationList {
        guard list.kind.moves, !list.isEmpty, find(from: number) else { return list }
        return list.carried(by: Motion(carrier: self))
    }

    /// How what is inside a box of one picture moved from there to the newest, in pixels; nil where that is not known.
    public func motion(inside box: Box, since number: UInt64) -> Point? {
        find(from: number) ? motion(inside: box) : nil
    }

    /// The motion that was last found.
    private struct Motion: MotionField {
        let carrier: MotionCarrier

        func motion(inside box: Box) -> Point { carrier.motion(inside: box) }

        func motion(from start: Point, to end: Point) -> Point { carrier.motion(from: start, to: end) }
    }

    /// The number of the newest picture; nil where none is remembered.
    public var newest: UInt64? { seen.last?.number }

    /// Forgets all pictures.
    public func reset() { seen.removeAll(keepingCapacity: true) }

    private func prepare(for picture: Picture) {
        reset()
        size = (picture.width, picture.height)
        var level = 0
        while level < 5, picture.width >> (level + 1) >= Self.columns { level += 1 }
        factor = 1 << level
        let columns = (size.width + factor - 1) / factor
        sums = Array(repeating: 0, count: columns * factor)
        search = DenseFlow(
            width: columns, height: (size.height + factor - 1) / factor,
            options: DenseFlow.Options(finestLevel: 0, stride: 4, iterations: 12, refinements: 0))
    }

    /// Finds how the picture moved since that one; false where nothing is to be moved.
    private func find(from number: UInt64) -> Bool {
        func distance(_ other: UInt64) -> UInt64 { other > number ? other - number : number - other }
        guard let search, let newest = seen.last,
            let first = seen.min(by: { distance($0.number) < distance($1.number) }), first.number != newest.number
        else { return false }
        guard first.number != origin else { return true }
        search.find(from: first.picture.plane(0), to: newest.picture.plane(0))
        origin = first.number
        return true
    }

    private func motion(from start: Point, to end: Point) -> Point {
        collect { index in
            let share = Float(index) / Float(Self.samples - 1)
            return Point(x: start.x + (end.x - start.x) * share, y: start.y + (end.y - start.y) * share)
        }
    }

    private func motion(inside box: Box) -> Point {
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
        let scale = Float(factor)
        across.removeAll(keepingCapacity: true)
        down.removeAll(keepingCapacity: true)
        for index in 0..<count {
            let position = place(index)
            let motion = search.motion(x: position.x / scale, y: position.y / scale)
            across.append(motion.u * scale)
            down.append(motion.v * scale)
        }
        across.sort()
        down.sort()
        return Point(x: across[count / 2], y: down[count / 2])
    }
}
