// SPDX-License-Identifier: Apache-2.0

@testable import PipelineLanguage

/// Node types for the tests of the language, which knows no real ones.
enum Sample {
    enum Codec: String, CaseIterable { case h264, hevc, vp9 }

    enum Camera {
        static let device = Param.path("device", default: "/dev/video0", synonyms: ["src"], doc: "Camera to open")
        static let size = Param.size("size", doc: "Picture size to ask for").optional
        static let fps = Param.rate("fps", default: FrameRate(frames: 30), doc: "Frames per second to ask for")
        static let contract = Contract(
            "camera", aliases: ["v4l2"], .source, summary: "Frames from a camera", parameters: [device, size, fps],
            liveness: .always, examples: [.init("A camera at 720p", #"{ "type": "camera", "size": "1280x720" }"#)])
    }

    enum Video {
        static let url = Param.url("url", synonyms: ["path", "file"], doc: "Path or URL to read")
        static let realtime = Param.boolean("realtime", default: false, doc: "Play at the pace of the timestamps")
        static let loop = Param.integer("loop", default: 1, atLeast: 0, doc: "Times to play; 0 is for ever")
        static let contract = Contract(
            "video", .source, summary: "Frames from a file or stream", parameters: [url, realtime, loop],
            liveness: .when { $0[url].hasPrefix("rtsp://") || $0[realtime] })
    }

    enum Detect {
        static let threshold = Param.number(
            "threshold", default: 0.6, range: 0...1, changeable: true, synonyms: ["confidence"],
            doc: "Lowest score to keep")
        static let variant = Param.choice(
            "variant", of: [.init("tiny", "Fastest"), .init("large", "Most exact")], default: "tiny",
            doc: "Which network to run")
        static let weights = Param.path("weights", doc: "Weights to use instead of the built-in ones").optional
        static let every = Param.integer(
            "every", default: 1, range: 1...100, unit: "frames", doc: "Run on each Nth frame")
        static let contract = Contract(
            "detect", .inference, summary: "Finds faces", outputs: [OutputPort(adds: [.faces])],
            parameters: [variant, weights, threshold, every])
    }

    enum Lines {
        static let contract = Contract(
            "lines", .inference, summary: "Finds lines", outputs: [OutputPort(adds: [.lines])])
    }

    enum Overlay {
        static let colours = Param.strings("colours", default: ["red"], doc: "Colours to draw with")
        static let style = Param.object("style", doc: "Anything the drawing understands").optional
        static let contract = Contract(
            "overlay", .processing, summary: "Draws results on frames",
            inputs: [InputPort(count: 1...16, needs: .any, doc: "The picture first, then branches with results")],
            parameters: [colours, style])
    }

    /// Two outputs of different payloads.
    enum Split {
        static let contract = Contract(
            "split", .processing, summary: "Gives frames and their numbers",
            outputs: [OutputPort("out"), OutputPort("numbers", .data)])
    }

    enum Count {
        static let contract = Contract(
            "count", .processing, summary: "Turns frames into numbers", outputs: [OutputPort("out", .data)])
    }

    enum File {
        static let path = Param.path("path", role: .output, synonyms: ["out"], doc: "File to write")
        static let codec = Param.choice("codec", default: Codec.h264, doc: "How to compress")
        static let bitrate = Param.bitrate("bitrate", doc: "Bits per second to aim at").optional
        static let quality = Param.integer("quality", range: 0...51, doc: "Quality instead of a bit rate").optional
        static let fragment = Param.duration(
            "fragment", default: .seconds(2), seconds: 0.1...60, doc: "What a crash can lose at most")
        static let contract = Contract(
            "file", .sink, summary: "Writes a video file", parameters: [path, codec, bitrate, quality, fragment],
            check: { settings in
                guard settings[bitrate] != nil, settings[quality] != nil else { return [] }
                return [
                    SettingsProblem(
                        parameter: "quality", message: "cannot go together with \"bitrate\"",
                        fix: "remove one of the two")
                ]
            })
    }

    enum JSONLines {
        static let path = Param.path("path", role: .output, doc: "File to write")
        static let contract = Contract(
            "jsonl", .sink, summary: "Writes one JSON object per frame", inputs: [InputPort(needs: .any)],
            parameters: [path])
    }

    enum Table {
        static let contract = Contract(
            "table", .sink, summary: "Writes numbers", inputs: [InputPort("rows", .data)])
    }

    static let contracts = ContractTable([
        Camera.contract, Video.contract, Detect.contract, Lines.contract, Overlay.contract, Split.contract,
        Count.contract, File.contract, JSONLines.contract, Table.contract,
    ])

    /// Checks a text as the file `p.json`.
    static func check(
        _ text: String, set overrides: [String] = [], environment: [String: String] = [:]
    ) -> PipelineFile.Check {
        PipelineFile(name: "p.json", text: text)
            .check(against: contracts, overrides: overrides, environment: environment)
    }

    /// The printed diagnostics of a text.
    static func messages(
        _ text: String, set overrides: [String] = [], environment: [String: String] = [:]
    ) -> [String] {
        check(text, set: overrides, environment: environment).diagnostics.map(\.description)
    }

    /// A pipeline without a fault.
    static let good = """
        {
          "name": "door",
          "target": { "fps": 25, "latencyMs": 120 },
          "nodes": {
            "camera": { "type": "camera", "device": "/dev/video2", "size": "1280x720", "fps": 29.97 },
            "faces": { "type": "detect", "input": "camera", "threshold": 0.5 },
            "lines": { "type": "lines", "input": { "from": "camera", "policy": "dropOldest", "capacity": 3 } },
            "overlay": { "type": "overlay", "inputs": ["camera", "faces", "lines"] },
            "file": { "type": "file", "input": "overlay", "path": "out.mp4", "codec": "hevc", "bitrate": "4M" },
            "events": { "type": "jsonl", "input": "faces.out", "path": "faces.jsonl", "onError": "stop" }
          }
        }
        """
}
