// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage

/// What sensitive sources see may leave only redacted.
@Suite struct DisclosureTests {
    private func errors(_ nodes: String) -> [String] {
        PipelineFile(name: "p.json", text: #"{"nodes":{\#(nodes)}}"#).check(against: NodeRegistry.builtIn.contracts)
            .diagnostics.filter { $0.severity == .error }.map(\.description)
    }

    private let source =
        #""cam": {"type": "testpattern", "sensitive": true}, "faces": {"type": "retinaface", "input": "cam"}"#

    @Test func `a sink that raw pictures reach is refused, with the way`() {
        let found = errors(
            """
            \(source), "redact": {"type": "redact", "input": "faces"},
            "overlay": {"type": "overlay", "inputs": ["cam", "redact"]},
            "shots": {"type": "snapshots", "input": "overlay", "path": "a"}
            """)
        #expect(found.count == 1)
        #expect(
            found.first?.contains(
                #"nodes.shots: gives away raw pictures of "cam", which is sensitive: cam -> overlay -> shots"#) == true,
            "\(found)")
        #expect(found.first?.contains(#"read from a "redact" node, or say "allowRaw": "the reason""#) == true)
    }

    /// Whoever looks at a run from outside shows none of these.
    @Test func `raw pictures are known node by node, also on a rung of the ladder`() throws {
        let valid = try pipeline(
            """
            \(source), "lines": {"type": "mlsd", "input": "cam"}, "redact": {"type": "redact", "input": "faces"},
            "drawn": {"type": "overlay", "inputs": ["redact", "lines"]},
            "bare": {"type": "overlay", "inputs": ["lines", "redact"]},
            "free": {"type": "testpattern"}, "a": {"type": "null", "input": "drawn"}, "b": {"type": "null", "input": "bare"},
            "c": {"type": "null", "input": "free"}
            """)
        #expect(valid.nodesWithRawPictures == ["cam", "faces", "lines", "bare", "b"])
        #expect(valid.nodes.allSatisfy { $0.with($0.settings).isSensitive == $0.isSensitive })
    }

    @Test(arguments: [
        // The overlay draws on the redacted picture; the branch with raw ones gives it lines only.
        (
            """
            "redact": {"type": "redact", "input": "faces"}, "lines": {"type": "mlsd", "input": "cam"},
            "overlay": {"type": "overlay", "inputs": ["redact", "lines"]},
            "file": {"type": "file", "input": "overlay", "path": "a.mp4", "audio": "none"}
            """, [String]()
        ),
        // Sound goes past it.
        (
            """
            "redact": {"type": "redact", "input": "faces"}, "file": {"type": "file", "input": "redact", "path": "a.mp4"}
            """, [#"nodes.file: gives away the sound of "cam""#]
        ),
        // So do packets that are stored as they came.
        (
            """
            "redact": {"type": "redact", "input": "faces"},
            "file": {"type": "file", "input": "redact", "path": "a.mkv", "codec": "copy", "audio": "none"}
            """, [#"nodes.file: gives away the packets of "cam", which is sensitive, as they came"#]
        ),
        // A clip is of packets, whatever is covered on the way, unless it is encoded from a covered picture.
        (
            """
            "events": {"type": "events", "input": "faces", "rules": {"a": {"class": "face"}}},
            "clips": {"type": "clip", "input": "events", "path": "{id}.mp4"}
            """,
            [
                #"nodes.clips: gives away raw pictures of "cam", which is sensitive: cam -> faces -> events -> clips"#,
                #"nodes.clips: gives away the packets of "cam", which is sensitive, as they came: cam -> faces -> events -> clips"#,
                #"nodes.clips: gives away the sound of "cam""#,
            ]
        ),
        (
            """
            "events": {"type": "events", "input": "faces", "rules": {"a": {"class": "face"}}},
            "redact": {"type": "redact", "input": "events"},
            "clips": {"type": "clip", "input": "redact", "path": "{id}.mp4", "audio": "none"},
            "copies": {"type": "clip", "input": "redact", "path": "c.mp4", "audio": "none", "codec": "copy"},
            "covered": {"type": "clip", "input": "redact", "path": "b.mp4", "audio": "none", "codec": "h264"}
            """,
            [
                #"nodes.clips: gives away the packets of "cam", which is sensitive, as they came: cam -> faces -> events -> redact -> clips"#,
                #"nodes.copies: gives away the packets of "cam""#,
            ]
        ),
        (#""text": {"type": "jsonl", "input": "faces", "path": "a"}, "end": {"type": "null", "input": "cam"}"#, []),
        (
            #""shots": {"type": "snapshots", "input": "faces", "path": "a", "allowRaw": "test of the camera"}"#, []
        ),
        (
            #""mask": {"type": "snapshots", "input": "faces", "path": "a", "content": "mask"}"#, []
        ),
        // A network's output may be a picture.
        (
            """
            "net": {"type": "onnx", "input": "cam", "model": "a.onnx", "decode": "tensors"},
            "redact": {"type": "redact", "input": "faces"}, "both": {"type": "merge", "inputs": ["redact", "net"]},
            "text": {"type": "jsonl", "input": "both", "path": "a"}, "out": {"type": "camera-out", "input": "both", "device": "/dev/video9"}
            """,
            [
                #"nodes.text: gives away tensors of raw pictures of "cam", which is sensitive: cam -> net -> both -> text"#
            ]
        ),
        (
            #""s": {"type": "stream", "input": "faces", "url": "rtsp://h/a", "sensitive": true, "allowRaw": "x"}"#,
            ["only a source can be sensitive"]
        ),
        (
            #""s": {"type": "snapshots", "input": "faces", "path": "a", "allowRaw": " "}"#,
            ["gives no reason", "gives away raw pictures"]
        ),
        (
            #""r": {"type": "rate", "input": "faces", "fps": 5, "allowRaw": "x"}, "e": {"type": "null", "input": "r"}"#,
            ["only a sink gives anything away"]
        ),
    ])
    func `verdicts`(nodes: String, messages: [String]) {
        let found = errors("\(source), \(nodes)")
        #expect(found.count == messages.count, "\(found)")
        for message in messages { #expect(found.contains { $0.contains(message) }, "\(message): \(found)") }
    }

    @Test func `a sink that says nothing of it gives everything away`() throws {
        let contract = Contract("own", .sink, summary: "A sink of somebody else's")
        let settings = try #require(
            try pipeline(#""v": {"type": "testpattern"}, "e": {"type": "null", "input": "v"}"#)["e"]?.settings)
        #expect(contract.discloses(settings) == [.pictures, .sound, .tensors, .packets])
    }

    @Test func `the reason stands in the report`() throws {
        let run = try PipelineRun(
            pipeline(
                #""cam": {"type": "testpattern", "frames": 1, "sensitive": true}, "#
                    + #""end": {"type": "null", "input": "cam", "allowRaw": "a test"}"#))
        try run.finish()
        #expect(
            run.notes().contains {
                $0.node == "end" && $0.lines == ["may give away what a sensitive source sees: a test"]
            })
    }

    // MARK: Random graphs

    private struct RandomNode {
        var type: String
        var inputs: [Int] = []
        var isSensitive = false
        var isAllowed = false
        var copiesSound = false
    }

    /// Whether a sink may be refused, found by walking every way through the graph one by one.
    private func isRefused(_ sink: Int, _ nodes: [RandomNode]) -> Bool {
        let node = nodes[sink]
        guard !node.isAllowed else { return false }
        /// Raw pictures leave a node: some way leads there from a sensitive source by pictures alone.
        func showsRaw(_ index: Int) -> Bool {
            let node = nodes[index]
            switch node.type {
            case "testpattern": return node.isSensitive
            case "redact": return false
            case "overlay", "merge": return showsRaw(node.inputs[0])
            default: return node.inputs.contains { showsRaw($0) }
            }
        }
        func holdsTensors(_ index: Int) -> Bool {
            let node = nodes[index]
            if node.type == "redact" || node.type == "testpattern" { return false }
            return node.inputs.contains { holdsTensors($0) }
                || (node.type == "onnx" && node.inputs.contains { showsRaw($0) })
        }
        func hears(_ index: Int) -> Bool { nodes[index].isSensitive || nodes[index].inputs.contains { hears($0) } }
        switch node.type {
        case "null", "csv": return false
        case "jsonl", "npz": return node.inputs.contains { holdsTensors($0) }
        case "file": return node.inputs.contains { showsRaw($0) } || (node.copiesSound && hears(sink))
        default: return node.inputs.contains { showsRaw($0) }
        }
    }

    @Test(.timeLimit(.minutes(15))) func `ten thousand random graphs are judged as by walking every way`() {
        var random = SeededGenerator(seed: 18)
        var (refused, fine) = (0, 0)
        for number in 0..<10_000 {
            var nodes: [RandomNode] = []
            for _ in 0..<Int.random(in: 1...2, using: &random) {
                nodes.append(RandomNode(type: "testpattern", isSensitive: Bool.random(using: &random)))
            }
            for _ in 0..<Int.random(in: 0...6, using: &random) {
                let types = ["rate", "redact", "redact", "overlay", "merge", "onnx", "track"]
                let type = types.randomElement(using: &random) ?? "rate"
                // One source each: what is joined must be of one.
                let first = Int.random(in: 0..<nodes.count, using: &random)
                var inputs = [first]
                if type == "overlay" || type == "merge" {
                    let others = nodes.indices.filter { $0 != first && root($0, nodes) == root(first, nodes) }
                    inputs += others.shuffled(using: &random).prefix(Int.random(in: 0...2, using: &random))
                }
                nodes.append(RandomNode(type: type, inputs: inputs))
            }
            let inner = nodes.count
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let types = ["null", "csv", "jsonl", "npz", "file", "snapshots", "camera-out"]
                nodes.append(
                    RandomNode(
                        type: types.randomElement(using: &random) ?? "null",
                        inputs: [Int.random(in: 0..<inner, using: &random)],
                        isAllowed: Int.random(in: 0..<5, using: &random) == 0,
                        copiesSound: Bool.random(using: &random)))
            }
            let text = nodes.enumerated().map { index, node in
                var fields = [#""type":"\#(node.type)""#]
                if node.isSensitive { fields.append(#""sensitive":true"#) }
                if node.isAllowed { fields.append(#""allowRaw":"r""#) }
                if node.inputs.count == 1 { fields.append(#""input":"n\#(node.inputs[0])""#) }
                if node.inputs.count > 1 {
                    fields.append(#""inputs":[\#(node.inputs.map { "\"n\($0)\"" }.joined(separator: ","))]"#)
                }
                switch node.type {
                case "rate": fields.append(#""fps":5"#)
                case "onnx": fields.append(#""model":"a.onnx","decode":"tensors""#)
                case "csv", "jsonl", "npz", "snapshots": fields.append(#""path":"\#(index)""#)
                case "file": fields.append(#""path":"\#(index).mp4","audio":"\#(node.copiesSound ? "copy" : "none")""#)
                case "camera-out": fields.append(#""device":"/dev/video\#(index)""#)
                default: break
                }
                return #""n\#(index)":{\#(fields.joined(separator: ","))}"#
            }
            let found = errors(text.joined(separator: ","))
            let expected = nodes.indices.filter { $0 >= inner && isRefused($0, nodes) }
            let refusedSinks = nodes.indices.filter { index in
                found.contains { $0.contains("nodes.n\(index): gives away") }
            }
            #expect(refusedSinks == expected, "graph \(number): \(text.joined(separator: ",\n"))\n\(found)")
            #expect(found.allSatisfy { $0.contains("gives away") }, "\(found)")
            if refusedSinks != expected { break }
            if expected.isEmpty { fine += 1 } else { refused += 1 }
        }
        #expect(refused > 2000 && fine > 2000, "\(refused) refused, \(fine) fine")
    }

    /// The only source of a node.
    private func root(_ index: Int, _ nodes: [RandomNode]) -> Int {
        var index = index
        while let first = nodes[index].inputs.first { index = first }
        return index
    }
}
