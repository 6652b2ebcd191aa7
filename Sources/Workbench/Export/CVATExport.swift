// SPDX-License-Identifier: Apache-2.0

/// "CVAT for video 1.1": https://docs.cvat.ai/docs/dataset_management/formats/xml_format/.
///
/// ```
/// <track id="0" label="face"><box frame="3" outside="0" occluded="0" keyframe="1" xtl=".." .. z_order="0"/>...</track>
/// ```
/// Every box is a keyframe, so nothing is interpolated; after a box without one in the next frame comes the same box,
/// outside. A track out of sight is occluded. What is not followed is a track of one frame, lines are polylines.
struct CVATExport: ExportWriter {
    /// A box of a track, as small as it goes: those of a track are kept until the end.
    private struct Shape {
        let frame: Int
        let box: SIMD4<Float>
        let isSeen: Bool
    }

    private let summary: RecordSummary
    private let file: ExportFile
    private var tracks: [Int: (label: String, shapes: [Shape])] = [:]
    private var count = 0
    private var hasLines = false
    /// What is no track waits in a file of its own, as the labels come first.
    private let singles: ExportFile

    init(_ summary: RecordSummary, at path: String) throws(ExportFault) {
        self.summary = summary
        file = try ExportFile(path)
        singles = try ExportFile(path + ".shapes")
    }

    mutating func add(_ frame: RecordFrame) throws {
        for found in frame.found {
            let shape = Shape(
                frame: frame.number,
                box: SIMD4(Float(found.x), Float(found.y), Float(found.x + found.width), Float(found.y + found.height)),
                isSeen: found.isSeen)
            if let id = found.id {
                tracks[id, default: (found.label, [])].shapes.append(shape)
            } else {
                try singles.write(
                    open(found.label) + element(shape, isOutside: false) + outside(after: shape) + "  </track>\n")
            }
        }
        for segment in frame.segments {
            hasLines = true
            let points = [segment.from, segment.to].map { "\(pixels($0.x)),\(pixels($0.y))" }.joined(separator: ";")
            func line(_ number: Int, _ outside: Int) -> String {
                "    <polyline frame=\"\(number)\" outside=\"\(outside)\" occluded=\"0\" keyframe=\"1\" points=\"\(points)\""
                    + " z_order=\"0\"></polyline>\n"
            }
            try singles.write(
                open("line") + line(frame.number, 0)
                    + (frame.number < summary.lastNumber ? line(frame.number + 1, 1) : "") + "  </track>\n")
        }
    }

    mutating func finish() throws {
        let labels = Set(summary.labels + (hasLines ? ["line"] : [])).sorted()
        try file.write(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<annotations>\n  <version>1.1</version>\n  <meta>\n    <task>\n"
                + "      <name>\(escaped(summary.name))</name>\n      <size>\(summary.lastNumber + 1)</size>\n"
                + "      <mode>interpolation</mode>\n      <start_frame>0</start_frame>\n"
                + "      <stop_frame>\(max(0, summary.lastNumber))</stop_frame>\n      <labels>\n")
        for label in labels {
            try file.write(
                "        <label>\n          <name>\(escaped(label))</name>\n          <attributes></attributes>\n"
                    + "        </label>\n")
        }
        try file.write("      </labels>\n")
        if let size = summary.start.size {
            try file.write(
                "      <original_size>\n        <width>\(size.width)</width>\n        <height>\(size.height)</height>\n"
                    + "      </original_size>\n")
        }
        try file.write("    </task>\n  </meta>\n")
        try file.append(singles)
        for (_, track) in tracks.sorted(by: { $0.key < $1.key }) {
            try file.write(open(track.label))
            for (index, shape) in track.shapes.enumerated() {
                try file.write(element(shape, isOutside: false))
                let next = index + 1 < track.shapes.count ? track.shapes[index + 1].frame : nil
                if next != shape.frame + 1 { try file.write(outside(after: shape)) }
            }
            try file.write("  </track>\n")
        }
        try file.write("</annotations>\n")
        try file.close()
    }

    private mutating func open(_ label: String) -> String {
        defer { count += 1 }
        return "  <track id=\"\(count)\" label=\"\(escaped(label))\" source=\"auto\">\n"
    }

    private func outside(after shape: Shape) -> String {
        guard shape.frame < summary.lastNumber else { return "" }
        return element(Shape(frame: shape.frame + 1, box: shape.box, isSeen: shape.isSeen), isOutside: true)
    }

    private func element(_ shape: Shape, isOutside: Bool) -> String {
        let names = ["xtl", "ytl", "xbr", "ybr"]
        let sides = names.indices.map { "\(names[$0])=\"\(pixels(Double(shape.box[$0])))\"" }.joined(separator: " ")
        return "    <box frame=\"\(shape.frame)\" outside=\"\(isOutside ? 1 : 0)\" occluded=\"\(shape.isSeen ? 0 : 1)\""
            + " keyframe=\"1\" \(sides) z_order=\"0\"></box>\n"
    }

    /// Text as XML has it; characters that XML 1.0 does not allow are left out.
    private func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\t", "\n", "\r": result += " "
            case _ where scalar.value < 0x20 || scalar.value == 0xFFFE || scalar.value == 0xFFFF: break
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
