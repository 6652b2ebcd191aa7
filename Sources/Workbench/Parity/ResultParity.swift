// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Media
internal import Networks
internal import Vision

/// Compares decoded boxes or lines with a reference's, and finds which usual mistake turns one into the other.
struct ResultParity {
    /// What the rows are: the ends of a line may come in either order.
    enum Kind { case boxes, lines }

    private struct Guess {
        let cause: String
        let move: (Quad) -> Quad
    }

    let kind: Kind
    /// The node's, in pixels of the picture.
    let found: [Quad]
    let placement: Placement
    let size: InputSize
    /// Width and height of the picture.
    let picture: (width: Float, height: Float)

    func stage(_ reference: [Quad]) -> ParityReport.Stage {
        let name = kind == .boxes ? "boxes" : "lines"
        let agreement = agreement(found, reference)
        let text =
            "\(found.count) of the node, \(reference.count) of the reference, "
            + "\(brief(100 * agreement))% of either found in the other"
        if agreement >= 0.9 { return .init(name, agrees: true, text) }
        guard !found.isEmpty, !reference.isEmpty else {
            return .init(
                name, agrees: false, text,
                causes: ["one side found nothing: another threshold, or a fault before this stage"])
        }
        // Of guesses that explain it equally well, the first: they are in the order of likelihood.
        let tried = guesses.map { (cause: $0.cause, agreement: self.agreement(found.map($0.move), reference)) }
        let best = tried.max { $0.agreement < $1.agreement }?.agreement ?? 0
        if best >= 0.7, let first = tried.first(where: { $0.agreement >= best - 0.02 }) {
            return .init(name, agrees: false, text, causes: [first.cause])
        }
        // More on one side, all of the other's among them.
        let (more, fewer) = found.count > reference.count ? (found, reference) : (reference, found)
        if share(of: fewer, in: more) >= 0.9 {
            let side = found.count > reference.count ? "node" : "reference"
            return .init(
                name, agrees: false, text,
                causes: [
                    "another threshold, limit or suppression: the \(side) keeps more, the others are all among them"
                ])
        }
        return .init(name, agrees: false, text, causes: ["none of the usual mistakes explains it"])
    }

    // MARK: - Guesses

    private var guesses: [Guess] {
        var guesses: [Guess] = []
        for factor in [2, 4, 8, 0.5, 0.25, 0.125] as [Float] {
            guesses.append(
                Guess(cause: "wrong stride: the reference's coordinates are \(brief(Double(factor))) times the node's")
                {
                    $0.map { network($0) }.map { Point(x: $0.x * factor, y: $0.y * factor) }.map { source($0) }
                })
        }
        guesses += [
            Guess(cause: "not mapped back: the reference is in pixels of the network's input") { $0.map(network) },
            Guess(cause: "fractions: the reference is in parts of the picture, 0...1") {
                $0.map { Point(x: $0.x / picture.width, y: $0.y / picture.height) }
            },
            Guess(cause: "fractions: the reference is in parts of the network's input, 0...1") {
                $0.map { network($0) }.map { Point(x: $0.x / Float(size.width), y: $0.y / Float(size.height)) }
            },
            Guess(cause: "transposed axes: the reference has y before x") { $0.map { Point(x: $0.y, y: $0.x) } },
        ]
        for (name, other) in placements {
            guesses.append(
                Guess(cause: "mapped back as if \(name), the other way than the node does") {
                    $0.map { network($0) }.map { other.source(x: $0.x, y: $0.y) }
                })
        }
        if kind == .boxes {
            guesses += [
                Guess(cause: "format: the reference's boxes are left, top, width, height") {
                    Quad($0.x0, $0.y0, $0.x1 - $0.x0, $0.y1 - $0.y0)
                },
                Guess(cause: "format: the reference's boxes are centre, width, height") {
                    Quad(($0.x0 + $0.x1) / 2, ($0.y0 + $0.y1) / 2, $0.x1 - $0.x0, $0.y1 - $0.y0)
                },
            ]
        }
        for cell in [32, 16, 8, 4, 2] as [Float] {
            for sign in [1, -1] as [Float] {
                let shift = sign * cell / 2
                guesses.append(
                    Guess(cause: "grid offset: the reference is off by half a cell of stride \(brief(Double(cell)))") {
                        $0.map { network($0) }.map { Point(x: $0.x + shift, y: $0.y + shift) }.map { source($0) }
                    })
            }
        }
        return guesses
    }

    /// The other ways a picture is commonly placed.
    private var placements: [(String, Placement)] {
        let (width, height) = (Int(picture.width), Int(picture.height))
        let all: [(String, InputNormalisation.Fit, Placement.Alignment)] = [
            ("stretched", .stretch, .topLeft), ("letterboxed in the corner", .letterbox, .topLeft),
            ("letterboxed in the centre", .letterbox, .centre),
        ]
        return all.map { name, fit, alignment in
            (name, Placement(sourceWidth: width, sourceHeight: height, in: size, fit: fit, alignment: alignment))
        }.filter { $0.1 != placement }
    }

    private func network(_ point: Point) -> Point {
        Point(
            x: point.x / placement.scaleX + Float(placement.x), y: point.y / placement.scaleY + Float(placement.y))
    }

    private func source(_ point: Point) -> Point { placement.source(x: point.x, y: point.y) }

    // MARK: - Matching

    /// The smaller of the two shares: a side that found more agrees less.
    private func agreement(_ a: [Quad], _ b: [Quad]) -> Double {
        if a.isEmpty, b.isEmpty { return 1 }
        return min(share(of: a, in: b), share(of: b, in: a))
    }

    /// How many of `a` have one of `b` near.
    private func share(of a: [Quad], in b: [Quad]) -> Double {
        guard !a.isEmpty else { return 1 }
        let extent = b.flatMap { [abs($0.x0), abs($0.y0), abs($0.x1), abs($0.y1)] }.max() ?? 0
        // A pixel and a half in pictures of usual sizes, and as much of a whole in other units.
        let near = extent > 4 ? max(1.5, extent / 400) : extent / 200
        let hits = a.count { quad in b.contains { distance(quad, $0) <= near } }
        return Double(hits) / Double(a.count)
    }

    private func distance(_ a: Quad, _ b: Quad) -> Float {
        let straight = a.distance(to: b)
        return kind == .boxes ? straight : min(straight, a.distance(to: Quad(b.x1, b.y1, b.x0, b.y0)))
    }
}
