// SPDX-License-Identifier: Apache-2.0
public import Dataflow
internal import Foundation
public import Media
internal import Synchronization

/// Measures the time from a screen through a camera and a pipeline's edge to the program, by a filmed time code.
///
///     now --> time code --> screen, or v4l2loopback ~~ light ~~> camera node --latest--> reader: now - time code
///
/// What it says includes the screen's own delay, the exposure, the driver and the read; a code counts when it is first
/// seen, so that a camera faster than the screen does not make the figure worse.
/// - Note: Thread-safety: confined.
public final class GlassToGlass {
    /// What was measured.
    public struct Outcome: Sendable {
        /// From showing a code to having read it, in nanoseconds.
        public var latency: LatencySummary
        /// From the kernel's instant of capture to having read it, of the same frames.
        public var fromCapture: LatencySummary
        /// Codes shown.
        public var shown: UInt64
        /// Frames with a code seen before.
        public var repeated: UInt64
        /// Frames in which no code could be read.
        public var unreadable: UInt64
        /// The run's own book: frames in, delivered, dropped.
        public var report: RunReport
    }

    /// Reads codes from frames.
    private final class Reader: Node {
        let latency = LatencyHistogram()
        let fromCapture = LatencyHistogram()
        let repeated = Atomic<UInt64>(0)
        let unreadable = Atomic<UInt64>(0)
        private let reader = TimeCodeReader()
        private var last: TimeCode?

        func process(_ item: Item, to output: Output) -> Disposition {
            guard item.frame.stream.hasSignal, let code = reader.read(item.frame.picture) else {
                unreadable.wrappingAdd(1, ordering: .relaxed)
                return .done
            }
            let now = output.now
            guard code != last else {
                repeated.wrappingAdd(1, ordering: .relaxed)
                return .done
            }
            last = code
            latency.record(nanoseconds: UInt64(max(0, code.age(at: now))))
            fromCapture.record(nanoseconds: now > item.ticket.capturedAt ? now &- item.ticket.capturedAt : 0)
            return .done
        }
    }

    private let graph: Graph
    private let camera: any SourceNode & InterruptibleSource
    private let reader: Reader
    private let shown = Atomic<UInt64>(0)

    /// Opens the camera that `settings` describe, as the parameters of a `camera` node.
    ///
    /// - Throws: `PipelineFileError` for settings that no camera has, else a sentence naming the device.
    public init(camera settings: [(name: String, value: String)]) throws {
        let text = #"{"nodes":{"camera":{"type":"camera","onLost":"gap"},"end":{"type":"null","input":"camera"}}}"#
        let pipeline = try PipelineFile(name: "g2g", text: text).validated(
            against: BuiltInNodes.registry.contracts, overrides: settings.map { "camera.\($0.name)=\($0.value)" })
        guard let node = pipeline["camera"] else { preconditionFailure("the text has a camera") }
        let context = BuildContext(pipeline: pipeline, options: .init())
        guard case .source(let source) = try CameraNode.make(node, in: context),
            let camera = source as? any SourceNode & InterruptibleSource
        else { preconditionFailure("a camera is a source") }
        self.camera = camera
        reader = Reader()
        var builder = GraphBuilder(name: "g2g")
        let from = builder.addSource("camera", camera)
        builder.connect(from, to: builder.addNode("reader", reader), policy: .latest)
        graph = try builder.build()
    }

    /// Shows codes and reads them for a time.
    ///
    /// - Parameters:
    ///   - seconds: how long.
    ///   - rate: codes a second.
    ///   - show: puts a code on the screen; called on this thread, which it may hold up.
    public func run(seconds: Double, rate: Double, show: (TimeCode) throws -> Void) throws -> Outcome {
        try graph.start()
        defer {
            camera.interrupt()
            graph.stop()
        }
        let interval = UInt64(1e9 / max(rate, 0.1))
        let begin = MonotonicClock.system.now()
        var next = begin
        while true {
            let now = MonotonicClock.system.now()
            guard Double(now - begin) < seconds * 1e9, graph.snapshot().state == .running else { break }
            if now < next {
                usleep(UInt32(truncatingIfNeeded: min(next - now, 50_000_000) / 1000 + 1))
                continue
            }
            next = max(next &+ interval, now)
            try show(TimeCode(nanoseconds: MonotonicClock.system.now()))
            shown.wrappingAdd(1, ordering: .relaxed)
        }
        camera.interrupt()
        graph.stop()
        let report = graph.waitUntilFinished()
        return Outcome(
            latency: reader.latency.summary, fromCapture: reader.fromCapture.summary,
            shown: shown.load(ordering: .relaxed), repeated: reader.repeated.load(ordering: .relaxed),
            unreadable: reader.unreadable.load(ordering: .relaxed), report: report)
    }
}
