// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Dataflow
@testable import Pipeline

@Suite struct FrameStoryTests {
    /// A camera whose frames 1 and 2 wait while the network works on frame 0; 1 is replaced by 2.
    private let trace = GraphTrace(
        graph: "door",
        nodes: [
            .init(name: "camera", isSource: true, isSink: false), .init(name: "faces", isSource: false, isSink: false),
            .init(name: "out", isSource: false, isSink: true),
        ],
        edges: [.init(name: "camera -> faces", to: 1, capacity: 1), .init(name: "faces -> out", to: 2, capacity: 2)],
        sources: ["camera"],
        events: [
            event(.processed, 1_000, 0, 0, duration: 1), event(.processed, 1_001, 0, 1, duration: 90),
            event(.processed, 1_033, 1, 0, duration: 1), event(.processed, 1_066, 2, 0, duration: 1),
            event(.dropped, 1_067, 1, 3, cause: .replaced), event(.processed, 1_092, 0, 2, wait: 1, duration: 2),
            event(.processed, 1_092, 2, 1, wait: 25, duration: 20), event(.delivered, 1_094, 0, 2),
            event(.processed, 1_112, 2, 2, duration: 2), event(.delivered, 1_114, 2, 2),
        ],
        wallOffset: 50_400_000_000_000)

    /// Times in milliseconds.
    private static func event(
        _ kind: TraceEvent.Kind, _ at: UInt64, _ frame: UInt64, _ place: Int, wait: UInt64 = 0, duration: UInt64 = 0,
        cause: DropCause? = nil
    ) -> TraceEvent {
        TraceEvent(
            kind: kind, at: at * 1_000_000, source: 0, sequence: frame, place: place, wait: wait * 1_000_000,
            duration: duration * 1_000_000, cause: cause)
    }

    @Test func `a dropped frame is told with what was in its way`() throws {
        let story = try #require(FrameStory(of: trace, frame: 1, source: "camera"))
        #expect(story.fate == .dropped(at: "camera -> faces", cause: .replaced))
        #expect(
            story.lines == [
                "camera frame 1, at 14:00:01.033 UTC, dropped at camera -> faces (replaced)",
                "  +0.0 ms  `camera` took 1.0 ms",
                "  +34.0 ms  dropped at camera -> faces: replaced, a newer one took its place; it was busy with frame 0 "
                    + "(90.0 ms)",
                "in the second around it: 3 came, 2 delivered, 1 dropped at camera -> faces (replaced)",
                "what helps: a cheaper `faces` (size, every), or a ladder that makes it so when it is needed",
            ])
    }

    @Test func `a delivered frame is told with its waits`() throws {
        let story = try #require(FrameStory(of: trace, frame: 2, source: "camera"))
        #expect(story.fate == .delivered)
        #expect(
            story.lines.contains("  +1.0 ms  queued before `faces` for 25.0 ms; it was busy with frame 0 (90.0 ms)"))
        #expect(story.lines.contains("most of its time: 25.0 ms waiting for `faces`"))
        #expect(story.lines.contains("  +48.0 ms  `out` has it: delivered"))
    }

    @Test func `a frame that is not there has no story`() {
        #expect(FrameStory(of: trace, frame: 9, source: "camera") == nil)
        #expect(FrameStory(of: trace, frame: 1, source: "nobody") == nil)
    }
}
