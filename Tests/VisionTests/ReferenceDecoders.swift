// SPDX-License-Identifier: Apache-2.0
import Annotations
import Foundation
import Media
import Networks

@testable import Vision

/// M-LSD's decoding step by step: pool, compare, sort everything, then test.
func referenceLines(
    centre: [Float], displacement: [Float], width: Int, height: Int, options: LineDecoder.Options,
    scale: (x: Float, y: Float)
) -> [LineSegment] {
    var maxima: [(index: Int, score: Float)] = []
    for y in 0..<height {
        for x in 0..<width {
            let score = centre[y * width + x]
            var pooled = -Float.infinity
            for row in y - 1...y + 1 where (0..<height).contains(row) {
                for column in x - 1...x + 1 where (0..<width).contains(column) {
                    let neighbour = centre[row * width + column]
                    if !neighbour.isNaN { pooled = max(pooled, neighbour) }
                }
            }
            if score == pooled { maxima.append((y * width + x, score)) }
        }
    }
    maxima.sort { ($1.score, $0.index) < ($0.score, $1.index) }
    return maxima.prefix(options.limit).filter { $0.score > options.scoreThreshold }.compactMap { index, score in
        let ends = (0..<4).map { displacement[$0 * width * height + index] }
        guard ends.allSatisfy(\.isFinite) else { return nil }
        let (dx, dy) = (ends[2] - ends[0], ends[3] - ends[1])
        let length = (dx * dx + dy * dy).squareRoot()
        guard length > options.minimumLength, length.isFinite else { return nil }
        let (x, y) = (Float(index % width), Float(index / width))
        return LineSegment(
            from: Point(x: 2 * (x + ends[0]) * scale.x, y: 2 * (y + ends[1]) * scale.y),
            to: Point(x: 2 * (x + ends[2]) * scale.x, y: 2 * (y + ends[3]) * scale.y), score: score)
    }
}

/// RetinaFace's decoding step by step, with normalised priors as the reference has them, in double precision.
func referenceFaces(
    location: [Float], confidence: [Float], landmarks: [Float], size: InputSize, family: RetinaFace.Family,
    options: BoxSelection, scale: (x: Double, y: Double)
) -> [Face] {
    let (width, height) = (Double(size.width), Double(size.height))
    var priors: [[Double]] = []
    for (stride, sides) in [(8, family.anchorSizes[0]), (16, family.anchorSizes[1]), (32, family.anchorSizes[2])] {
        for row in 0..<Int((height / Double(stride)).rounded(.up)) {
            for column in 0..<Int((width / Double(stride)).rounded(.up)) {
                for side in sides {
                    priors.append([
                        (Double(column) + 0.5) * Double(stride) / width, (Double(row) + 0.5) * Double(stride) / height,
                        Double(side) / width, Double(side) / height,
                    ])
                }
            }
        }
    }
    var rows = priors.indices.filter { confidence[2 * $0 + 1] > options.scoreThreshold }
    rows.sort { (confidence[2 * $1 + 1], $0) < (confidence[2 * $0 + 1], $1) }
    var boxes: [(row: Int, corners: [Double])] = []
    for row in rows.prefix(options.candidates) {
        let prior = priors[row]
        let l = (0..<4).map { Double(location[4 * row + $0]) }
        let (w, h) = (prior[2] * exp(0.2 * l[2]), prior[3] * exp(0.2 * l[3]))
        let (x1, y1) = (prior[0] + 0.1 * l[0] * prior[2] - w / 2, prior[1] + 0.1 * l[1] * prior[3] - h / 2)
        let corners = [
            x1 * width * scale.x, y1 * height * scale.y, (x1 + w) * width * scale.x, (y1 + h) * height * scale.y,
        ]
        if corners.allSatisfy({ $0.isFinite && abs($0) < 1e18 }) { boxes.append((row, corners)) }
    }
    func area(_ b: [Double]) -> Double { (b[2] - b[0] + 1) * (b[3] - b[1] + 1) }
    var kept: [(row: Int, corners: [Double])] = []
    while !boxes.isEmpty {
        let best = boxes.removeFirst()
        kept.append(best)
        boxes.removeAll { other in
            let (a, b) = (best.corners, other.corners)
            let w = max(0, min(a[2], b[2]) - max(a[0], b[0]) + 1)
            let h = max(0, min(a[3], b[3]) - max(a[1], b[1]) + 1)
            return w * h / (area(a) + area(b) - w * h) > Double(options.iouThreshold)
        }
    }
    return kept.prefix(options.limit).map { row, b in
        let prior = priors[row]
        var points = (0..<5).map { point in
            Point(
                x: Float((prior[0] + 0.1 * Double(landmarks[10 * row + 2 * point]) * prior[2]) * width * scale.x),
                y: Float((prior[1] + 0.1 * Double(landmarks[10 * row + 2 * point + 1]) * prior[3]) * height * scale.y))
        }
        if !points.allSatisfy({ $0.x.isFinite && $0.y.isFinite }) { points = [] }
        return Face(
            box: Box(x: Float(b[0]), y: Float(b[1]), width: Float(b[2] - b[0]), height: Float(b[3] - b[1])),
            score: confidence[2 * row + 1], landmarks: points)
    }
}

