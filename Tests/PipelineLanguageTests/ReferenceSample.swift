// SPDX-License-Identifier: Apache-2.0

@testable import PipelineLanguage

/// Two node types that together have every kind of parameter and port, for the golden texts.
enum ReferenceSample {
    static let parameters: [any ParamDeclaration] = [
        Param.string("label", default: "a \"b\"", changeable: true, doc: "Some text, with a | in it"),
        Param.path("path", role: .output, doc: "A path"),
        Param.url("url", doc: "A path or URL").optional,
        Param.integer("count", default: 3, range: 0...9, unit: "frames", doc: "An integer"),
        Param.number("gain", default: 0.25, atLeast: 0.125, doc: "A number with one bound"),
        Param.boolean("fast", default: false, doc: "A switch"),
        Param.choice("mode", of: [.init("one", "The first"), "two"], default: "two", doc: "A choice"),
        Param.size("size", default: PixelSize(width: 640, height: 480), doc: "A size"),
        Param.duration("wait", default: .milliseconds(1500), seconds: 0...60, doc: "A duration"),
        Param.rate("fps", default: FrameRate(frames: 30000, seconds: 1001), doc: "A rate"),
        Param.bitrate("bits", doc: "A bit rate").optional,
        Param.strings("names", default: ["x", "y"], doc: "A list"),
        Param.object("more", doc: "Anything").optional,
    ]

    static let contracts = ContractTable([
        Contract("feed", .source, summary: "Makes frames", outputs: [OutputPort(), OutputPort("numbers", .data)]),
        Contract(
            "kinds", aliases: ["all"], .processing, summary: "Has every kind of parameter",
            details: "More is said **here**.",
            inputs: [
                InputPort("main", doc: "The picture"), InputPort("side", .data, required: false),
                InputPort("rest", count: 0...4, needs: .anyOf([.lines, .faces])),
            ],
            outputs: [OutputPort(adds: [.faces], keeps: false, doc: "The same picture")], parameters: parameters,
            examples: [.init("The least", #"{ "type": "kinds", "input": "feed", "path": "x" }"#)]),
    ])
}
