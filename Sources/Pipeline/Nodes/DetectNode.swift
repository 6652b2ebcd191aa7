// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
internal import Media

/// A network that finds something in pictures, with several inferences in flight.
///
/// Confined to the queue of its node, but for the wake-up, which comes from a thread of the engine.
protocol PictureDetector: AnyObject {
    /// Inferences that can be in flight.
    var capacity: Int { get }
    /// Names who is woken after each completion, on a thread of the engine.
    func onCompletion(_ wake: @escaping @Sendable () -> Void) throws
    /// Begins an inference; false when all requests are busy.
    func submit(_ picture: Picture) throws -> Bool
    /// The oldest inference's result if it is over, in the picture's pixels; nil when none is.
    func nextResult() throws -> FrameResult?
    /// For the report: weights, size, precision.
    var summary: String { get }
    /// Its parts, for a comparison with a reference; nil where it has not the usual ones.
    var paritySubject: ParitySubject? { get }
}

extension PictureDetector {
    var paritySubject: ParitySubject? { nil }
}

/// Runs a detector on frames and adds what it finds, in frame order.
///
///     process: frame --submit--> [held ...] --advance: completed, oldest first--> frame + result
///
/// With `every` above 1 the frames between carry the last result on, marked as carried.
final class DetectNode: Node, ReportingNode {
    private struct Held {
        let frame: Frame
        let isSubmitted: Bool
    }

    private let id: String
    private let detector: any PictureDetector
    private let every: Int
    private var held: [Held] = []
    private var count = 0
    private var last: FrameResult?

    init(_ id: String, _ detector: any PictureDetector, every: Int) {
        self.id = id
        self.detector = detector
        self.every = every
        held.reserveCapacity(detector.capacity * every)
    }

    /// The detector's parts, for a comparison with a reference.
    var paritySubject: ParitySubject? { detector.paritySubject }

    var maxHeld: Int { detector.capacity * every }

    func start(_ link: StageLink) throws { try detector.onCompletion { link.wake() } }

    func process(_ item: Item, to output: Output) throws -> Disposition {
        guard held.count < maxHeld else { return .busy }
        let frame = item.frame
        let isCarried = count % every != 0
        if isCarried, held.isEmpty {
            count += 1
            emit(frame, last, isCarried: true, to: output)
            return .done
        }
        if !isCarried, try !detector.submit(frame.picture) { return .busy }
        count += 1
        held.append(Held(frame: frame, isSubmitted: !isCarried))
        return .held
    }

    func advance(to output: Output) throws {
        while let oldest = held.first {
            if oldest.isSubmitted {
                guard let result = try detector.nextResult() else { return }
                // In the source's coordinates, so that frames carried to or scaled later agree.
                last = oldest.frame.map.isIdentity ? result : oldest.frame.map(result)
            }
            held.removeFirst()
            emit(oldest.frame, last, isCarried: !oldest.isSubmitted, to: output)
            output.finish(oldest.frame.ticket)
        }
    }

    func drain(to output: Output) throws -> Bool {
        try advance(to: output)
        return held.isEmpty
    }

    var notes: [String] { [detector.summary] }

    private func emit(_ frame: Frame, _ result: FrameResult?, isCarried: Bool, to output: Output) {
        guard let result else { return output.emit(frame) }
        output.emit(frame.adding(result, by: id, isCarried: isCarried))
    }
}
