// SPDX-License-Identifier: Apache-2.0
internal import PipelineLanguage

/// Label Studio's tasks with predictions: https://labelstud.io/guide/predictions.
///
/// A video is one task with a `videorectangle` for each track, of the template "Video Object Tracking" (`box` of `video`);
/// frames count from 1, sides are percent, and a keyframe that is not enabled ends what is shown. Photographs are a task
/// each with `rectanglelabels`, of the template "Object Detection with Bounding Boxes" (`label` of `image`).
struct LabelStudioExport: ExportWriter {
    private struct Shape {
        let frame: Int
        let sides: SIMD4<Float>
        let score: Float
    }

    private let summary: RecordSummary
    private let file: ExportFile
    private var sizes: PictureSizes
    private var tracks: [Int: (label: String, shapes: [Shape])] = [:]
    /// Tasks of photographs, or regions of the video.
    private var count = 0

    init(_ summary: RecordSummary, at path: String) throws(ExportFault) {
        self.summary = summary
        sizes = PictureSizes(summary, for: .labelstudio)
        file = try ExportFile(path)
        try file.write("[")
        if !summary.hasPhotographs {
            try file.write(
                "{\"data\":{\"video\":\(quoted(summary.name))},\"predictions\":[{\"model_version\":\"vpipe\",\"result\":["
            )
        }
    }

    mutating func add(_ frame: RecordFrame) throws {
        guard !summary.hasPhotographs else { return try addPhotograph(frame) }
        for found in frame.found {
            let sides = try percent(found, of: sizes.size(of: frame))
            let shape = Shape(
                frame: frame.number, sides: SIMD4<Float>(sides), score: Float(found.score ?? -1))
            if let id = found.id {
                tracks[id, default: (found.label, [])].shapes.append(shape)
            } else {
                try write([shape], found.label, id: "box-\(count + 1)")
            }
        }
    }

    mutating func finish() throws {
        for (id, track) in tracks.sorted(by: { $0.key < $1.key }) {
            try write(track.shapes, track.label, id: "track-\(id)")
        }
        try file.write(summary.hasPhotographs ? "\n]\n" : "\n]}]}]\n")
        try file.close()
    }

    private func percent(_ found: RecordFrame.Found, of size: (width: Int, height: Int)) -> SIMD4<Double> {
        let (width, height) = (Double(size.width) / 100, Double(size.height) / 100)
        return [found.x / width, found.y / height, found.width / width, found.height / height]
    }

    private func fields(_ sides: SIMD4<Double>) -> String {
        let names = ["x", "y", "width", "height"]
        return names.indices.map { "\"\(names[$0])\":\(numeral(sides[$0], places: 5))" }.joined(
            separator: ",")
            + ",\"rotation\":0"
    }

    /// Writes the region of what is followed, or of what is in one frame.
    private mutating func write(_ shapes: [Shape], _ label: String, id: String) throws {
        let rate = summary.start.rate ?? 25
        func keyframe(_ frame: Int, _ shape: Shape, _ isEnabled: Bool) -> String {
            // The time as Label Studio itself computes it.
            let time = numeral(Double(frame + 1) / rate, places: 6)
            let sides = fields(SIMD4<Double>(shape.sides))
            return "{\"frame\":\(frame + 1),\"enabled\":\(isEnabled),\(sides),\"time\":\(time)}"
        }
        var sequence: [String] = []
        for (index, shape) in shapes.enumerated() {
            sequence.append(keyframe(shape.frame, shape, true))
            let next = index + 1 < shapes.count ? shapes[index + 1].frame : nil
            if next != shape.frame + 1, shape.frame < summary.lastNumber {
                sequence.append(keyframe(shape.frame + 1, shape, false))
            }
        }
        let frames = summary.lastNumber + 1
        let scores = shapes.map(\.score).filter { $0 >= 0 }
        let score = scores.isEmpty ? nil : Double(scores.reduce(0, +)) / Double(scores.count)
        var text = count == 0 ? "\n" : ",\n"
        text += "{\"id\":\"\(id)\",\"from_name\":\"box\",\"to_name\":\"video\",\"type\":\"videorectangle\","
        if let score { text += "\"score\":\(numeral(score, places: 4))," }
        text += "\"value\":{\"framesCount\":\(frames),"
        text += "\"duration\":\(numeral(Double(frames) / rate, places: 3)),"
        text += "\"sequence\":[\(sequence.joined(separator: ","))],\"labels\":[\(quoted(label))]}}"
        try file.write(text)
        count += 1
    }

    private mutating func addPhotograph(_ frame: RecordFrame) throws {
        let size = try sizes.size(of: frame)
        var regions: [String] = []
        for (index, found) in frame.found.enumerated() {
            var text = "\n{\"id\":\"box-\(index + 1)\",\"from_name\":\"label\",\"to_name\":\"image\","
            text += "\"type\":\"rectanglelabels\",\"original_width\":\(size.width),\"original_height\":\(size.height),"
            text += "\"image_rotation\":0,"
            if let score = found.score { text += "\"score\":\(numeral(score, places: 4))," }
            text += "\"value\":{\(fields(percent(found, of: size))),\"rectanglelabels\":[\(quoted(found.label))]}}"
            regions.append(text)
        }
        try file.write(
            (count == 0 ? "\n" : ",\n") + "{\"data\":{\"image\":\(quoted(frame.file ?? ""))},"
                + "\"predictions\":[{\"model_version\":\"vpipe\",\"result\":[\(regions.joined(separator: ","))]}]}")
        count += 1
    }
}
