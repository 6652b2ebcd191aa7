// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

@testable import PipelineLanguage

@Suite struct `Contracts` {
    @Test func `types and aliases lead to the contract`() throws {
        var contracts = ContractTable()
        try contracts.add(Sample.Detect.contract)
        try contracts.add(Sample.Camera.contract)
        #expect(contracts["v4l2"]?.type == "camera")
        #expect(contracts["nothing"] == nil)
        #expect(contracts.names == ["detect", "camera", "v4l2"])
        #expect(contracts.nearest(to: "detcet") == "detect")
        #expect(contracts.byCategory.map(\.0) == [.source, .inference])
    }

    @Test func `settings fall back to defaults`() {
        let settings = Settings([Sample.Detect.threshold, Sample.Detect.weights])
        #expect(settings[Sample.Detect.threshold] == 0.6)
        #expect(settings[Sample.Detect.weights] == nil)
        #expect(!settings.isGiven(Sample.Detect.threshold))
        let changed = settings.replacing("threshold", with: .number(0.75))
        #expect(changed[Sample.Detect.threshold] == 0.75)
        #expect(changed.value(named: "threshold")?.text == "0.75")
    }

    @Test func `a good contract has no mistakes, and its examples hold`() {
        for contract in Sample.contracts.contracts + ReferenceSample.contracts.contracts {
            #expect(contract.mistakes == [])
            #expect(contract.exampleProblems == [])
        }
    }

    @Test func `mistakes of a declaration are found`() {
        let contract = Contract(
            "bad", .sink, summary: "", inputs: [InputPort("a", count: 0...3), InputPort("a")], outputs: [OutputPort()],
            parameters: [
                Param.number("x", default: 2, range: 0...1, doc: "x"), Param.string("x", default: "", doc: ""),
                Param.boolean("input", default: true, doc: "y"),
                Param.choice("c", of: ["a"], default: "b", doc: "z"),
            ])
        #expect(
            contract.mistakes == [
                "default of x: must be a number between 0 and 1", "parameter x twice",
                "parameter x has no documentation",
                "parameter input is reserved", "default of c: must be \"a\"",
                "input a takes several links but is not the last",
                "two inputs share a name", "a sink has no outputs", "the summary is not one line",
            ])
    }

    @Test func `faults in an example are found`() {
        let contract = Contract(
            "thing", .sink, summary: "A thing", parameters: [Param.integer("n", range: 1...2, doc: "A number")],
            examples: [.init("Wrong", #"{ "type": "thing", "input": "x", "n": 3, "m": 1 }"#), .init("Broken", "{")])
        #expect(
            contract.exampleProblems.map(\.description) == [
                "example \"Wrong\" of thing:1:39: error: nodes.example.n: must be between 1 and 2 (found 3)",
                """
                example "Wrong" of thing:1:42: error: nodes.example.m: "thing" has no such parameter
                  fix: keys: type, input, n
                """,
                "example \"Broken\" of thing:1:1: error: `{` is never closed\n  fix: add the missing `}`",
            ])
    }

    @Test func `roles and savings that contradict their parameter are mistakes`() {
        let contract = Contract(
            "thing", .sink, summary: "A thing",
            parameters: [
                Param.integer("port", default: 1, doc: "d").role(.peer),
                Param.boolean("slow", default: true, doc: "d").role(.pace(freely: .integer(1))),
                Param.integer("step", default: 1, doc: "d").cheaper(by: .fewerFrames),
                Param.boolean("plain", default: true, changeable: true, doc: "d").cheaper(by: .fewerPixels),
            ])
        #expect(
            contract.mistakes == [
                "parameter port names nothing that could be written", "trial value of slow: must be true or false",
                "parameter step saves something but cannot change while running", "parameter plain is no factor",
            ])
    }

    @Test func `one value is read from text while running`() throws {
        let value = try Sample.Detect.contract.value("threshold", from: "0.75")
        #expect(value.text == "0.75")
        #expect(try Sample.File.contract.value("bitrate", from: "2M").text == "2000000")
        #expect(throws: PipelineFileError.self) { try Sample.Detect.contract.value("threshold", from: "2") }
        #expect(throws: PipelineFileError.self) { try Sample.Detect.contract.value("thresh", from: "0.1") }
    }

    @Test(arguments: [
        ("", "abc", 3), ("abc", "abc", 0), ("threshold", "treshold", 1), ("camera", "caemra", 1),
        ("kitten", "sitting", 3),
        ("ca", "abc", 3), ("Mlsd", "mlsd", 0), ("é", "e", 1), ("flaw", "lawn", 2),
    ])
    func `the edit distance`(first: String, second: String, distance: Int) {
        #expect(editDistance(first, second) == distance)
        #expect(editDistance(second, first) == distance)
    }

    @Test func `the edit distance agrees with its definition`() {
        var random = SeededGenerator(seed: 11)
        for _ in 0..<300 {
            let words = (0..<2).map { _ in
                String(
                    (0..<Int.random(in: 0...5, using: &random)).map { _ in "abc".randomElement(using: &random) ?? "a" })
            }
            #expect(editDistance(words[0], words[1]) == Self.plainDistance(Array(words[0])[...], Array(words[1])[...]))
        }
    }

    /// The recursive definition of optimal string alignment.
    private static func plainDistance(_ a: ArraySlice<Character>, _ b: ArraySlice<Character>) -> Int {
        guard let lastA = a.last, let lastB = b.last else { return max(a.count, b.count) }
        let (shortA, shortB) = (a.dropLast(), b.dropLast())
        var best = min(
            plainDistance(shortA, b) + 1, plainDistance(a, shortB) + 1,
            plainDistance(shortA, shortB) + (lastA == lastB ? 0 : 1))
        if let beforeA = shortA.last, let beforeB = shortB.last, lastA == beforeB, beforeA == lastB {
            best = min(best, plainDistance(shortA.dropLast(), shortB.dropLast()) + 1)
        }
        return best
    }

    @Test(
        arguments: [
            ("camra", "camera"), ("detekt", "detect"), ("thresh", "threshold"), ("x", nil), ("banana", nil), ("", nil),
            ("CAMERA", "camera"), ("fps", "fps"), ("urls", "url"),
        ] as [(String, String?)])
    func `the closest word`(word: String, expected: String?) {
        #expect(closest(to: word, among: ["camera", "detect", "threshold", "url", "fps"]) == expected)
    }
}
