// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Media

/// A frame's identity and results as one JSON object, the format of `jsonl`.
enum FrameRecord {
    /// Appends the object of `frame`; true when something was found in it.
    ///
    /// - Parameter masks: whether a segmentation's labels are written, too, not only what area each class has.
    static func write(_ frame: Frame, masks: Bool = false, to text: inout JSONText) -> Bool {
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
        let kinds = list(frame.results, "faces", to: &text, found: &found, carried: &isCarried) { entry, text in
            guard case .faces(let faces) = entry.result else { return nil }
            return items(faces, to: &text) { face($0, entry.age, to: &$1) }
        }
        let more = list(frame.results, "lines", to: &text, found: &found, carried: &isCarried) { entry, text in
            guard case .lines(let lines) = entry.result else { return nil }
            return items(lines, to: &text) { line($0, entry.age, to: &$1) }
        }
        let objects = list(frame.results, "objects", to: &text, found: &found, carried: &isCarried) { entry, text in
            guard case .objects(let objects) = entry.result else { return nil }
            return items(objects, to: &text) { object($0, entry.age, to: &$1) }
        }
        let raw = list(frame.results, "tensors", to: &text, found: &found, carried: &isCarried) { entry, text in
            guard case .tensors(let tensors) = entry.result else { return nil }
            return items(tensors, to: &text) { tensor($0, entry.age, to: &$1) }
        }
        let segmentation = frame.results.segmentation
        if let segmentation {
            areas(segmentation.map, segmentation.age, withLabels: masks, to: &text)
            found = true
            isCarried = isCarried || segmentation.age != nil
        }
        if kinds || more || objects || raw || segmentation != nil {
            text.raw(isCarried ? ",\"carried\":true" : ",\"carried\":false")
        }
        text.raw("}")
        return found
    }

    /// Writes `,"name":[...]` when some node gave a result of the kind; `body` returns nil for other kinds, else the count.
    private static func list(
        _ results: Results, _ name: StaticString, to text: inout JSONText, found: inout Bool, carried: inout Bool,
        _ body: (Results.Entry, inout JSONText) -> Int?
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
            guard let added = body(entry, &text) else { return text.truncate(to: mark) }
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

    /// Opens the object of something with a box and a score.
    private static func box(_ box: Box, _ score: Float, to text: inout JSONText) {
        text.raw("{\"box\":[")
        text.number(box.x)
        text.raw(",")
        text.number(box.y)
        text.raw(",")
        text.number(box.width)
        text.raw(",")
        text.number(box.height)
        text.raw("],\"score\":")
        text.number(Double(score), decimals: 4)
    }

    /// Closes the object of one finding; one that was carried on says so, and since how many seconds.
    private static func close(_ age: Double?, to text: inout JSONText) {
        if let age {
            text.raw(",\"carried\":true,\"age\":")
            text.number(age, decimals: 6)
        }
        text.raw("}")
    }

    private static func object(_ object: Detection, _ age: Double?, to text: inout JSONText) {
        box(object.box, object.score, to: &text)
        text.raw(",\"label\":")
        text.integer(UInt64(object.label.magnitude))
        text.raw(",\"class\":")
        text.string(object.name)
        close(age, to: &text)
    }

    private static func tensor(_ tensor: RawTensor, _ age: Double?, to text: inout JSONText) {
        text.raw("{\"name\":")
        text.string(tensor.name)
        text.raw(",\"shape\":[")
        _ = items(tensor.shape, to: &text) { size, text in text.integer(UInt64(size.magnitude)) }
        text.raw("],\"values\":[")
        _ = items(tensor.values, to: &text) { value, text in text.significant(value) }
        text.raw("]")
        close(age, to: &text)
    }

    private static func face(_ face: Face, _ age: Double?, to text: inout JSONText) {
        box(face.box, face.score, to: &text)
        if !face.landmarks.isEmpty {
            text.raw(",\"landmarks\":[")
            _ = items(face.landmarks, to: &text, point)
            text.raw("]")
        }
        close(age, to: &text)
    }

    private static func line(_ line: LineSegment, _ age: Double?, to text: inout JSONText) {
        text.raw("{\"from\":")
        point(line.from, to: &text)
        text.raw(",\"to\":")
        point(line.to, to: &text)
        text.raw(",\"score\":")
        text.number(Double(line.score), decimals: 4)
        close(age, to: &text)
    }

    private static func point(_ point: Point, to text: inout JSONText) {
        text.raw("[")
        text.number(point.x)
        text.raw(",")
        text.number(point.y)
        text.raw("]")
    }

    /// `,"segmentation":{"classes":{"road":0.31,...}}`, the share of each class that there is any of.
    ///
    /// With labels also `"mask":{"size":[columns,rows],"box":[x,y,width,height],"names":[...],"runs":[label,cells,...]}`,
    /// the runs row by row without a break at the end of a row.
    private static func areas(_ map: ClassMap, _ age: Double?, withLabels: Bool, to text: inout JSONText) {
        text.raw(",\"segmentation\":{\"classes\":{")
        var isFirst = true
        for (label, share) in map.shares.enumerated() where share > 0 {
            if !isFirst { text.raw(",") }
            isFirst = false
            text.string(map.classes.members[label].name)
            text.raw(":")
            text.number(Double(share), decimals: 4)
        }
        text.raw("}")
        if withLabels { mask(map, to: &text) }
        close(age, to: &text)
    }

    private static func mask(_ map: ClassMap, to text: inout JSONText) {
        text.raw(",\"mask\":{\"size\":[")
        text.integer(UInt64(map.width))
        text.raw(",")
        text.integer(UInt64(map.height))
        text.raw("],\"box\":[")
        text.number(map.region.x)
        text.raw(",")
        text.number(map.region.y)
        text.raw(",")
        text.number(map.region.width)
        text.raw(",")
        text.number(map.region.height)
        text.raw("],\"names\":[")
        _ = items(map.classes.members, to: &text) { member, text in text.string(member.name) }
        text.raw("],\"runs\":[")
        var start = 0
        while start < map.labels.count {
            var end = start + 1
            while end < map.labels.count, map.labels[end] == map.labels[start] { end += 1 }
            if start > 0 { text.raw(",") }
            text.integer(UInt64(map.labels[start]))
            text.raw(",")
            text.integer(UInt64(end - start))
            start = end
        }
        text.raw("]}")
    }
}
