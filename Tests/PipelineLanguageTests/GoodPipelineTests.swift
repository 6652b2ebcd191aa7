// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import PipelineLanguage

@Suite struct `Good pipelines` {
    @Test func `a whole pipeline is resolved`() throws {
        let check = Sample.check(Sample.good)
        #expect(check.diagnostics == [])
        let pipeline = try #require(check.pipeline)
        #expect(pipeline.name == "door")
        #expect(pipeline.target == PipelineTarget(fps: 25, latencyMilliseconds: 120))
        #expect(pipeline.nodes.map(\.id) == ["camera", "faces", "lines", "overlay", "file", "events"])
        let camera = try #require(pipeline["camera"])
        #expect(camera.settings[Sample.Camera.device] == "/dev/video2")
        #expect(camera.settings[Sample.Camera.size] == PixelSize(width: 1280, height: 720))
        #expect(camera.settings[Sample.Camera.fps] == FrameRate(frames: 30000, seconds: 1001))
        #expect(camera.position == TextPosition(line: 5, column: 5))
        let file = try #require(pipeline["file"])
        #expect(file.settings[Sample.File.codec] == .hevc)
        #expect(file.settings[Sample.File.bitrate] == 4_000_000)
        #expect(file.settings[Sample.File.quality] == nil)
        #expect(file.settings[Sample.File.fragment] == .seconds(2))
        #expect(file.settings.isGiven(Sample.File.codec))
        #expect(!file.settings.isGiven(Sample.File.fragment))
        #expect(file.results == [.faces, .lines])
        #expect(file.sources == ["camera"])
        #expect(file.isLive)
        #expect(pipeline["events"]?.onError == .stop)
        #expect(pipeline["faces"]?.settings[Sample.Detect.threshold] == 0.5)
        #expect(pipeline["faces"]?.settings[Sample.Detect.weights] == nil)
        #expect(pipeline["overlay"]?.settings[Sample.Overlay.colours] == ["red"])
    }

