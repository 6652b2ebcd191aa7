// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import PipelineLanguage

/// What `"for"` writes out.
@Suite struct `Nodes repeated for several sources` {
    private static let text = """
        {"for":{"front":{"url":"rtsp://a/1","rate":5,"low":0.25},"back":"${BACK:-rtsp://b/2}"},
        "target":{"fps":25},
        "ladder":[{"d.threshold":0.9}],
        "nodes":{"v":{"type":"video","url":"${url}"},
        "d":{"type":"detect","input":"v","every":"${rate:-2}","threshold":"${low:-0.5}"},
        "o":{"type":"overlay","inputs":["v",{"from":"d","policy":"latest"}]},
        "f":{"type":"file","input":"o","path":"rec/${source}-$${x}-${HOME}.mp4"}}}
        """

    private func pipeline(_ overrides: [String] = [], _ text: String = text) throws -> ValidatedPipeline {
        let check = Sample.check(text, set: overrides, environment: ["HOME": "me"])
        #expect(check.diagnostics.map(\.description) == [])
        return try #require(check.pipeline)
    }

    @Test func `each source has its own nodes, linked among themselves`() throws {
        let pipeline = try pipeline()
        #expect(
            Set(pipeline.nodes.map(\.id))
                == Set(["front", "back"].flatMap { name in ["v", "d", "o", "f"].map { "\(name)-\($0)" } }))
        for link in pipeline.links { #expect(link.from.split(separator: "-")[0] == link.to.split(separator: "-")[0]) }
        #expect(pipeline["back-o"]?.inputs.map(\.from) == ["back-v", "back-d"])
        #expect(pipeline["front-f"]?.sources == ["front-v"])
    }

    @Test func `values of a source take the place of variables, the environment that of the others`() throws {
        let pipeline = try pipeline()
        #expect(pipeline["front-v"]?.settings[Sample.Video.url] == "rtsp://a/1")
        #expect(pipeline["back-v"]?.settings[Sample.Video.url] == "rtsp://b/2")
        #expect(pipeline["front-d"]?.settings[Sample.Detect.every] == 5)
        #expect(pipeline["back-d"]?.settings[Sample.Detect.every] == 2)
        #expect(pipeline["front-d"]?.settings[Sample.Detect.threshold] == 0.25)
        #expect(pipeline["front-f"]?.settings.value(named: "path")?.text == "rec/front-${x}-me.mp4")
        #expect(pipeline["back-f"]?.settings.value(named: "path")?.text == "rec/back-${x}-me.mp4")
    }

    @Test func `the ladder and --set reach all copies, or the one that is named`() throws {
        let all = try pipeline(["d.every=7"])
        #expect(["front-d", "back-d"].map { all[$0]?.settings[Sample.Detect.every] } == [7, 7])
        let one = try pipeline(["back-d.every=9"])
        #expect(["front-d", "back-d"].map { one[$0]?.settings[Sample.Detect.every] } == [5, 9])
        for id in ["front-d", "back-d"] {
            let node = try #require(all[id])
            #expect(all.ladder.settings(of: node, on: 1)[Sample.Detect.threshold] == 0.9)
        }
        // As a slider of the preview does it.
        let changed = try all.setting("threshold", of: "front-d", to: "0.1")
        #expect(changed["front-d"]?.settings[Sample.Detect.threshold] == 0.1)
        #expect(changed["back-d"]?.settings[Sample.Detect.threshold] == 0.5)
    }

    @Test(arguments: [
        (#"{"for":[],"nodes":{}}"#, "for: must be an object of sources by name"),
        (#"{"for":{},"nodes":{}}"#, "for: must be an object of sources by name"),
        (#"{"for":{"a b":"x"},"nodes":{}}"#, "for.a b: is no name of a source (found \"a b\")"),
        (#"{"for":{"a":7},"nodes":{}}"#, "for.a: must be an address, or an object of values (found 7)"),
        (#"{"for":{"a":{"source":"x"}},"nodes":{}}"#, "for.a.source: cannot be set: ${source} is the source's name"),
        (
            #"{"for":{"a":{"url":"x","n":1}},"nodes":{"v":{"type":"video","url":"${url}"},"f":{"type":"file","input":"v","path":"y"}}}"#,
            "t.json:1:24: warning: for.a.n: no node uses ${n}"
        ),
        (
            #"{"for":{"a":"x"},"nodes":{"v":{"type":"video","url":"${ulr}"},"f":{"type":"file","input":"v","path":"y"}}}"#,
            "environment variable ulr is not set"
        ),
    ])
    func `mistakes are told where they are`(_ text: String, _ message: String) {
        let said = Sample.messages(text, environment: [:]).joined(separator: "\n")
        #expect(said.contains(message.replacingOccurrences(of: "t.json", with: "")), "\(said)")
    }

    @Test func `a mistake in a node is told once, whatever the sources`() {
        let text = """
            {"for":{"a":"x","b":"y","c":"z"},"nodes":{"v":{"type":"video","url":"${url}","lop":3},
            "f":{"type":"file","input":"v","path":"${source}.mp4"}}}
            """
        #expect(Sample.messages(text, environment: [:]).count == 1)
    }
}
