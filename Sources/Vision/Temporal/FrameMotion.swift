// SPDX-License-Identifier: Apache-2.0
internal import Media

/// The motion from each frame to the output before it, found on prepared luma.
///
/// ```
///   frame --luma, smoothed, halved--> bytes ---+
///                                              +--> DenseFlow --> flow
///   output before --the same, matched--> bytes-+      in mean and deviation to the frame's
/// ```
/// - Note: Thread-safety: confined. Allocates when made only.
final class FrameMotion {
    let flow: FlowField
    private let preparation: LumaPreparation
    private let search: DenseFlow
    /// The way back, when it is checked.
    private let back: (flow: FlowField, check: FlowConsistency)?
    private let current: FloatImage
    private let last: FloatImage
    private let bytes: UnsafeMutablePointer<UInt8>
    private var lastStatistics: LumaPreparation.Statistics
    private var cuts = CutDetector()

    private var halfWidth: Int { current.width }
    private var halfHeight: Int { current.height }
    private var currentBytes: UnsafeMutablePointer<UInt8> { bytes }
    private var lastBytes: UnsafeMutablePointer<UInt8> { bytes + halfWidth * halfHeight }

    init(width: Int, height: Int, options: TemporalAggregator.Options) {
        flow = FlowField(width: width, height: height)
        preparation = LumaPreparation(width: width, height: height, order: options.order)
        let (halfWidth, halfHeight) = (preparation.halfWidth, preparation.halfHeight)
        search = DenseFlow(width: halfWidth, height: halfHeight, options: options.flow, magnification: 2)
        back =
            options.checksConsistency
            ? (FlowField(width: width, height: height), FlowConsistency(width: width, height: height)) : nil
        current = FloatImage(channels: 1, width: halfWidth, height: halfHeight)
        last = FloatImage(channels: 1, width: halfWidth, height: halfHeight)
        bytes = .allocate(capacity: 2 * halfWidth * halfHeight)
        bytes.initialize(repeating: 0, count: 2 * halfWidth * halfHeight)
        lastStatistics = LumaPreparation.Statistics(last.readOnly)
    }

    deinit { bytes.deallocate() }

    /// Fills `flow`; false when there is no history, or none that belongs to the frame because of a cut.
    func find(_ frame: FloatPlanes, hasHistory: Bool) -> Bool {
        guard hasHistory else { return false }
        preparation.prepare(frame, into: current.planes)
        let statistics = LumaPreparation.Statistics(current.readOnly)
        LumaPreparation.quantise(current.readOnly, from: statistics, to: statistics, into: currentBytes)
        LumaPreparation.quantise(last.readOnly, from: lastStatistics, to: statistics, into: lastBytes)
        search.compute(from: plane(currentBytes), to: plane(lastBytes), into: flow)
        return !cuts.isCut(difference: difference())
    }

    /// Sets `validity` to 0 where the way back says that the frame's pixel is hidden in the output before.
    func invalidateHidden(_ validity: MutableFloatPlanes) {
        guard let back else { return }
        search.compute(from: plane(lastBytes), to: plane(currentBytes), into: back.flow)
        back.check.invalidate(validity, there: flow, back: back.flow)
    }

    /// Takes in the output the next frame is compared with.
    func remember(_ output: FloatPlanes) {
        preparation.prepare(output, into: last.planes)
        lastStatistics = LumaPreparation.Statistics(last.readOnly)
    }

    func reset() { cuts.reset() }

    private func plane(_ bytes: UnsafeMutablePointer<UInt8>) -> Plane {
        Plane(base: bytes, stride: halfWidth, width: halfWidth, height: halfHeight)
    }

    /// Mean difference along the flow, in 0...1, of every second row's nearest pixels.
    private func difference() -> Float {
        var total = 0
        var count = 0
        for row in stride(from: 0, to: halfHeight, by: 2) {
            for column in 0..<halfWidth {
                let index = 2 &* row &* flow.width &+ 2 &* column
                let x = Vectors.clamp(Float(column) + 0.5 * flow.u[index] + 0.5, 0, Float(halfWidth - 1))
                let y = Vectors.clamp(Float(row) + 0.5 * flow.v[index] + 0.5, 0, Float(halfHeight - 1))
                let moved = lastBytes[Int(y) &* halfWidth &+ Int(x)]
                total &+= abs(Int(currentBytes[row &* halfWidth &+ column]) &- Int(moved))
            }
            count += halfWidth
        }
        return Float(total) / Float(count) / 255
    }
}
