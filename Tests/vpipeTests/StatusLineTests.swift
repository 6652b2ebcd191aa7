// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Dataflow
@testable import Pipeline
@testable import vpipe

@Suite struct StatusLineTests {
    private let reading = RunMeter.Reading(
        nodes: [],
        edges: [
            .init(name: "camera -> faces", level: 1, dropRate: 3), .init(name: "faces -> out", level: 0.5, dropRate: 0),
            .init(name: "faces -> log", level: 0, dropRate: 0),
        ], endToEnd: LatencyCounts().summary, fps: 25, dropRate: 3, binding: "faces")

    @Test(arguments: [
        (80, "25 fps  binds: faces  █▅▁"), (25, "25 fps  binds: faces  █▅▁"), (24, "25 fps  binds: faces"),
        (19, "25 fps  █▅▁"), (10, "25 fps"), (3, "25 "),
    ])
    func `the line takes what fits`(_ width: Int, _ text: String) {
        let line = StatusLine(isTerminal: false, noColor: nil, term: "xterm")
        #expect(line.text("25 fps", reading, width: width) == text)
    }

    @Test(
        arguments: [
            (true, nil, "xterm", true), (true, "", "xterm", true), (true, "1", "xterm", false),
            (false, nil, "xterm", false),
            (true, nil, "dumb", false),
        ] as [(Bool, String?, String, Bool)])
    func `colours are for terminals that want them`(_ terminal: Bool, _ no: String?, _ term: String, _ has: Bool) {
        let line = StatusLine(isTerminal: terminal, noColor: no, term: term)
        #expect(line.hasColor == has)
        #expect(line.text("a", reading, width: 80).contains("\u{1B}[33mbinds: faces\u{1B}[0m") == has)
    }
}
