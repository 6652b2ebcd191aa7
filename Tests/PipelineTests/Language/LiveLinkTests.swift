// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Pipeline
@testable import PipelineLanguage

@Suite struct LiveLinkTests {
    @Test(arguments: [
        // A join that waits never holds up the camera; what a network was spent on is not lost on the way there.
        (#""results":"wait""#, ["c>l.0 latest 1", "l>f.0 block 1", "c>o.0 dropOldest 16", "f>o.1 block 16"]),
        (#""results":"newest""#, ["c>l.0 latest 1", "l>f.0 block 1", "c>o.0 latest 1", "f>o.1 dropOldest 4"]),
    ])
    func `a live picture waits for nobody that it need not wait for`(mode: String, rules: [String]) throws {
        for (source, isLive) in [(#""type":"testpattern","realtime":true"#, true), (#""type":"testpattern""#, false)] {
            let text = """
                {"nodes":{"c":{\(source)},"s":{"type":"scale","size":"64x64","input":"c"},
                "l":{"type":"mlsd","input":"c"},"f":{"type":"retinaface","input":"l"},
                "b":{"type":"mlsd","input":"s"},
                "o":{"type":"overlay","inputs":["c","f"],\(mode)},"e":{"type":"null","input":"o"},"n":{"type":"null","input":"b"}}}
                """
            let check = PipelineFile(name: "p", text: text).check(
                against: NodeRegistry.builtIn.contracts, environment: [:])
            let pipeline = try #require(check.pipeline, "\(check.diagnostics)")
            let links = pipeline.links.map { "\($0.from)>\($0.to).\($0.toPortIndex) \($0.rule)" }
            if isLive {
                #expect(rules.allSatisfy { links.contains($0) }, "\(links)")
                // Not the first link, but nothing was spent on the frame: one waits, the newest.
                #expect(links.contains("s>b.0 latest 1"))
            } else {
                #expect(pipeline.links.allSatisfy { $0.rule.policy == .block })
            }
        }
    }
}