/// SSH's decoding step by step as the reference does it, in double precision: every module's anchors, boxes with whole
/// pixels, the best of each module, then one suppression.
///
/// `maps` are score and box tensors per module, NCHW.
func referenceSSHCandidates(
    _ maps: [(scores: [Float], boxes: [Float])], size: InputSize, options: BoxSelection,
    content: (width: Int, height: Int), scale: (x: Double, y: Double)
) -> [(corners: [Double], score: Double)] {
    var all: [(corners: [Double], score: Double)] = []
    let ratios: [[Double]] = [[1, 2], [4, 8], [16, 32]]
    for (module, map) in maps.enumerated() {
        let stride = [8, 16, 32][module]
        let (rows, columns) = ((size.height + stride - 1) / stride, (size.width + stride - 1) / stride)
        var found: [(corners: [Double], score: Double)] = []
        for y in 0..<rows {
            for x in 0..<columns {
                for (anchor, ratio) in ratios[module].enumerated() {
                    func at(_ values: [Float], _ channel: Int) -> Double {
                        Double(values[(channel * rows + y) * columns + x])
                    }
                    // The base box (0, 0, 15, 15) scaled around its centre, moved to the cell.
                    let x1 = 7.5 - (16 * ratio - 1) / 2 + Double(x * stride)
                    let y1 = 7.5 - (16 * ratio - 1) / 2 + Double(y * stride)
                    let x2 = x1 + 16 * ratio - 1
                    let w = x2 - x1 + 1
                    let h = w
                    let d = (0..<4).map { at(map.boxes, 4 * anchor + $0) }
                    func grown(_ value: Double) -> Double { exp(value > 50 ? 5 : value) }
                    let (cx, cy) = (d[0] * w + x1 + 0.5 * w, d[1] * h + y1 + 0.5 * h)
                    let (pw, ph) = (grown(d[2]) * w, grown(d[3]) * h)
                    guard [cx, cy, pw, ph].allSatisfy({ $0.isFinite && abs($0) < 1e30 }) else { continue }
                    func across(_ value: Double) -> Double { min(max(value, 0), Double(content.width - 1)) * scale.x }
                    func down(_ value: Double) -> Double { min(max(value, 0), Double(content.height - 1)) * scale.y }
                    let corners: [Double] = [
                        across(cx - 0.5 * pw), down(cy - 0.5 * ph), across(cx + 0.5 * pw), down(cy + 0.5 * ph),
                    ]
                    let background = exp(at(map.scores, anchor))
                    let face = exp(at(map.scores, 2 + anchor))
                    found.append((corners, face / (face + background)))
                }
            }
        }
        let order = found.indices.sorted { (found[$1].score, $0) < (found[$0].score, $1) }
        all += order.prefix(options.candidates).map { found[$0] }.filter { $0.score > Double(options.scoreThreshold) }
    }
    return all
}

/// Greedy suppression by definition.
func referenceSuppression(
    _ candidates: [(corners: [Double], score: Double)], options: BoxSelection
) -> [Face] {
    func area(_ b: [Double]) -> Double { (b[2] - b[0] + 1) * (b[3] - b[1] + 1) }
    let order = candidates.indices.sorted { (candidates[$1].score, $0) < (candidates[$0].score, $1) }
    var rest = order.map { candidates[$0] }
    var faces: [Face] = []
    while !rest.isEmpty, faces.count < options.limit {
        let best = rest.removeFirst()
        let a = best.corners
        faces.append(
            Face(
                box: Box(x: Float(a[0]), y: Float(a[1]), width: Float(a[2] - a[0]), height: Float(a[3] - a[1])),
                score: Float(best.score)))
        rest.removeAll { other in
            let b = other.corners
            let w = max(0, min(a[2], b[2]) - max(a[0], b[0]) + 1)
            let h = max(0, min(a[3], b[3]) - max(a[1], b[1]) + 1)
            return w * h / (area(a) + area(b) - w * h) > Double(options.iouThreshold)
        }
    }
    return faces
}
