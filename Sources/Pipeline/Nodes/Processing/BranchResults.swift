// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Dataflow
internal import Media
internal import PipelineLanguage
internal import Vision

/// What the branches of a join found, brought to the frame at hand.
///
///     a branch's item is    of this frame       its results as they are
///                           of an earlier one   moved from there to here      marked as carried, with their age
///                           missing             the last ones, moved on       marked as carried, with their age
///
/// Confined to the queue of its node.
final class BranchResults {
    /// Which results go with a frame; the words of the pipeline file.
    enum Choice: String, CaseIterable, Sendable { case wait, newest }

    static let choice = Param.choice(
        "results", default: Choice.wait,
        docs: [
            "wait": "a frame waits for its own; where a branch skipped it, the last ones are carried on by the motion",
            "newest": "a frame waits for nothing and takes the newest there are, carried on by the motion",
        ], doc: "Which results go with a frame")
    static let maxAge = Param.duration(
        "maxAge", default: .seconds(3), seconds: 0...3600,
        doc: "Results found longer ago are left out; 0 leaves out all but the frame's own")

    /// What a node found last.
    private struct Known {
        let node: String
        /// The input it came by.
        let port: Int
        /// Results that were too old when they came.
        var late = 0
        /// In the source's coordinates, where things are in frame `number`.
        var list: any AnnotationList
        var number: UInt64
        /// Presentation time of the frame it was found in, in seconds.
        var foundAt: Double
        /// Whether it goes with frames.
        var isOfUse = true
    }

    /// How many pictures back a result may come from and still be moved from its own.
    private static let memory = 64

    let choice: Choice
    private let maxAge: Double
    /// By input, and in the order of their first appearance: the order does not change when results come and go.
    private var known: [Known] = []
    private let carrier = MotionCarrier(memory: memory)
    /// The frame before, kept where it may turn out that results must be moved on from it.
    private var last: Frame?

    init(_ settings: Settings) {
        choice = settings[Self.choice]
        maxAge = settings[Self.maxAge].inSeconds
    }

    var matching: JoinMatching { choice == .wait ? .sameFrame : .newest }

    /// The primary frame with the results of all branches.
    func completed(_ items: JoinedItems) -> Frame {
        let frame = items.primary.frame
        guard items.count > 1 else { return frame }
        guard frame.stream.hasSignal else {
            for index in known.indices { known[index].isOfUse = false }
            carrier.reset()
            last = nil
            return frame
        }
        let number = frame.ticket.sequence
        let seconds = frame.pts.seconds
        for port in 1..<items.count {
            if let item = items[port] { note(item.frame, by: port, at: seconds, besides: frame.annotations) }
        }
        for index in known.indices where !isFresh(known[index].foundAt, at: seconds) { known[index].isOfUse = false }
        see(frame)
        var annotations = frame.annotations
        for index in known.indices where known[index].isOfUse && frame.annotations[known[index].node] == nil {
            if known[index].number != number {
                let inPicture = known[index].list.mapped(by: frame.map.inverse)
                known[index].list = carrier.carry(inPicture, from: known[index].number).mapped(by: frame.map)
                known[index].number = number
            }
            let age = seconds - known[index].foundAt
            annotations = annotations.adding(known[index].list, by: known[index].node, age: age > 0 ? age : nil)
        }
        return frame.replacing(annotations: annotations)
    }

    /// Shows the carrier the frame; where every branch answers for every frame, which is usual, there is no need to.
    private func see(_ frame: Frame) {
        let number = frame.ticket.sequence
        if choice == .newest || known.contains(where: { $0.isOfUse && $0.number != number }) {
            if let last, carrier.newest.map({ $0 < last.ticket.sequence }) ?? true {
                carrier.append(last.picture, number: last.ticket.sequence)
            }
            carrier.append(frame.picture, number: number)
            last = nil
        } else {
            last = frame
        }
    }

    /// Takes what a branch found, unless the primary frame, of time `seconds`, says it itself.
    private func note(_ frame: Frame, by port: Int, at seconds: Double, besides own: FrameAnnotations) {
        frame.annotations.forEach { entry in
            guard own[entry.node] == nil else { return }
            var new = Known(
                node: entry.node, port: port, list: entry.list, number: frame.ticket.sequence,
                foundAt: frame.pts.seconds - (entry.age ?? 0))
            // An older result that is carried on was counted when it was new.
            let isLate = entry.age == nil && !isFresh(new.foundAt, at: seconds)
            if let index = known.firstIndex(where: { $0.node == entry.node }) {
                new.late = known[index].late + (isLate ? 1 : 0)
                known[index] = new
            } else {
                new.late = isLate ? 1 : 0
                known.insert(new, at: known.firstIndex { $0.port > port } ?? known.count)
            }
        }
    }

    private func isFresh(_ foundAt: Double, at seconds: Double) -> Bool {
        foundAt <= seconds && seconds - foundAt <= maxAge
    }

    /// What the user should know.
    var notes: [String] {
        known.filter { $0.late > 0 }.map {
            "\($0.late) results of \($0.node) were older than maxAge when they came, and left out"
        }
    }
}
