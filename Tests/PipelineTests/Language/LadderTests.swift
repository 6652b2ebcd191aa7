// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Pipeline
@testable import PipelineLanguage

@Suite struct LadderTests {
    private static let nodes = #"""
        "nodes":{"cam":{"type":"testpattern","realtime":true},
        "faces":{"type":"retinaface","input":"cam"},
        "overlay":{"type":"overlay","inputs":["cam","faces"]},
        "end":{"type":"null","input":"overlay"}}
        """#

    private func check(_ top: String, nodes: String = nodes) -> PipelineFile.Check {
        PipelineFile(name: "p.json", text: "{\(top) \(nodes)}").check(against: NodeRegistry.builtIn.contracts)
    }

    private func messages(_ ladder: String) -> [String] {
        check(#""target":{"fps":25},"ladder":\#(ladder),"#).diagnostics.map { diagnostic in
            diagnostic.description.split(separator: "\n")
                .prefix { !$0.hasPrefix("    ") }.map { String($0) }.joined(separator: " ")
        }
    }

    @Test func `steps add up, and each names what it changes`() throws {
        let ladder = #"[{"faces.every":2,"$comment":"half"},{"faces.size":"320x320","overlay.labels":false}]"#
        let pipeline = try #require(check(#""target":{"fps":25},"ladder":\#(ladder),"#).pipeline)
        #expect(pipeline.ladder.rungCount == 3)
        #expect(pipeline.ladder.name(of: 0) == "as written")
        #expect(pipeline.ladder.name(of: 2) == "faces.size = 320x320, overlay.labels = false")
        let faces = try #require(pipeline["faces"])
        let bottom = pipeline.ladder.settings(of: faces, on: 2)
        #expect(bottom[NetworkParams.every] == 2)
        #expect(bottom[NetworkParams.size] == PixelSize(width: 320, height: 320))
        #expect(pipeline.ladder.settings(of: faces, on: 0)[NetworkParams.every] == 1)
    }

    @Test func `a usual ladder turns what contracts declare, whatever it is called`() throws {
        let contract = Contract(
            "guest", .inference, summary: "A guest's network",
            parameters: [
                Param.integer("stride", default: 4, range: 1...10, changeable: true, doc: "d").cheaper(
                    by: .fewerFrames),
                Param.integer("shrink", default: 1, range: 1...4, changeable: true, doc: "d").cheaper(by: .fewerPixels),
                Param.choice("style", of: ["rich", "flat"], default: "rich", changeable: true, doc: "d")
                    .cheaper(by: .plainer(.string("flat"))),
                Param.integer("every", default: 1, range: 1...9, changeable: true, doc: "means something else"),
            ])
        var registry = NodeRegistry.builtIn
        try registry.register(contract) { _, _ in throw OutputError("not made") }
        let text = #"""
            {"target":{"fps":25},"nodes":{"cam":{"type":"testpattern","realtime":true},
            "n":{"type":"guest","input":"cam"},"end":{"type":"null","input":"n"}}}
            """#
        let ladder = try PipelineFile(name: "p.json", text: text).validated(against: registry.contracts).ladder
        #expect(
            (1..<ladder.rungCount).map { ladder.name(of: $0) } == [
                "n.stride = 8", "n.stride = 10", "n.stride = 10, n.style = flat", "n.shrink = 2", "n.stride = 10",
            ])
    }

    @Test func `a live pipeline with a target has a usual ladder, others have none`() throws {
        let live = try #require(check(#""target":{"fps":25},"#).pipeline)
        #expect(
            (0..<live.ladder.rungCount).map { live.ladder.name(of: $0) } == [
                "as written", "faces.every = 2", "faces.every = 3",
                "faces.every = 5, overlay.scores = false, overlay.labels = false", "faces.downscale = 2",
                "faces.every = 10",
            ])
        #expect(try #require(check("").pipeline).ladder.rungCount == 1)
        #expect(try #require(check(#""target":{"fps":25},"ladder":"off","#).pipeline).ladder.rungCount == 1)
        #expect(try #require(check(#""target":{"fps":25},"ladder":"auto","#).pipeline).ladder.rungCount == 6)
        let file = Self.nodes.replacing(#","realtime":true"#, with: "")
        #expect(try #require(check(#""target":{"fps":25},"#, nodes: file).pipeline).ladder.rungCount == 1)
    }

    @Test(arguments: [
        ("7", #"p.json:1:31: error: ladder: must be "auto", "off", or [ { "NODE.PARAMETER": VALUE }, ... ] (found 7)"#),
        (#""of""#, #"ladder: must be "auto", "off", or [ { "NODE.PARAMETER": VALUE }, ... ] (found "of")"#),
        ("[5]", "ladder[0]: must be an object of changes (found 5)"),
        ("[{}]", "ladder[0]: must be an object of changes (found an object)"),
        (#"[{"faces":2}]"#, #"ladder[0].faces: must be NODE.PARAMETER (found "faces")"#),
        (#"[{"fases.every":2}]"#, #"ladder[0].["fases.every"]: no such node"#),
        (#"[{"faces.evry":2}]"#, #"ladder[0].["faces.evry"]: "retinaface" has no such parameter"#),
        (#"[{"faces.weights":"x"}]"#, #"ladder[0].["faces.weights"]: cannot change while running"#),
        (#"[{"faces.every":0}]"#, #"ladder[0].["faces.every"]: must be"#),
    ])
    func `mistakes are named`(ladder: String, expected: String) {
        let found = messages(ladder)
        #expect(found.count == 1)
        let plain = (found.first ?? "").replacing(".[\"", with: "[\"")
        #expect(plain.contains(expected.replacing(".[\"", with: "[\"")), "\(found)")
    }

    @Test func `a ladder without a target is doubted`() {
        let check = check(#""ladder":[{"faces.every":2}],"#)
        #expect(check.pipeline != nil)
        #expect(check.diagnostics.count == 1)
        #expect(check.diagnostics.first?.description.contains("does nothing without a \"target\"") == true)
    }
}
