// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
package import Media
package import Vision

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
    /// Its parts, to be examined one by one; nil where several networks work together.
    var stages: PictureStages<FrameResult>? { get }
}

/// A node whose network can be examined stage by stage, as a comparison with a reference does.
package protocol InspectableNode: AnyObject {
    /// The parts of the network in force at the start; nil where several networks work together.
    var stages: PictureStages<FrameResult>? { get }
}

/// Runs a detector on frames and adds what it finds, in frame order.
///
///     process: frame --submit--> [held ...] --advance: completed, oldest first--> frame + result
///
/// With `every` above 1 the frames between carry the last result on with the picture's motion, marked as carried. The
/// rungs of the ladder may name other settings (size, variant, precision): their detectors are ready from the start, and
/// the frames under way in the old one are finished in order.
final class DetectNode: Node, ReportingNode, AdjustableNode, InspectableNode {
    private struct Held {
        let frame: Frame
        /// Which detector works on it; nil for a frame that carries the last result on.
        let detector: Int?
    }

    private struct Choice {
        let detector: any PictureDetector
        /// The settings that made it, but for `every`.
        let key: String
        var frames = 0
    }

    private struct Mode {
        var choice: Int
        var every: Int
    }

    /// Frames that wait behind an inference at most, each with its picture.
    private static let mostHeld = 16

    private let id: String
    private var choices: [Choice]
    private var mode: Mode
    private let changes = Mailbox<Mode>()
    private let keys: [String]
    let maxHeld: Int
    private var held: [Held] = []
    private var sinceInference = 0
    /// In the source's coordinates.
    private var last: FrameResult?
    /// The frame where `last` has its places, and the time of the one it was found in.
    private var lastNumber: UInt64 = 0
    private var foundAt = 0.0
    private let carrier = MotionCarrier()

    /// Makes a node of the detectors that `make` builds for the settings of the pipeline and of its rungs.
    static func make(
        _ node: ValidatedNode, in context: BuildContext, _ make: (Settings) throws -> any PictureDetector
    ) throws -> BuiltNode {
        var choices: [Choice] = []
        var most = 1
        for rung in 0..<context.pipeline.ladder.rungCount {
            let settings = context.pipeline.ladder.settings(of: node, on: rung)
            most = max(most, settings[NetworkParams.every])
            let key = key(settings)
            if !choices.contains(where: { $0.key == key }) {
                choices.append(Choice(detector: try make(settings), key: key))
            }
        }
        return .node(DetectNode(node.id, choices, every: node.settings[NetworkParams.every], most: most))
    }

    private init(_ id: String, _ choices: [Choice], every: Int, most: Int) {
        self.id = id
        self.choices = choices
        keys = choices.map(\.key)
        mode = Mode(choice: 0, every: every)
        let capacity = choices.map(\.detector.capacity).max() ?? 1
        maxHeld = max(capacity, min(capacity * most, Self.mostHeld))
        held.reserveCapacity(maxHeld)
    }

    package var stages: PictureStages<FrameResult>? { choices.first?.detector.stages }

    private static func key(_ settings: Settings) -> String {
        let names = ["variant", "weights", "size", "downscale", "precision", "pyramid"]
        return names.map { settings.value(named: $0)?.text ?? "" }.joined(separator: "|")
    }

    func start(_ link: StageLink) throws {
        for choice in choices { try choice.detector.onCompletion { link.wake() } }
    }

    func adjust(to settings: Settings) throws {
        guard let choice = keys.firstIndex(of: Self.key(settings)) else {
            throw OutputError("its network would have to be built anew: name it in the ladder, or restart")
        }
        changes.post(Mode(choice: choice, every: settings[NetworkParams.every]))
    }

    func process(_ item: Item, to output: Output) throws -> Disposition {
        if let new = changes.take() { mode = new }
        guard held.count < maxHeld else { return .busy }
        let frame = item.frame
        let isCarried = sinceInference > 0 && sinceInference < mode.every
        if isCarried, held.isEmpty {
            sinceInference += 1
            emit(frame, isCarried: true, to: output)
            return .done
        }
        if !isCarried {
            guard try choices[mode.choice].detector.submit(frame.picture) else { return .busy }
            choices[mode.choice].frames += 1
            sinceInference = 0
        }
        sinceInference += 1
        held.append(Held(frame: frame, detector: isCarried ? nil : mode.choice))
        return .held
    }

    func advance(to output: Output) throws {
        while let oldest = held.first {
            if let detector = oldest.detector {
                guard let result = try choices[detector].detector.nextResult() else { return }
                // In the source's coordinates, so that frames carried to or scaled later agree.
                last = oldest.frame.map.isIdentity ? result : oldest.frame.map(result)
            }
            held.removeFirst()
            emit(oldest.frame, isCarried: oldest.detector == nil, to: output)
            output.finish(oldest.frame.ticket)
        }
    }

    func drain(to output: Output) throws -> Bool {
        try advance(to: output)
        return held.isEmpty
    }

    var notes: [String] {
        guard choices.count > 1 else { return choices.map(\.detector.summary) }
        return choices.map { "\($0.detector.summary): \($0.frames) frames" }
    }

    private func emit(_ frame: Frame, isCarried: Bool, to output: Output) {
        let seconds = frame.pts.seconds
        if !isCarried { foundAt = seconds }
        follow(frame, isCarried: isCarried)
        guard let last else { return output.emit(frame) }
        output.emit(frame.adding(last, by: id, age: isCarried ? max(0, seconds - foundAt) : nil))
    }

    /// Moves the last result on to a frame that no network looks at.
    private func follow(_ frame: Frame, isCarried: Bool) {
        guard mode.every > 1 || isCarried else { return carrier.reset() }
        let number = frame.ticket.sequence
        carrier.append(frame.picture, number: number)
        if isCarried, let result = last {
            last = frame.map(carrier.carry(frame.map.inverse(result), from: lastNumber))
        }
        lastNumber = number
    }
}
