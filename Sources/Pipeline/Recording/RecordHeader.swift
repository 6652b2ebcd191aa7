// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Basics
internal import Foundation
internal import Media
internal import Networks
internal import PipelineLanguage

/// A node that runs files of others: networks, weights.
package protocol ModelFileNode: AnyObject {
    /// The files in use at the start.
    var modelFiles: [String] { get }
}

/// The first line of a record: what the lines after it are about.
///
/// ```
/// {"vpipe":1,"pipeline":"door","source":"camera","url":"/dev/video0","size":[1280,720],"fps":25,"started":"2026-...",
///  "nodes":{"faces":{"type":"retinaface","threshold":0.6,...,"files":[{"path":"...","sha256":"..."}]}}}
/// ```
/// It has no `frame`, which every other line has.
struct RecordHeader {
    /// The version of the format.
    static let version = 1

    private let pipeline: String?
    private let source: ValidatedNode?
    private let nodes: [(node: ValidatedNode, files: [File])]
    private let frameRate: Double?
    private let isDated: Bool

    private struct File: Sendable {
        let path: String
        let digest: String?
    }

    /// Describes what leads to `node`.
    init(_ node: ValidatedNode, in context: BuildContext) {
        pipeline = context.pipeline.name
        isDated = context.options.isDated
        source = node.sources.first.flatMap { context.pipeline[$0] }
        frameRate = (context.source(of: node) as? any MeasuredSource)?.frameRate?.value
        var wanted = Set(node.inputs.map(\.from))
        var above: [ValidatedNode] = []
        for other in context.pipeline.nodes.reversed() where wanted.contains(other.id) {
            wanted.formUnion(other.inputs.map(\.from))
            if other.contract.category != .source { above.append(other) }
        }
        var digests: [String: String] = [:]
        nodes = above.reversed().map { other in
            let made: AnyObject? =
                switch context.made[other.id] {
                case .node(let node): node
                case .join(let node): node
                default: nil
                }
            let files = (made as? any ModelFileNode)?.modelFiles ?? []
            return (
                other,
                files.map { path in
                    let digest =
                        digests[path]
                        ?? FileManager.default.contents(atPath: path).map {
                            SHA256.hexDigest(Array($0))
                        }
                    digests[path] = digest
                    return File(path: path, digest: digest)
                }
            )
        }
    }

    /// The kinds of result that several of these nodes find.
    var shared: Set<String> {
        var seen: Set<String> = []
        var twice: Set<String> = []
        for (node, _) in nodes {
            for kind in Set(node.contract.outputs.flatMap(\.adds)) where !seen.insert(kind.name).inserted {
                twice.insert(kind.name)
            }
        }
        return twice
    }

    /// Writes the line's object; `frame` is the first one that follows.
    func write(before frame: Frame, at time: WallTime, to record: inout JSONWriter) {
        record.beginObject()
        record.field("vpipe", Self.version)
        if let pipeline { record.field("pipeline", pipeline) }
        record.field("source", frame.stream.source)
        if let source {
            record.field("type", source.type)
            for parameter in source.contract.parameters where parameter.role.isInputFile {
                guard case .string(let value)? = source.settings.value(named: parameter.name) else { continue }
                record.key(parameter.name)
                record.value(redacted(value))
            }
        }
        // The picture in the source's own pixels, which are those of the coordinates.
        let picture = Box(x: 0, y: 0, width: Float(frame.picture.width), height: Float(frame.picture.height))
        let whole = frame.map(picture)
        record.key("size")
        record.beginArray()
        record.value(Int((whole.x + whole.width).rounded()))
        record.value(Int((whole.y + whole.height).rounded()))
        record.endArray()
        if let rate = frame.stream.frameRate.value ?? frameRate { record.field("fps", rate, decimals: 3) }
        if isDated {
            record.key("started")
            record.value(time)
        }
        record.key("nodes")
        record.beginObject()
        for (node, files) in nodes { write(node, files, to: &record) }
        record.endObject()
        record.endObject()
        record.newline()
    }

    private func write(_ node: ValidatedNode, _ files: [File], to record: inout JSONWriter) {
        record.key(node.id)
        record.beginObject()
        record.field("type", node.type)
        for parameter in node.contract.parameters {
            guard let value = node.settings.value(named: parameter.name) else { continue }
            record.key(parameter.name)
            record.write(value)
        }
        if !files.isEmpty {
            record.key("files")
            record.beginArray()
            for file in files {
                record.beginObject()
                record.field("path", file.path)
                if let digest = file.digest { record.field("sha256", digest) }
                record.endObject()
            }
            record.endArray()
        }
        record.endObject()
    }
}

extension JSONWriter {
    fileprivate mutating func write(_ value: ParamValue) {
        switch value {
        case .boolean(let flag): self.value(flag)
        case .integer(let number): self.value(number)
        case .number(let number): self.value(number, decimals: 6)
        case .strings(let texts):
            beginArray()
            for text in texts { self.value(redacted(text)) }
            endArray()
        case .numbers(let numbers):
            beginArray()
            for number in numbers { self.value(number, decimals: 6) }
            endArray()
        default: self.value(redacted(value.text))
        }
    }
}
