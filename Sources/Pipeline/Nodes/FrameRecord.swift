// SPDX-License-Identifier: Apache-2.0
internal import Media

/// A frame's identity and results as one JSON object, the format of `jsonl`.
enum FrameRecord {
    /// Appends the object of `frame`; true when something was found in it.
    static func write(_ frame: Frame, to text: inout JSONText) -> Bool {
        text.raw("{\"source\":")
        text.string(frame.stream.source)
        text.raw(",\"frame\":")
        text.integer(frame.ticket.sequence)
        text.raw(",\"pts\":")
        text.number(frame.pts.seconds, decimals: 6)
        if !frame.stream.hasSignal { text.raw(",\"signal\":false") }
        var found = false
        var isCarried = false
        // Several nodes of one kind add to one list, so that readers need not know the graph.
        let kinds = list(frame.results, "faces", to: &text, found: &found, carried: &isCarried) { result, text in
            guard case .faces(let faces) = result else { return nil }
            return items(faces, to: &text, face)
        }
        let more = list(frame.results, "lines", to: &text, found: &found, carried: &isCarried) { result, text in
            guard case .lines(let lines) = result else { return nil }
            return items(lines, to: &text, line)
        }
        if kinds || more { text.raw(isCarried ? ",\"carried\":true" : ",\"carried\":false") }
        text.raw("}")
        return found
    }

    /// Writes `,"name":[...]` when some node gave a result of the kind; `body` returns nil for other kinds, else the count.
    private static func list(
        _ results: Results, _ name: StaticString, to text: inout JSONText, found: inout Bool, carried: inout Bool,
        _ body: (FrameResult, inout JSONText) -> Int?
    ) -> Bool {
        var isOpen = false
        var count = 0
        results.forEach { entry in
            let mark = text.count
            if !isOpen {
                text.raw(",\"")
                text.raw(name)
                text.raw("\":[")
            } else if count > 0 {
                text.raw(",")
            }
            guard let added = body(entry.result, &text) else { return text.truncate(to: mark) }
            if added == 0, isOpen { text.truncate(to: mark) }
            isOpen = true
            count += added
            carried = carried || entry.isCarried
        }
        if isOpen { text.raw("]") }
        found = found || count > 0
        return isOpen
    }

    private static func items<T>(_ values: [T], to text: inout JSONText, _ body: (T, inout JSONText) -> Void) -> Int {
        for (index, value) in values.enumerated() {
            if index > 0 { text.raw(",") }
            body(value, &text)
        }
        return values.count
    }

    private static func face(_ face: Face, to text: inout JSONText) {
        text.raw("{\"box\":[")
        text.number(face.box.x)
        text.raw(",")
        text.number(face.box.y)
        text.raw(",")
        text.number(face.box.width)
        text.raw(",")
        text.number(face.box.height)
        text.raw("],\"score\":")
        text.number(Double(face.score), decimals: 4)
        if !face.landmarks.isEmpty {
            text.raw(",\"landmarks\":[")
            _ = items(face.landmarks, to: &text, point)
            text.raw("]")
        }
        text.raw("}")
    }

    private static func line(_ line: LineSegment, to text: inout JSONText) {
        text.raw("{\"from\":")
        point(line.from, to: &text)
        text.raw(",\"to\":")
        point(line.to, to: &text)
        text.raw(",\"score\":")
        text.number(Double(line.score), decimals: 4)
        text.raw("}")
    }

    private static func point(_ point: Point, to text: inout JSONText) {
        text.raw("[")
        text.number(point.x)
        text.raw(",")
        text.number(point.y)
        text.raw("]")
    }
}
