// SPDX-License-Identifier: Apache-2.0
internal import PipelineLanguage

/// COCO's object detection format, with five keypoints for faces: https://cocodataset.org/#format-data.
///
/// ```
/// {"images":[{"id":1,"file_name":"frame_000000.png","width":1280,"height":720}],
///  "annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":[x,y,w,h],"area":..,"iscrowd":0,"segmentation":[]}],
///  "categories":[{"id":1,"name":"face","keypoints":[...],"skeleton":[]}]}
/// ```
/// Scores are `score`, as in COCO's results; a track's id and whether it is out of sight are `attributes`, as CVAT has them.
struct COCOExport: ExportWriter {
    private static let keypoints = ["left_eye", "right_eye", "nose", "left_mouth_corner", "right_mouth_corner"]

    private let summary: RecordSummary
    private let file: ExportFile
    /// Annotations wait in a file of their own until the images are written.
    private let annotations: ExportFile
    private var sizes: PictureSizes
    private var images = 0
    private var boxes = 0

    init(_ summary: RecordSummary, at path: String) throws(ExportFault) {
        self.summary = summary
        sizes = PictureSizes(summary, for: .coco)
        file = try ExportFile(path)
        annotations = try ExportFile(path + ".annotations")
        try file.write("{\"images\":[")
    }

    mutating func add(_ frame: RecordFrame) throws {
        let size = try sizes.size(of: frame)
        let name = frame.file ?? RecordSummary.frameName(frame.number) + ".png"
        try file.write(
            (images == 0 ? "\n" : ",\n") + "{\"id\":\(frame.number + 1),\"file_name\":\(quoted(name)),"
                + "\"width\":\(size.width),\"height\":\(size.height)}")
        images += 1
        for found in frame.found {
            boxes += 1
            let box = [found.x, found.y, found.width, found.height].map(pixels).joined(separator: ",")
            var text =
                (boxes == 1 ? "\n" : ",\n") + "{\"id\":\(boxes),\"image_id\":\(frame.number + 1),"
                + "\"category_id\":\(summary.index(of: found.label) + 1),\"bbox\":[\(box)],"
                + "\"area\":\(plain((found.width * found.height * 100).rounded() / 100)),\"iscrowd\":0,\"segmentation\":[]"
            if found.landmarks.count == Self.keypoints.count, found.label == "face" {
                let points = found.landmarks.map { "\(pixels($0.x)),\(pixels($0.y)),2" }.joined(separator: ",")
                text += ",\"keypoints\":[\(points)],\"num_keypoints\":\(Self.keypoints.count)"
            } else if found.label == "face" {
                let none = Array(repeating: "0,0,0", count: Self.keypoints.count).joined(separator: ",")
                text += ",\"keypoints\":[\(none)],\"num_keypoints\":0"
            }
            if let score = found.score { text += ",\"score\":\(numeral(score, places: 4))" }
            if let id = found.id { text += ",\"attributes\":{\"track_id\":\(id),\"occluded\":\(!found.isSeen)}" }
            try annotations.write(text + "}")
        }
    }

    mutating func finish() throws {
        try file.write("\n],\n\"annotations\":[")
        try file.append(annotations)
        try file.write("\n],\n\"categories\":[")
        for (index, label) in summary.labels.enumerated() {
            var text = "{\"id\":\(index + 1),\"name\":\(quoted(label)),\"supercategory\":\"\""
            if label == "face" {
                text += ",\"keypoints\":[\(Self.keypoints.map { quoted($0) }.joined(separator: ","))],\"skeleton\":[]"
            }
            try file.write((index == 0 ? "\n" : ",\n") + text + "}")
        }
        try file.write("\n]}\n")
        try file.close()
    }
}
