// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Pipeline

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
}
