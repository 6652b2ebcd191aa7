// SPDX-License-Identifier: Apache-2.0
internal import Annotations

/// How a filter describes a box: four numbers that move at constant speed.
enum BoxForm: Sendable {
    /// Left, top, right, bottom, as in ByteTrack's reference implementation.
    case corners
    /// Centre across and down, area, and width over height, the last of which does not move; as in SORT and OC-SORT.
    case centreAreaRatio

    func numbers(of box: Box) -> SIMD4<Double> {
        let (x, y, width, height) = (Double(box.x), Double(box.y), Double(box.width), Double(box.height))
        switch self {
        case .corners: return SIMD4(x, y, x + width, y + height)
        case .centreAreaRatio:
            return SIMD4(x + width / 2, y + height / 2, width * height, width / max(height, 1e-6))
        }
    }

    func box(of numbers: SIMD4<Double>) -> Box {
        switch self {
        case .corners:
            return Box(
                x: Float(numbers.x), y: Float(numbers.y), width: Float(numbers.z - numbers.x),
                height: Float(numbers.w - numbers.y))
        case .centreAreaRatio:
            let width = max(0, numbers.z * numbers.w).squareRoot()
            let height = width > 0 ? numbers.z / width : 0
            return Box(
                x: Float(numbers.x - width / 2), y: Float(numbers.y - height / 2), width: Float(width),
                height: Float(height))
        }
    }

    /// The part of a velocity that moves the box as a whole, the rest of which changes its size.
    func translation(_ velocity: SIMD4<Double>) -> SIMD2<Double> {
        switch self {
        case .corners: SIMD2((velocity.x + velocity.z) / 2, (velocity.y + velocity.w) / 2)
        case .centreAreaRatio: SIMD2(velocity.x, velocity.y)
        }
    }

    /// A velocity that moves the box as a whole.
    func velocity(translating motion: SIMD2<Double>) -> SIMD4<Double> {
        switch self {
        case .corners: SIMD4(motion.x, motion.y, motion.x, motion.y)
        case .centreAreaRatio: SIMD4(motion.x, motion.y, 0, 0)
        }
    }
}

/// A Kalman filter over the four numbers of a box, each with its velocity.
///
/// The axes do not depend on each other, so that the covariance is a 2x2 matrix each, and no matrix is inverted. Noise is
/// that of one interval between looks, whatever its length: over `s` intervals at once it is that of `s` single ones, so a
/// missed look costs what it would have. Positions in pixels, velocities in pixels a second.
struct BoxFilter: Sendable {
    /// Variances that tell the filter how to weigh what it sees; pixels, and pixels an interval.
    struct Noise: Sendable {
        var measurement: SIMD4<Double>
        var position: SIMD4<Double>
        var velocity: SIMD4<Double>
        /// Of a box seen once.
        var firstPosition: SIMD4<Double>
        var firstVelocity: SIMD4<Double>
    }

    private(set) var position: SIMD4<Double>
    private(set) var velocity = SIMD4<Double>.zero
    private var positionVariance: SIMD4<Double>
    private var covariance = SIMD4<Double>.zero
    /// Until the first prediction that of an interval, for only then the interval is known.
    private var velocityVariance: SIMD4<Double>
    private var hasMoved = false

    init(_ numbers: SIMD4<Double>, _ noise: Noise) {
        position = numbers
        positionVariance = noise.firstPosition
        velocityVariance = noise.firstVelocity
    }

    /// Where the numbers are `seconds` on; nothing changes.
    func position(after seconds: Double, _ form: BoxForm) -> SIMD4<Double> {
        position + velocityKept(over: seconds, form) * seconds
    }

    /// Moves on by `seconds`.
    ///
    /// - Parameters:
    ///   - interval: seconds between looks as a rule.
    ///   - motion: how far the box moved as a whole, where that was measured; it takes the place of the velocity.
    mutating func predict(
        _ seconds: Double, interval: Double, motion: SIMD2<Double>?, _ noise: Noise, _ form: BoxForm
    ) {
        if !hasMoved {
            velocityVariance /= interval * interval
            hasMoved = true
        }
        velocity = velocityKept(over: seconds, form)
        if let motion, seconds > 0 {
            let measured: SIMD2<Double> = motion / seconds
            velocity += form.velocity(translating: measured - form.translation(velocity))
        }
        position += velocity * seconds
        // The sums of 1, of n and of n squared over the steps.
        let s: Double = seconds / interval
        let (first, second): (Double, Double) = (s * (s - 1) / 2, s * (s - 1) * (2 * s - 1) / 6)
        let twice: Double = 2 * seconds
        let square: Double = seconds * seconds
        positionVariance += covariance * twice
        positionVariance += velocityVariance * square
        positionVariance += noise.position * s
        positionVariance += noise.velocity * second
        covariance += velocityVariance * seconds
        covariance += noise.velocity * (first / interval)
        velocityVariance += noise.velocity * (s / (interval * interval))
    }

    /// Takes what was seen.
    mutating func update(_ numbers: SIMD4<Double>, _ noise: Noise) {
        let total = positionVariance + noise.measurement
        let (gain, velocityGain) = (positionVariance / total, covariance / total)
        let surprise = numbers - position
        position += gain * surprise
        velocity += velocityGain * surprise
        velocityVariance -= velocityGain * covariance
        covariance *= 1 - gain
        positionVariance *= 1 - gain
    }

    /// An area that would shrink to nothing stays as it is.
    private func velocityKept(over seconds: Double, _ form: BoxForm) -> SIMD4<Double> {
        guard case .centreAreaRatio = form, position.z + velocity.z * seconds <= 0 else { return velocity }
        var kept = velocity
        kept.z = 0
        return kept
    }
}
