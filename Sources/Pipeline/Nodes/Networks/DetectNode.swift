// SPDX-License-Identifier: Apache-2.0
package import Annotations
internal import Dataflow
internal import Media
internal import PipelineLanguage
internal import Synchronization
package import Vision

/// A network as a node runs it.
struct NodeNetwork {
    /// Makes results in the picture's pixels.
    let network: any PictureNetwork<any AnnotationList>
    /// For the report: weights, size, precision.
    let summary: String
    /// The file that the network, or its weights, come from.
    let file: String
}

/// A node whose network can be examined stage by stage, as a comparison with a reference does.
package protocol InspectableNode: AnyObject {
    /// The parts of the network in force at the start; nil where several networks work together.
    var stages: PictureStages<any AnnotationList>? { get }
}

/// Runs a network on frames and adds what it finds, in frame order.
///
///     process: frame --submit--> [held ...] --advance: completed, oldest first--> frame + result
///
/// A failed inference costs its frame; ``InferenceFailures`` says when the node gives up.
/// With `every` above 1 the frames between carry the last result on with the picture's motion, marked as carried. The
/// rungs of the ladder and a reload may name other settings (size, variant, precision): their networks are built beside the
/// one in force, and the frames under way in the old one are finished in order.
final class DetectNode: Node, ReportingNode, AdjustableNode, InspectableNode, ModelFileNode, CountingNode {
    private struct Held {
        enum Work {
            /// A network is at work on it.
            case inference(Network)
            /// It carries the last result on.
            case carry
            /// Its inference could not be started.
            case failed
        }

        let frame: Frame
        let work: Work
        /// The node's setting when the frame came.
        let every: Int
    }

    /// How often a network was used, for the report; outlives it.
    private final class Usage: @unchecked Sendable {
        // Invariant of @unchecked Sendable: `frames` is counted on the node's queue and read after the run.
        let summary: String
        var frames = 0
        init(summary: String) { self.summary = summary }
    }

    /// A network, shared by all settings that ask for it; it goes when none in force or under way does any more.
    private final class Network: @unchecked Sendable {
        // Invariant of @unchecked Sendable: the network is handed to the node's queue when it is complete.
        let network: any PictureNetwork<any AnnotationList>
        let file: String
        /// The settings that made it, but for `every`.
        let key: String
        let usage: Usage

        /// Takes over a network whose completions wake the node.
        init(_ made: NodeNetwork, key: String, wakeUp: WakeUp) throws {
            network = made.network
            file = made.file
            self.key = key
            usage = Usage(summary: made.summary)
            try network.onCompletion { wakeUp.link?.wake() }
        }
    }

    private struct Known {
        weak var network: Network?
    }

    private struct Mode {
        var network: Network
        var every: Int
    }

    /// How the engine wakes the stage: networks are built before the stage has its link, and after.
    private final class WakeUp: @unchecked Sendable {
        // Invariant of @unchecked Sendable: set once, before the first inference begins.
        var link: StageLink?
    }

    /// Frames that wait behind an inference at most, each with its picture.
    private static let mostHeld = 16

    private let id: String
    /// Names of the parameters that decide which network is wanted.
    private let keyParameters: [String]
    private let build: (Settings) throws -> NodeNetwork
    /// Those built so far; touched by `prepare` alone.
    private var known: [Known]
    private let usages: Mutex<[Usage]>
    private let wakeUp = WakeUp()
    private var mode: Mode
    private let changes = Mailbox<Mode>()
    let maxHeld: Int
    private var held: [Held] = []
    private var sinceInference = 0
    /// In the source's coordinates.
    private var last: (any AnnotationList)?
    /// The frame where `last` has its places, and the time of the one it was found in.
    private var lastNumber: UInt64 = 0
    private var foundAt = 0.0
    private let carrier = MotionCarrier()
    private var failures: InferenceFailures
    let results = ResultCounter()

    /// Makes a node of the networks that `build` makes for its settings, now and while it runs.
    static func make(
        _ node: ValidatedNode, in context: BuildContext, _ build: @escaping (Settings) throws -> NodeNetwork
    ) throws -> BuiltNode {
        let ladder = context.pipeline.ladder
        let most = (0..<ladder.rungCount).map { ladder.settings(of: node, on: $0)[NetworkParams.every] }.max() ?? 1
        return .node(try DetectNode(node, mostEvery: most, events: context.events, build))
    }

