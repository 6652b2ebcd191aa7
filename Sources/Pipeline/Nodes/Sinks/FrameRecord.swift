// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Media

/// A frame's identity and annotations as one JSON object, the format of `jsonl`.
enum FrameRecord {
    /// Appends the object of `frame`; true when something was found in it.
    static func write(_ frame: Frame, to record: inout JSONWriter) -> Bool {
        record.beginObject()
        record.field("source", frame.stream.source)
        record.key("frame")
        record.value(frame.ticket.sequence)
        record.field("pts", frame.pts.seconds, decimals: 6)
        if !frame.stream.hasSignal { record.field("signal", false) }
        let isFound = frame.annotations.write(to: &record)
        record.endObject()
        return isFound
    }
}
