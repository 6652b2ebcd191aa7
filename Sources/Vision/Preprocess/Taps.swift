// SPDX-License-Identifier: Apache-2.0

/// The samples of one plane, along one axis, that make one target sample, and their weights (which add up to 1).
struct Taps: Equatable {
    var start: Int
    var weights: [Float]
}

/// One axis of one plane: how many samples it has, and how they lie on the axis of the luma plane.
///
/// A chroma sample stands for `1 << shift` luma samples (the last one of an odd length for what is left), which puts
/// its centre between them.
struct Axis {
    /// Luma samples.
    var length: Int
    /// Binary logarithm of the luma samples per sample of this plane.
    var shift: Int
    /// Samples of this plane.
    var count: Int { (length + (1 << shift) - 1) >> shift }

    /// Taps for `target` samples that together cover the whole axis.
    func taps(target: Int, area: Bool) -> [Taps] {
        (0..<target).map { area ? areaTaps($0, of: target) : linearTaps($0, of: target) }
    }

    private func areaTaps(_ index: Int, of target: Int) -> Taps {
        // In units of 1/target luma samples everything is an integer: no sample is missed or doubled by rounding.
        let low = index * length
        let high = low + length
        let first = (low / target) >> shift
        let last = ((high - 1) / target) >> shift
        let weights = (first...last).map { sample in
            let from = max(low, (sample << shift) * target)
            let to = min(high, min((sample + 1) << shift, length) * target)
            return Float(Double(to - from) / Double(length))
        }
        return Taps(start: first, weights: weights)
    }

    private func linearTaps(_ index: Int, of target: Int) -> Taps {
        let centre = (Double(index) + 0.5) * Double(length) / Double(target)
        let position = min(max(centre / Double(1 << shift) - 0.5, 0), Double(count - 1))
        let first = Int(position)
        let fraction = position - Double(first)
        return fraction == 0 || first + 1 == count
            ? Taps(start: first, weights: [1])
            : Taps(start: first, weights: [Float(1 - fraction), Float(fraction)])
    }
}

/// Taps down an axis, flat: what the vertical pass reads.
///
/// Owns its memory.
final class VerticalTable {
    let starts: UnsafeMutablePointer<Int>
    let counts: UnsafeMutablePointer<Int>
    /// `stride` weights per target row, of which `counts` are used.
    let weights: UnsafeMutablePointer<Float>
    let stride: Int

    init(_ taps: [Taps]) {
        stride = taps.map(\.weights.count).max() ?? 1
        starts = .allocate(capacity: taps.count)
        counts = .allocate(capacity: taps.count)
        weights = .allocate(capacity: taps.count * stride)
        weights.initialize(repeating: 0, count: taps.count * stride)
        for (row, tap) in taps.enumerated() {
            (starts + row).initialize(to: tap.start)
            (counts + row).initialize(to: tap.weights.count)
            for (index, weight) in tap.weights.enumerated() { weights[row * stride + index] = weight }
        }
    }

    deinit {
        starts.deallocate()
        counts.deallocate()
        weights.deallocate()
    }
}

/// Taps across an axis, grouped for four target samples at a time.
///
/// Owns its memory.
///
/// ```
///  group g, block b, tap t of 2:  weights[(g * blocks + b) * 2 + t]   one SIMD4, lane = target sample within the group
/// ```
/// The last group repeats the last sample.
final class HorizontalTable {
    let groups: Int
    /// Pairs of taps per target sample.
    let blocks: Int
    let starts: UnsafeMutablePointer<Int32>
    let weights: UnsafeMutablePointer<SIMD4<Float>>

    /// Samples past a row's end that the kernel may read (and multiply by zero).
    var overrun: Int { 2 * blocks }

    init(_ taps: [Taps]) {
        groups = (taps.count + 3) / 4
        blocks = ((taps.map(\.weights.count).max() ?? 1) + 1) / 2
        starts = .allocate(capacity: groups * 4)
        weights = .allocate(capacity: groups * blocks * 2)
        weights.initialize(repeating: SIMD4(repeating: 0), count: groups * blocks * 2)
        for position in 0..<groups * 4 {
            let tap = taps[min(position, taps.count - 1)]
            (starts + position).initialize(to: Int32(tap.start))
            for (index, weight) in tap.weights.enumerated() {
                weights[position / 4 * blocks * 2 + index][position % 4] = weight
            }
        }
    }

    deinit {
        starts.deallocate()
        weights.deallocate()
    }
}
