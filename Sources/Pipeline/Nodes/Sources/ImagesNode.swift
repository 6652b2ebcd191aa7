// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
internal import Media
internal import PipelineLanguage

/// `images`: still images one after the other.
final class ImagesNode: SourceNode, NodeType, ReportingNode, MeasuredSource {
    static let path = Param.path(
        "path", synonyms: ["url", "folder"], doc: "A file, a folder, a glob or a sequence (%04d.png)")
    static let fps = Param.rate("fps", default: FrameRate(frames: 25), doc: "Frame rate the images are shown at")

    static let contract = Contract(
        "images", .source, summary: "Reads still images: a file, a folder, a glob or a numbered sequence",
        details: "In natural order (2 before 10). An image that cannot be read is skipped and counted.",
        parameters: [path, fps, PartParams.every],
        examples: [.init("A folder", #"{ "type": "images", "path": "photos/*.jpg", "fps": 2 }"#)])

    private let reader: ImageReader
    private let rate: FrameRate
    private let stream: StreamInfo
    private let events: EventBox
    private var part: RecordingPart
    private var pending: (path: String, picture: Picture)?
    private var count: Int64 = 0
    private var unreadable = (count: 0, first: "")

    static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        let reader: ImageReader
        do {
            reader = try ImageReader(node.settings[path])
        } catch  where error.code == .notFound {
            throw InputFile.mistake("no images there", node.settings[path], path.spec.name, of: node, in: context)
        }
        return .source(
            ImagesNode(
                reader, rate: node.settings[fps], source: node.id,
                part: RecordingPart(every: node.settings[PartParams.every]), events: context.events))
    }

    init(_ reader: ImageReader, rate: FrameRate, source: String, part: RecordingPart, events: EventBox) {
        self.part = part
        self.events = events
        self.reader = reader
        self.rate = rate
        stream = StreamInfo(source: source, frameRate: Rational(rate.frames, rate.seconds))
    }

    func produce(to output: Output) throws -> Production {
        while pending == nil {
            do {
                guard let image = try reader.read() else {
                    if count == 0, unreadable.count > 0 { throw OutputError(unreadable.first) }
                    return .ended
                }
                if case .wanted = part.next(0) { pending = image }
            } catch let error as MediaError {
                if unreadable.count == 0 { unreadable.first = error.description }
                unreadable.count += 1
                events.post(RunEvent(.flawed, of: stream.source, "image that could not be read: \(error.description)"))
            }
        }
        guard let image = pending, let ticket = output.admit() else { return .waiting }
        pending = nil
        let base = Rational(rate.seconds, rate.frames)
        output.emit(
            Frame(
                ticket: ticket, picture: image.picture, pts: MediaTime(ticks: count, base: base),
                duration: MediaTime(ticks: 1, base: base), stream: stream, file: image.path))
        count += 1
        return .more
    }

    var expectedFrames: Int? { part.frames(of: reader.paths.count, rate: nil) }
    var frameRate: Rational? { stream.frameRate }
    var notes: [String] {
        var notes: [String] = []
        if unreadable.count > 0 {
            notes.append("\(unreadable.count) images could not be read, the first: \(unreadable.first)")
        }
        if let first = reader.damaged.first {
            notes.append("\(reader.damaged.count) damaged images, parts of them missing, the first: \(first)")
        }
        return notes
    }
}
