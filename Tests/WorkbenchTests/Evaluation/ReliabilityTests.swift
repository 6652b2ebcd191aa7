// SPDX-License-Identifier: Apache-2.0
import Foundation
import Media
import Networks
import TestSupport
import Testing

@testable import Workbench

@Suite struct ReliabilityTests {
    /// Cells whose labels are drawn from the softmax of logits over `temperature`.
    private func drawn(_ temperature: Float) -> Reliability {
        var generator = SeededGenerator(seed: 11)
        let (classes, cells) = (4, InputSize(width: 80, height: 60))
        let area = cells.width * cells.height
        let logits = (0..<classes * area).map { _ in Float.random(in: -4...4, using: &generator) }
        let labels = (0..<area).map { cell -> UInt8 in
            let weights = (0..<classes).map { exp(logits[$0 * area + cell] / temperature) }
            var place = Float.random(in: 0..<1, using: &generator) * weights.reduce(0, +)
            for (label, weight) in weights.enumerated() {
                place -= weight
                if place < 0 { return UInt8(label) }
            }
            return UInt8(classes - 1)
        }
        var reliability = Reliability(classes: classes)
        reliability.add(
            logits: logits, cells: cells,
            truth: IndexedImage(width: cells.width, height: cells.height, indices: labels, palette: []))
        return reliability
    }

    @Test(arguments: [0.6, 1, 2] as [Float]) func `the temperature that labels were drawn with is found`(truth: Float) {
        let reliability = drawn(truth)
        let found = reliability.bestTemperature
        #expect(abs(found - Double(truth)) < 0.08 * Double(truth))
        #expect(reliability.error(found) < 0.02)
        #expect(reliability.error(3 * found) > 0.1)
        #expect(reliability.bins(found).reduce(0) { $0 + $1.count } == reliability.count)
    }

    @Test func `the truth is the label at a cell's centre, and what is no class is left out`() {
        var reliability = Reliability(classes: 2)
        // Two cells over six pixels: their centres are the second and the fifth.
        reliability.add(
            logits: [3, 0, 0, 3], cells: InputSize(width: 2, height: 1),
            truth: IndexedImage(width: 6, height: 1, indices: [1, 0, 1, 0, 9, 0], palette: []))
        #expect(reliability.count == 1)
        let sure = 1 / (1 + exp(-3.0))
        #expect(reliability.bins(1)[9].accuracy == 1)
        #expect(abs(reliability.error(1) - (1 - sure)) < 1e-6)
        #expect(Reliability(classes: 3).error(1) == 0)
    }
}