    @Test func `links from live sources drop, links from files wait`() throws {
        let live = try #require(Sample.check(Sample.good).pipeline)
        #expect(
            live.links.map { "\($0.from)>\($0.to).\($0.toPortIndex) \($0.rule)" } == [
                "camera>faces.0 latest 1", "camera>lines.0 dropOldest 3", "camera>overlay.0 dropOldest 16",
                "faces>overlay.1 block 16", "lines>overlay.2 block 16", "overlay>file.0 block 2",
                "faces>events.0 block 2",
            ])
        let file = try #require(Sample.check(Self.video("a.mp4")).pipeline)
        #expect(file.links.map(\.rule) == [.lossless, .lossless])
        #expect(file.nodes.allSatisfy { !$0.isLive })
        let stream = try #require(Sample.check(Self.video("rtsp://camera/1")).pipeline)
        #expect(stream.links.map(\.rule) == [.live, .liveLater])
        #expect(stream.nodes.allSatisfy { $0.isLive })
    }

    @Test(arguments: [
        (#""v""#, "block 2", false), (#""v.out""#, "block 2", false), (#"{"from":"v"}"#, "block 2", false),
        (#"{"from":"v","capacity":9}"#, "block 9", true), (#"{"from":"v","policy":"latest"}"#, "latest 1", true),
        (#"{"from":"v","policy":"dropOldest"}"#, "dropOldest 2", true),
        (#"{"from":"v","policy":"dropNewest","capacity":1024}"#, "dropNewest 1024", true),
    ])
    func `an input says how its link behaves`(input: String, rule: String, isGiven: Bool) throws {
        let text = #"{"nodes":{"v":{"type":"video","url":"a"},"f":{"type":"file","path":"o","input":\#(input)}}}"#
        let link = try #require(Sample.check(text).pipeline?.links.first)
        #expect(link.rule.description == rule)
        #expect(link.isRuleGiven == isGiven)
    }

    @Test func `a port may ask for its own kind of link`() throws {
        let port = InputPort(count: 1...4, link: LinkRule(.dropOldest, capacity: 6))
        let contracts = ContractTable([
            Sample.Camera.contract, Contract("show", .sink, summary: "Shows frames", inputs: [port]),
        ])
        let text = """
            {"nodes":{"c":{"type":"camera"},"s":{"type":"show","inputs":[
            "c",{"from":"c","capacity":2},{"from":"c","policy":"block"},{"from":"c","policy":"latest"}]}}}
            """
        let check = PipelineFile(name: "p", text: text).check(against: contracts, environment: [:])
        let rules = check.pipeline?.links.map(\.rule.description)
        #expect(rules == ["dropOldest 6", "dropOldest 2", "block 2", "latest 1"])
    }

    @Test func `a capacity alone on a live link keeps the newest frames`() throws {
        let text =
            #"{"nodes":{"c":{"type":"camera"},"f":{"type":"file","path":"o","input":{"from":"c","capacity":5}}}}"#
        #expect(Sample.check(text).pipeline?.links.first?.rule == LinkRule(.dropOldest, capacity: 5))
    }

    @Test func `nodes are sorted by what they read, then by the file`() throws {
        let text = """
            {"nodes":{
            "out":{"type":"file","input":"draw","path":"o"}, "draw":{"type":"overlay","inputs":["v","b","a"]},
            "b":{"type":"lines","input":"v"}, "a":{"type":"detect","input":"v"}, "v":{"type":"video","url":"x"}}}
            """
        let pipeline = try #require(Sample.check(text).pipeline)
        #expect(pipeline.nodes.map(\.id) == ["v", "b", "a", "draw", "out"])
        #expect(pipeline["draw"]?.inputs.map(\.from) == ["v", "b", "a"])
        #expect(pipeline["v"]?.outputs.map(\.to) == ["draw", "b", "a"])
    }

    @Test func `ports are found by name and payload`() throws {
        let text = """
            {"nodes":{"v":{"type":"video","url":"x"},"s":{"type":"split","input":"v"},
            "t":{"type":"table","input":"s.numbers"},"f":{"type":"file","input":"s","path":"o"}}}
            """
        let pipeline = try #require(Sample.check(text).pipeline)
        #expect(pipeline["t"]?.inputs.map(\.fromPortIndex) == [1])
        #expect(pipeline["t"]?.inputs.map(\.toPort) == ["rows"])
        #expect(pipeline["f"]?.inputs.map(\.fromPort) == ["out"])
    }

    @Test func `a branch that reaches no sink is a warning, and is marked`() throws {
        let text = """
            {"nodes":{"v":{"type":"video","url":"x"},"d":{"type":"detect","input":"v"},"l":{"type":"lines","input":"d"},
            "f":{"type":"file","input":"v","path":"o"}}}
            """
        let pipeline = try #require(Sample.check(text).pipeline)
        #expect(pipeline.warnings.count == 1)
        #expect(pipeline.nodes.filter { !$0.reachesSink }.map(\.id) == ["d", "l"])
    }

    @Test func `an alias is the type it stands for`() throws {
        let text =
            #"{"$schema":"x","$comment":"y","nodes":{"c":{"type":"v4l2","$comment":"z"},"f":{"type":"file","input":"c","path":"o"}}}"#
        #expect(Sample.check(text).pipeline?["c"]?.type == "camera")
    }

    @Test(arguments: [
        ("30", "30"), ("29.97", "30000/1001"), ("23.976", "24000/1001"), ("59.94", "60000/1001"), ("12.5", "25/2"),
        ("\"30000/1001\"", "30000/1001"), ("\"50/2\"", "25"), ("\"25\"", "25"), ("0.1", "1/10"), ("1000", "1000"),
    ])
    func `frame rates are exact`(text: String, rate: String) throws {
        let file = #"{"nodes":{"c":{"type":"camera","fps":\#(text)},"f":{"type":"file","input":"c","path":"o"}}}"#
        #expect(Sample.check(file).pipeline?["c"]?.settings[Sample.Camera.fps].description == rate)
    }

    @Test(
        arguments: [
            ("500ms", 0.5), ("1.5s", 1.5), ("2 s", 2), ("1m", 60), ("250000us", 0.25), ("0.5min", 30),
        ] as [(String, Double)])
    func `durations have units`(text: String, seconds: Double) throws {
        let file =
            #"{"nodes":{"c":{"type":"camera"},"f":{"type":"file","input":"c","path":"o","fragment":"\#(text)"}}}"#
        #expect(Sample.check(file).pipeline?["f"]?.settings[Sample.File.fragment].inSeconds == seconds)
    }

    @Test(arguments: [("800000", 800_000), ("\"800k\"", 800_000), ("\"4M\"", 4_000_000), ("\"1.5M\"", 1_500_000)])
    func `bit rates have suffixes`(text: String, value: Int) throws {
        let file = #"{"nodes":{"c":{"type":"camera"},"f":{"type":"file","input":"c","path":"o","bitrate":\#(text)}}}"#
        #expect(Sample.check(file).pipeline?["f"]?.settings[Sample.File.bitrate] == value)
    }

    private static func video(_ url: String) -> String {
        """
        {"nodes":{"v":{"type":"video","url":"\(url)"},"d":{"type":"detect","input":"v"},
        "f":{"type":"file","input":"d","path":"o.mp4"}}}
        """
    }
}
