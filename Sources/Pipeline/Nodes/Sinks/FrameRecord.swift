// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Basics
internal import Media

/// A frame's identity and annotations as one JSON object, the format of `jsonl`.
enum FrameRecord {
    /// Appends the object of `frame`; true when something was found in it.
    ///
    /// - Parameters:
    ///   - taken: its instant of capture, for frames that come by themselves.
    ///   - shared: the kinds of result that several nodes find, and that are kept apart by node.
    static func write(
        _ frame: Frame, taken: WallTime? = nil, shared: Set<String> = [], to record: inout JSONWriter
    ) -> Bool {
        record.beginObject()
        record.field("source", frame.stream.source)
        record.key("frame")
        record.value(frame.ticket.sequence)
        record.field("pts", frame.pts.seconds, decimals: 6)
        if let file = frame.file { record.field("file", file) }
        if let taken {
            record.key("time")
            record.value(taken)
        }
        if !frame.stream.hasSignal { record.field("signal", false) }
        let isFound = frame.annotations.write(to: &record, shared: shared)
        record.endObject()
        return isFound
    }
}

extension JSONWriter {
    /// Writes an instant as RFC 3339, without allocating.
    mutating func value(_ time: WallTime) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { buffer in
            time.write(to: buffer)
            plainText(UnsafeRawBufferPointer(buffer))
        }
    }
}
