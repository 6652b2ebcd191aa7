// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Finds the gain that exposes dark video well, and changes it slowly enough that nothing flickers.
///
/// The gain maps the 98th percentile of the light, averaged over 8x8 pixels, to 0.8, and is at least 1. It follows the
/// measurement with a time constant, but jumps after a reset and when the light changes by more than two stops from one
/// frame to the next: somebody switched the lamp on.
/// - Note: Source: the rule of the training's degradation, so that the network sees what it was trained on.
/// - Note: Thread-safety: confined. Allocates when made.
final class ExposureMeter {
    /// Light that the percentile is mapped to.
    static let target: Float = 0.8
    /// Share of the picture that may be brighter than that.
    static let highlights = 0.02
    /// Seconds in which the gain makes 63 % of its way.
    static let timeConstant = 0.7
    /// A change of the measurement by more, in stops between neighbouring frames, is followed at once.
    static let jump: Float = 2

    private let limit: Float
    private let width: Int
    private let height: Int
    private var cells: UnsafeMutableBufferPointer<Float>
    /// Binary logarithms of the gain in force and of the one last measured; nil when there is no past.
    private var state: (stops: Float, measured: Float, seconds: Double)?

    /// For planes of one size; the gain stays at or below `limit`.
    init(width: Int, height: Int, limit: Float) {
        self.width = width
        self.height = height
        self.limit = limit
        cells = .allocate(capacity: max(1, (width + 7) / 8 * ((height + 7) / 8)))
        cells.initialize(repeating: 0)
    }

    deinit { cells.deallocate() }

    /// Forgets the past: the next gain is what its frame asks for.
    func reset() { state = nil }

    /// The gain for RGB planes shown at `seconds`, and whether it jumped.
    func gain(_ planes: FloatPlanes, at seconds: Double, curve: ToneCurve) -> (gain: Float, isJump: Bool) {
        let measured = log2f(min(max(Self.target / max(percentile(planes, curve), 1e-4), 1), limit))
        guard let past = state, abs(measured - past.measured) <= Self.jump else {
            let isJump = state != nil
            state = (measured, measured, seconds)
            return (exp2f(measured), isJump)
        }
        let elapsed = min(max(seconds - past.seconds, 0), 1)
        let share = Float(1 - exp(-elapsed / Self.timeConstant))
        let stops = past.stops + (measured - past.stops) * share
        state = (stops, measured, seconds)
        return (exp2f(stops), false)
    }

    /// The light below which all but the highlights are.
    private func percentile(_ planes: FloatPlanes, _ curve: ToneCurve) -> Float {
        let (red, green, blue) = (planes.plane(0), planes.plane(1), planes.plane(2))
        var count = 0
        for top in stride(from: 0, to: height, by: 8) {
            for left in stride(from: 0, to: width, by: 8) {
                // Eight of the cell's samples stand for all.
                var sum: Float = 0
                var samples: Float = 0
                for y in stride(from: top, to: min(top + 8, height), by: 4) {
                    for x in stride(from: left, to: min(left + 8, width), by: 2) {
                        let i = y * width + x
                        sum += 0.2126 * curve.light(of: red[i]) + 0.7152 * curve.light(of: green[i])
                        sum += 0.0722 * curve.light(of: blue[i])
                        samples += 1
                    }
                }
                cells[count] = sum / samples
                count += 1
            }
        }
        cells.sort()
        return cells[min(count - 1, Int(Double(count) * (1 - Self.highlights)))]
    }
}
