// SPDX-License-Identifier: Apache-2.0
internal import Camera
public import Dataflow
internal import Foundation
internal import Media
public import Overlay
public import Pipeline
internal import PipelineLanguage
internal import Synchronization

/// Measures the time from a screen through a camera and a pipeline's edge to the program, by a filmed time code.
///
///     now --> time code --> screen, or v4l2loopback ~~ light ~~> newest picture --latest--> reader: now - time code
///
/// What it says includes the screen's own delay, the exposure and the driver, but not the time it takes to find a code in
/// a picture: pictures that come meanwhile are left out, down to the newest, in the driver's queue as on the edge. A code
/// counts when it is first seen, so that a camera faster than the screen does not make the figure worse.
/// - Note: Thread-safety: confined.
public final class GlassToGlass {
    /// What was measured.
    public struct Outcome: Sendable {
        /// From showing a code to having its picture, in nanoseconds.
        public var latency: LatencySummary
        /// From the kernel's instant of capture to having it, of the same pictures.
        public var fromCapture: LatencySummary
        /// Codes shown.
        public var shown: UInt64
        /// Frames with a code seen before.
        public var repeated: UInt64
        /// Frames in which no code could be read.
        public var unreadable: UInt64
        /// Pictures left out because a newer one was there.
        public var skipped: UInt64
        /// The run's own book: frames in, delivered, dropped.
        public var report: RunReport
    }

    /// Reads codes from frames.
    private final class Reader: Node {
        let latency = LatencyHistogram()
        let fromCapture = LatencyHistogram()
        let repeated = Atomic<UInt64>(0)
        let unreadable = Atomic<UInt64>(0)
        private let read: (Picture) -> TimeCode?
        private var last: TimeCode?

        init(_ read: @escaping (Picture) -> TimeCode?) { self.read = read }

        func process(_ item: Item, to output: Output) -> Disposition {
            // Before the search, which takes its time.
            let now = output.now
            guard item.frame.stream.hasSignal, let code = read(item.frame.picture) else {
                unreadable.wrappingAdd(1, ordering: .relaxed)
                return .done
            }
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
    private let clock: MonotonicClock
    private let camera: any SourceNode & InterruptibleSource
    private let reader: Reader
    /// Pictures that the source left out, once it is over.
    private let overtaken: () -> Int

    /// Opens the camera that `settings` describe, as the parameters of a `camera` node.
    ///
    /// - Throws: `PipelineFileError` for settings that no camera has, else a sentence naming the device.
    public convenience init(camera settings: [(name: String, value: String)], registry: NodeRegistry) throws {
        let text = #"{"nodes":{"camera":{"type":"camera","onLost":"gap"},"end":{"type":"null","input":"camera"}}}"#
        let pipeline = try PipelineFile(name: "g2g", text: text).validated(
            against: registry.contracts, overrides: settings.map { "camera.\($0.name)=\($0.value)" })
        guard let node = pipeline["camera"] else { preconditionFailure("the text has a camera") }
        var settings = CameraNode.cameraSettings(node.settings)
        settings.takesNewest = true
        let camera = Camera(settings)
        try camera.connect()
        let source = CameraNode(
            camera, source: node.id, gate: nil, events: EventBox(now: { MonotonicClock.system.now() }),
            isBlanked: false)
        try self.init(source, overtaken: { camera.statistics.overtaken }, read: TimeCodeReader().read)
    }

    /// Reads codes from the pictures of `camera`.
    init(
        _ camera: any SourceNode & InterruptibleSource, clock: MonotonicClock = .system,
        overtaken: @escaping () -> Int = { 0 }, read: @escaping (Picture) -> TimeCode?
    ) throws {
        self.camera = camera
        self.clock = clock
        self.overtaken = overtaken
        reader = Reader(read)
        var builder = GraphBuilder(name: "g2g", clock: clock)
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
        let begin = clock.now()
        var next = begin
        var shown: UInt64 = 0
        while true {
            let now = clock.now()
            guard Double(now - begin) < seconds * 1e9, graph.snapshot().state == .running else { break }
            if now < next {
                usleep(UInt32(truncatingIfNeeded: min(next - now, 50_000_000) / 1000 + 1))
                continue
            }
            next = max(next &+ interval, now)
            try show(TimeCode(nanoseconds: clock.now()))
            shown += 1
        }
        camera.interrupt()
        graph.stop()
        let report = graph.waitUntilFinished()
        return Outcome(
            latency: reader.latency.summary, fromCapture: reader.fromCapture.summary, shown: shown,
            repeated: reader.repeated.load(ordering: .relaxed), unreadable: reader.unreadable.load(ordering: .relaxed),
            skipped: report.edges.reduce(UInt64(overtaken())) { $0 + $1.dropped }, report: report)
    }
}
