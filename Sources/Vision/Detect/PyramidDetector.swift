// SPDX-License-Identifier: Apache-2.0
package import Annotations
package import Inference
package import Media
package import Networks

/// Finds faces with SSH on several sizes of each picture, with one suppression for all of them.
///
/// ```
///                 5/8   1    3/2    2       times the size asked for
///  picture  --->   [ ]  [  ]  [   ]  [    ]   one compiled network each, all in flight at once
///                   \____\_____\______\---> candidates --> suppression --> faces
/// ```
/// The largest size goes without the module for the largest faces, as in the paper.
/// - Note: Complexity: the areas add up to 7.6 times that of the network alone, and so does the time.
/// - Note: Source: Najibi et al., section 4.2 and the reference's `wider_pyramid.yml`.
/// - Note: Thread-safety: queue-bound.
package final class PyramidDetector: PictureNetwork {
    /// The sizes of a picture, as parts of the size asked for.
    package static let scales = [0.625, 1, 1.5, 2]

    /// One picture under way: how many levels took it, and why the next one did not.
    private struct Pending {
        let levels: Int
        let failure: InferenceError?
    }

    private let levels: [Detector<Level>]
    private let candidates: FaceCandidates
    private var pending: [Pending] = []
    /// Levels of the oldest picture whose boxes are among the candidates, and what went wrong with one.
    private var collected = 0
    private var failure: InferenceError?

    /// Builds SSH at every size, compiles all of them, and prepares requests.
    ///
    /// - Parameter setup: a network of SSH; its size is that of scale 1.
    /// - Throws: `VisionError`, `NetworkError` (size, weights), `InferenceError`.
    package init(_ setup: NetworkSetup, options: BoxSelection = .ssh) throws {
        let sizes = Self.sizes(around: setup.size)
        let candidates = FaceCandidates(
            capacity: sizes.count * SSH.strides.count * max(0, options.candidates), limit: options.limit,
            iouThreshold: options.iouThreshold)
        self.candidates = candidates
        levels = try sizes.enumerated().map { index, size in
            let modules = index == sizes.count - 1 ? SSH.strides.count - 1 : SSH.strides.count
            return try setup.resized(to: size).detector(filter: .bilinear) { outputs, size in
                Level(
                    try SSHDecoder(
                        outputs: outputs, size: size, options: options, modules: modules, into: candidates))
            }
        }
    }

    /// The network's inputs for a size at scale 1; none is below what the network takes.
    package static func sizes(around base: InputSize) -> [InputSize] {
        scales.map { scale in
            func scaled(_ extent: Int) -> Int { max(SSH.sizes.minimum, Int((Double(extent) * scale).rounded())) }
            return InputSize(width: scaled(base.width), height: scaled(base.height))
        }
    }

    /// The network at scale 1.
    package var model: CompiledModel { levels[1].model }

    /// None: four networks work together.
    package var stages: PictureStages<[Face]>? { nil }

    /// Pictures that can be in flight at once.
    package var capacity: Int { levels.map(\.capacity).min() ?? 0 }

    /// Names who is woken, on a thread of the engine, after each inference of each size.
    package func onCompletion(_ wake: @escaping @Sendable () -> Void) throws(InferenceError) {
        for level in levels { try level.onCompletion(wake) }
    }

    /// Starts on a picture at all sizes; false, and nothing done, when there is no room for one of them.
    ///
    /// - Throws: when the first size cannot be started; a failure of another takes the place of the picture's result.
    package func submit(_ picture: Picture) throws(InferenceError) -> Bool {
        guard levels.allSatisfy({ $0.inFlight < $0.capacity }) else { return false }
        for (index, level) in levels.enumerated() {
            do {
                _ = try level.submit(picture)
            } catch {
                guard index > 0 else { throw error }
                pending.append(Pending(levels: index, failure: error))
                return true
            }
        }
        pending.append(Pending(levels: levels.count, failure: nil))
        return true
    }

    /// The faces of the oldest picture once all its sizes are done, else nil.
    ///
    /// - Throws: `inferenceFailed` in place of that picture's result; the pictures after it are not affected.
    package func nextCompleted() throws(InferenceError) -> [Face]? {
        try collect { level throws(InferenceError) in try level.nextCompleted() }
    }

    /// The same, waiting for all sizes; nil when nothing is in flight.
    package func waitForNext() throws(InferenceError) -> [Face]? {
        try collect { level throws(InferenceError) in try level.waitForNext() }
    }

    private func collect(_ next: (Detector<Level>) throws(InferenceError) -> Void?) throws(InferenceError) -> [Face]? {
        guard let oldest = pending.first else { return nil }
        if collected == 0 { candidates.removeAll() }
        while collected < oldest.levels {
            do {
                guard try next(levels[collected]) != nil else { return nil }
            } catch {
                failure = error
            }
            collected += 1
        }
        defer {
            collected = 0
            failure = nil
            pending.removeFirst()
        }
        if let failure = failure ?? oldest.failure { throw failure }
        return candidates.faces()
    }
}

/// One size of the pyramid: adds its boxes to the shared candidates.
private final class Level: OutputDecoder {
    private let decoder: SSHDecoder

    init(_ decoder: SSHDecoder) { self.decoder = decoder }

    func decode(_ outputs: [TensorBuffer], placement: Placement) { decoder.collect(outputs, placement: placement) }
}
