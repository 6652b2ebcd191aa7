// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Basics

/// How an event is written for those who read it.
enum EventFormat: String, CaseIterable, Sendable {
    case vpipe, frigate, deepstream

    /// What each is, for the reference.
    static let docs = [
        "vpipe": "as in `jsonl`", "frigate": "as Frigate's topic events", "deepstream": "its minimal schema",
    ]

    /// The text of a message.
    func message(_ event: Event) -> [UInt8] {
        var record = JSONWriter()
        record.beginObject()
        switch self {
        case .vpipe: event.write(to: &record)
        case .frigate: Self.writeFrigate(event, &record)
        case .deepstream: Self.writeDeepStream(event, &record)
        }
        record.endObject()
        return record.withBytes { Array($0) }
    }

    /// As Frigate's topic `events` has it; `before` is what `after` is, for nobody here keeps the last message.
    private static func writeFrigate(_ event: Event, _ record: inout JSONWriter) {
        record.field("type", event.phase.rawValue)
        for key in ["before", "after"] {
            record.key(key)
            record.beginObject()
            record.field("id", event.id)
            record.field("camera", event.source)
            record.field("frame_time", event.now.wall.seconds, decimals: 6)
            record.field("label", event.subjects.first?.name ?? event.rule)
            record.field("sub_label", event.rule)
            record.field("top_score", Double(event.subjects.first?.score ?? 0), decimals: 4)
            record.field("score", Double(event.subjects.first?.score ?? 0), decimals: 4)
            record.field("false_positive", false)
            record.field("start_time", event.start.wall.seconds, decimals: 6)
            record.key("end_time")
            if let end = event.end { record.value(end.wall.seconds, decimals: 6) } else { record.null() }
            record.key("box")
            record.beginArray()
            if let box = event.subjects.first?.box {
                for value in [box.x, box.y, box.x + box.width, box.y + box.height] {
                    record.value(Int(value.rounded()))
                }
            }
            record.endArray()
            record.field("area", Int((event.subjects.first?.box?.area ?? 0).rounded()))
            for zones in ["current_zones", "entered_zones"] {
                record.key(zones)
                record.beginArray()
                if let zone = event.zone { record.value(zone) }
                record.endArray()
            }
            record.field("has_snapshot", event.isBest)
            record.field("has_clip", false)
            record.endObject()
        }
    }

    /// The minimal schema of DeepStream's message converter, with objects as objects.
    private static func writeDeepStream(_ event: Event, _ record: inout JSONWriter) {
        record.field("messageid", "\(event.id)-\(event.phase.rawValue)")
        record.field("mdsversion", "1.0")
        record.field("@timestamp", event.now.wall.rfc3339)
        record.field("sensorId", event.source)
        record.key("objects")
        record.beginArray()
        for subject in event.subjects {
            record.beginObject()
            record.field("id", subject.track.map { String($0) } ?? "")
            record.field("type", subject.name)
            record.field("confidence", Double(subject.score), decimals: 4)
            if let box = subject.box {
                record.key("bbox")
                record.beginObject()
                record.field("topleftx", Double(box.x), decimals: 2)
                record.field("toplefty", Double(box.y), decimals: 2)
                record.field("bottomrightx", Double(box.x + box.width), decimals: 2)
                record.field("bottomrighty", Double(box.y + box.height), decimals: 2)
                record.endObject()
            }
            record.endObject()
        }
        record.endArray()
    }
}
