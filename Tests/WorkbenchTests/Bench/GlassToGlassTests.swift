// SPDX-License-Identifier: Apache-2.0
import Dataflow
import Dispatch
import Media
import Overlay
import Synchronization
import Testing

@testable import Pipeline
@testable import Workbench

/// A camera on a clock of its own that sees each code at once.
private final class FakeCamera: SourceNode, InterruptibleSource, @unchecked Sendable {
    private let picture = TimeCodePicture(width: 160, height: 120)
    private let codes = Mutex<[TimeCode]>([])
    private let filmed = DispatchSemaphore(value: 0)
    /// Signalled when the picture is on its way: the next one is asked for.
    private let asked = DispatchSemaphore(value: 0)
    private var hasFilmed = false

    /// Films a code and waits until its picture has left.
    func film(_ code: TimeCode) throws {
        codes.withLock { $0.append(code) }
        filmed.signal()
        try asked.await()
    }

    func produce(to output: Output) throws -> Production {
        if hasFilmed { asked.signal() }
        hasFilmed = true
        filmed.wait()
        guard let code = codes.withLock({ $0.isEmpty ? nil : $0.removeFirst() }), let ticket = output.admit() else {
            return .ended
        }
        output.emit(
            Frame(
                ticket: ticket, picture: try picture.picture(of: code),
                pts: MediaTime(ticks: Int64(ticket.sequence), base: Rational(1, 10)),
                duration: MediaTime(ticks: 1, base: Rational(1, 10)),
                stream: StreamInfo(source: "camera", frameRate: Rational(10, 1), isLive: true)))
        return .more
    }

    func interrupt() { filmed.signal() }
}

/// The reader of codes, slow: it says what it reads, and is not through with the first one until told.
private final class SlowReader: Sendable {
    let seen = Mutex<[TimeCode?]>([])
    let begun = DispatchSemaphore(value: 0)
    let through = DispatchSemaphore(value: 0)

    func read(_ picture: Picture, _ takeTime: () -> Void) -> TimeCode? {
        let code = TimeCodeReader().read(picture)
        let isFirst = seen.withLock { seen in
            seen.append(code)
            return seen.count == 1
        }
        takeTime()
        begun.signal()
        if isFirst { through.wait() }
        return code
    }
}

extension DispatchSemaphore {
    /// Waits for a signal that comes unless something is wrong.
    fileprivate func await() throws { try #require(wait(timeout: .now() + 30) == .success) }
}

@Suite(.timeLimit(.minutes(15))) struct GlassToGlassTests {
    private final class Time: Sendable {
        let now = Atomic<UInt64>(5_000_000_000)
        func pass(milliseconds: UInt64) { now.wrappingAdd(milliseconds * 1_000_000, ordering: .sequentiallyConsistent) }
    }

    @Test func `a slow search for codes costs pictures, not latency`() throws {
        let (time, camera, reader) = (Time(), FakeCamera(), SlowReader())
        let bench = try GlassToGlass(
            camera, clock: .custom { time.now.load(ordering: .sequentiallyConsistent) }, overtaken: { 2 }
        ) { picture in reader.read(picture) { time.pass(milliseconds: 1000) } }
        var shown: [TimeCode] = []
        let outcome = try bench.run(seconds: 100, rate: 10) { code in
            shown.append(code)
            time.pass(milliseconds: 40)
            try camera.film(code)
            switch shown.count {
            case 1: try reader.begun.await()
            case 6:
                // Five more came while the first was searched.
                reader.through.signal()
                try reader.begun.await()
            case 7:
                try reader.begun.await()
                time.pass(milliseconds: 1_000_000)
            default: break
            }
            time.pass(milliseconds: 60)
        }
        #expect(reader.seen.withLock { $0 } == [shown[0], shown[5], shown[6]])
        #expect((outcome.shown, outcome.latency.count, outcome.unreadable) == (7, 3, 0))
        // Four on the edge, and two that the source tells of.
        #expect(outcome.skipped == 6)
        #expect(outcome.report.isBalanced && outcome.report.source("camera")?.dropped == 4)
        // The searches, a second each, do not count.
        #expect(outcome.latency.max == 40_000_000 && outcome.fromCapture.max == 0)
    }
}
