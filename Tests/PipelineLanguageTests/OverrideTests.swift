// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import PipelineLanguage

@Suite struct `Environment and flags` {
    static let text = """
        {"nodes":{"v":{"type":"video","url":"${URL:-a.mp4}","loop":"${LOOP:-2}","realtime":"${LIVE:-false}"},
        "d":{"type":"detect","input":"v","threshold":0.25,"weights":"${HOME}/$$w/${NAME}.safetensors"},
        "o":{"type":"overlay","inputs":["v","d"],"colours":"${COLOURS:-red,blue}"},
        "f":{"type":"file","input":"o","path":"o.mp4"}}}
        """
    static let environment = ["HOME": "/home/me", "NAME": "tiny"]

    private func pipeline(_ overrides: [String] = [], _ more: [String: String] = [:]) throws -> ValidatedPipeline {
        let check = Sample.check(
            Self.text, set: overrides, environment: Self.environment.merging(more) { $1 })
        #expect(check.diagnostics.filter { $0.severity == .error }.map(\.description) == [])
        return try #require(check.pipeline)
    }

    @Test func `defaults stand in, and values become what the parameter takes`() throws {
        let pipeline = try pipeline()
        let video = try #require(pipeline["v"]).settings
        #expect(video[Sample.Video.url] == "a.mp4")
        #expect(video[Sample.Video.loop] == 2)
        #expect(video[Sample.Video.realtime] == false)
        #expect(pipeline["d"]?.settings[Sample.Detect.weights] == "/home/me/$w/tiny.safetensors")
        #expect(pipeline["o"]?.settings[Sample.Overlay.colours] == ["red", "blue"])
    }

    @Test func `variables replace defaults`() throws {
        let pipeline = try pipeline([], ["URL": "rtsp://x/1", "LOOP": "0", "LIVE": "yes"])
        let video = try #require(pipeline["v"]).settings
        #expect(video[Sample.Video.url] == "rtsp://x/1")
        #expect(video[Sample.Video.loop] == 0)
        #expect(video[Sample.Video.realtime] == true)
        #expect(pipeline["f"]?.isLive == true)
    }

    @Test func `target and links take numbers from the environment too`() throws {
        let text = """
            {"target":{"fps":"${FPS}","latencyMs":"${MS:-80}"},"nodes":{"v":{"type":"video","url":"a"},
            "f":{"type":"file","path":"o","input":{"from":"${FROM}","policy":"${P:-dropOldest}","capacity":"${N:-6}"}}}}
            """
        let check = Sample.check(text, environment: ["FPS": "12.5", "FROM": "v"])
        #expect(check.pipeline?.target == PipelineTarget(fps: 12.5, latencyMilliseconds: 80))
        #expect(check.pipeline?.links.map(\.rule) == [LinkRule(.dropOldest, capacity: 6)])
    }

    @Test func `an empty variable takes the default`() throws {
        #expect(try pipeline([], ["URL": ""])["v"]?.settings[Sample.Video.url] == "a.mp4")
    }

    @Test func `what a variable holds is not expanded again`() throws {
        #expect(try pipeline([], ["URL": "${HOME}"])["v"]?.settings[Sample.Video.url] == "${HOME}")
    }

    @Test func `flags change, add and replace`() throws {
        let pipeline = try pipeline([
            "d.threshold=0.75", "d.every=3", "f.codec=vp9", "name=night", "target.fps=25", "target.latencyMs=80.5",
            "f.input=d", "v.realtime=on", "nodes.f.fragment=500ms", "o.colours=green,white", "f.bitrate=2M",
        ])
        let detect = try #require(pipeline["d"]).settings
        #expect(detect[Sample.Detect.threshold] == 0.75)
        #expect(detect[Sample.Detect.every] == 3)
        let file = try #require(pipeline["f"])
        #expect(file.settings[Sample.File.codec] == .vp9)
        #expect(file.settings[Sample.File.fragment] == .milliseconds(500))
        #expect(file.settings[Sample.File.bitrate] == 2_000_000)
        #expect(file.inputs.map(\.from) == ["d"])
        #expect(pipeline.name == "night")
        #expect(pipeline.target == PipelineTarget(fps: 25, latencyMilliseconds: 80.5))
        #expect(pipeline["o"]?.settings[Sample.Overlay.colours] == ["green", "white"])
    }

    @Test func `a flag may be JSON`() throws {
        let pipeline = try pipeline([
            #"o.inputs=["v",{"from":"d","policy":"dropNewest","capacity":7}]"#, #"o.style={"width":2}"#,
            #"v.url="b c.mp4""#,
        ])
        #expect(pipeline["o"]?.inputs.map(\.rule) == [.join, LinkRule(.dropNewest, capacity: 7)])
        #expect(pipeline["o"]?.settings[Sample.Overlay.style]?["width"]?.number == 2)
        #expect(pipeline["v"]?.settings[Sample.Video.url] == "b c.mp4")
    }

    @Test func `a flag reaches into inputs`() throws {
        let pipeline = try pipeline(["f.input.policy=dropOldest", "f.input.capacity=8", "o.inputs.1=v", "o.inputs.1=d"])
        #expect(pipeline["f"]?.inputs.map(\.rule) == [LinkRule(.dropOldest, capacity: 8)])
        #expect(pipeline["o"]?.inputs.map(\.from) == ["v", "d"])
    }

    @Test func `input and inputs replace each other`() throws {
        #expect(try pipeline(["o.input=d"])["o"]?.inputs.map(\.from) == ["d"])
        #expect(try pipeline([#"f.inputs=["d"]"#])["f"]?.inputs.map(\.from) == ["d"])
    }

    @Test func `a type can be changed`() throws {
        let text = #"{"nodes":{"c":{"type":"video"},"f":{"type":"file","input":"c","path":"o"}}}"#
        #expect(Sample.check(text, set: ["c.type=camera"]).pipeline?["c"]?.type == "camera")
    }

    @Test func `values in flags are taken literally, and hide variables that are not set`() throws {
        let text = #"{"nodes":{"v":{"type":"video","url":"${NOT_SET}"},"f":{"type":"file","input":"v","path":"o"}}}"#
        let check = Sample.check(text, set: ["v.url=rtsp://me:pa$$${x}@host/"])
        #expect(check.diagnostics == [])
        #expect(check.pipeline?["v"]?.settings[Sample.Video.url] == "rtsp://me:pa$$${x}@host/")
    }

    @Test func `the last of several flags counts`() throws {
        #expect(try pipeline(["d.every=2", "d.every=5"])["d"]?.settings[Sample.Detect.every] == 5)
    }

    @Test func `a value may hold an equals sign, or nothing`() throws {
        #expect(try pipeline(["v.url=a?b=c"])["v"]?.settings[Sample.Video.url] == "a?b=c")
        #expect(
            Sample.messages(Self.text, set: ["v.url="], environment: Self.environment) == [
                "--set v.url=: error: nodes.v.url: must not be empty (found nothing)"
            ])
    }
}