    /// - Parameters:
    ///   - mostEvery: the largest `every` that is expected, for which room is made.
    ///   - events: where failed inferences are reported.
    ///   - build: called once for each network that some settings ask for, by one caller at a time.
    init(
        _ node: ValidatedNode, mostEvery: Int, events: EventBox,
        _ build: @escaping (Settings) throws -> NodeNetwork
    ) throws {
        let settings = node.settings
        id = node.id
        keyParameters = node.contract.parameters.filter(\.rebuildsNetwork).map(\.name)
        self.build = build
        failures = InferenceFailures(of: node.id, events)
        let first = try Network(build(settings), key: Self.key(settings, keyParameters), wakeUp: wakeUp)
        known = [Known(network: first)]
        usages = Mutex([first.usage])
        mode = Mode(network: first, every: settings[NetworkParams.every])
        let capacity = first.network.capacity
        maxHeld = max(capacity, min(capacity * mostEvery, Self.mostHeld))
        held.reserveCapacity(maxHeld)
    }

    package var modelFiles: [String] { [mode.network.file] }

    package var stages: PictureStages<any AnnotationList>? { mode.network.network.stages }

    private static func key(_ settings: Settings, _ names: [String]) -> String {
        names.map { settings.value(named: $0)?.text ?? "" }.joined(separator: "|")
    }

    func start(_ link: StageLink) { wakeUp.link = link }

    /// Builds the network that `settings` ask for, unless there is one.
    func prepare(_ settings: Settings) throws -> PreparedChange {
        let mode = Mode(network: try network(for: settings), every: settings[NetworkParams.every])
        return changes.change(to: mode)
    }

    private func network(for settings: Settings) throws -> Network {
        let key = Self.key(settings, keyParameters)
        known.removeAll { $0.network == nil }
        if let network = known.lazy.compactMap(\.network).first(where: { $0.key == key }) { return network }
        let network = try Network(build(settings), key: key, wakeUp: wakeUp)
        usages.withLock { $0.append(network.usage) }
        known.append(Known(network: network))
        return network
    }

    func process(_ item: Item, to output: Output) throws -> Disposition {
        if let new = changes.take(for: item.ticket) { mode = new }
        guard held.count < maxHeld else { return .busy }
        let frame = item.frame
        let isCarried = sinceInference > 0 && sinceInference < mode.every
        if isCarried, held.isEmpty {
            sinceInference += 1
            emit(frame, isCarried: true, every: mode.every, to: output)
            return .done
        }
        var work = Held.Work.carry
        if !isCarried {
            do {
                guard try mode.network.network.submit(frame.picture) else { return .busy }
                mode.network.usage.frames += 1
                work = .inference(mode.network)
            } catch {
                try failures.note(error)
                work = .failed
            }
            sinceInference = 0
        }
        sinceInference += 1
        if case .failed = work, held.isEmpty {
            output.drop(frame.ticket, cause: .failed)
            return .done
        }
        held.append(Held(frame: frame, work: work, every: mode.every))
        return .held
    }

    func advance(to output: Output) throws {
        while let oldest = held.first {
            switch oldest.work {
            case .inference(let network):
                do {
                    guard let result = try network.network.nextCompleted() else { return }
                    // In the source's coordinates, so that frames carried to or scaled later agree.
                    let map = oldest.frame.map
                    last = map.isIdentity ? result : result.mapped(by: map)
                    failures.noteSuccess()
                    emit(oldest.frame, isCarried: false, every: oldest.every, to: output)
                    output.finish(oldest.frame.ticket)
                } catch {
                    output.drop(oldest.frame.ticket, cause: .failed)
                    try failures.note(error)
                }
            case .carry:
                emit(oldest.frame, isCarried: true, every: oldest.every, to: output)
                output.finish(oldest.frame.ticket)
            case .failed:
                output.drop(oldest.frame.ticket, cause: .failed)
            }
            held.removeFirst()
        }
    }

    func drain(to output: Output) throws -> Bool {
        try advance(to: output)
        return held.isEmpty
    }

    var notes: [String] {
        let usages = usages.withLock { $0 }
        let networks =
            usages.count == 1 ? usages.map(\.summary) : usages.map { "\($0.summary): \($0.frames) frames" }
        return networks + [failures.summary].compactMap { $0 }
    }

    private func emit(_ frame: Frame, isCarried: Bool, every: Int, to output: Output) {
        let seconds = frame.pts.seconds
        if !isCarried {
            foundAt = seconds
            if let last { results.note(last) }
        }
        follow(frame, isCarried: isCarried, every: every)
        guard let last else { return output.emit(frame) }
        output.emit(frame.adding(last, by: id, age: isCarried ? max(0, seconds - foundAt) : nil))
    }

    /// Moves the last result on to a frame that no network looks at.
    private func follow(_ frame: Frame, isCarried: Bool, every: Int) {
        guard every > 1 || isCarried else { return carrier.reset() }
        let number = frame.ticket.sequence
        carrier.append(frame.picture, number: number)
        if isCarried, let result = last {
            last = carrier.carry(result.mapped(by: frame.map.inverse), from: lastNumber).mapped(by: frame.map)
        }
        lastNumber = number
    }
}
