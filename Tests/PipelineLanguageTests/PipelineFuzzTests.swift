// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

@testable import PipelineLanguage

/// Pipeline texts damaged in many ways: whatever they hold, checking them ends, and ends with a word about it.
@Suite struct `Mutated pipelines` {
    /// Eight shards of 1,250 make 10,000 mutations.
    @Test(.timeLimit(.minutes(15)), arguments: 0..<8)
    func `every mutation is valid or explained`(shard: Int) {
        var random = SeededGenerator(seed: 0x5eed_0000 + UInt64(shard))
        var valid = 0
        for _ in 0..<1250 {
            let bytes = Self.mutate(&random)
            let overrides = Int.random(in: 0..<10, using: &random) == 0 ? [Self.flag(&random)] : []
            let check = PipelineFile(name: "p", bytes: bytes).check(
                against: Sample.contracts, overrides: overrides, environment: ["T": "0.5", "X": "\u{0}${Y}"])
            let errors = check.diagnostics.filter { $0.severity == .error }
            if check.pipeline == nil {
                #expect(!errors.isEmpty, "invalid without a reason: \(String(decoding: bytes, as: UTF8.self))")
            } else {
                valid += 1
                #expect(errors.isEmpty, "valid in spite of \(errors)")
            }
            for diagnostic in check.diagnostics {
                #expect(!diagnostic.message.isEmpty && diagnostic.description.utf8.count < 4000)
                if let line = diagnostic.line { #expect(line >= 1 && line <= bytes.count + 1) }
            }
            if let pipeline = check.pipeline {
                #expect(
                    pipeline.links.allSatisfy { pipeline[$0.from] != nil && LinkRule.capacityRange ~= $0.rule.capacity }
                )
                _ = PipelineGraphText(pipeline).dot
            }
        }
        // Some survive (a changed digit, a dropped space); else the mutations would be too coarse to find anything.
        #expect(valid > 20)
        #expect(valid < 1200)
    }

    @Test(arguments: ["[", "{\"a\":", "[[],", "{\"a\":[", "\"", "\\", "'", "/*", "-", "\u{FEFF}", "{\"nodes\":{\"a\":"])
    func `repetition without end is refused quickly`(unit: String) {
        let text = String(repeating: unit, count: 20_000)
        let check = PipelineFile(name: "p", text: text).check(against: Sample.contracts, environment: [:])
        #expect(check.pipeline == nil)
        #expect(!check.diagnostics.isEmpty)
        #expect(check.diagnostics.count <= 101)
    }

    @Test func `a text beyond the limit is refused`() {
        let bytes = Array(repeating: UInt8(ascii: " "), count: JSONTree.byteLimit + 1)
        let check = PipelineFile(name: "p", bytes: bytes).check(against: Sample.contracts, environment: [:])
        #expect(check.diagnostics.map(\.message) == ["the file is larger than 1 MiB"])
    }

    @Test func `thousands of faults give a hundred messages`() {
        let nodes = (0..<900).map { "\"n\($0)\": {\"type\": \"detetc\", \"input\": \"x\($0)\"}" }.joined(
            separator: ",\n")
        let check = Sample.check("{\"nodes\":{\(nodes)}}")
        #expect(check.diagnostics.count == 101)
        #expect(check.diagnostics.last?.message == "1700 more problems are not shown")
    }

    @Test func `warnings alone never become an error, however many`() throws {
        let nodes = (0..<150).map { "\"n\($0)\": {\"type\": \"detect\", \"input\": \"v\"}" }
        let ends = [
            "\"v\": {\"type\": \"video\", \"url\": \"a\"}",
            "\"f\": {\"type\": \"file\", \"input\": \"v\", \"path\": \"x\"}",
        ]
        let check = Sample.check("{\"nodes\":{\((nodes + ends).joined(separator: ",\n"))}}")
        #expect(check.pipeline != nil)
        #expect(check.diagnostics.count == 101)
        #expect(check.diagnostics.allSatisfy { $0.severity == .warning })
    }

    @Test func `a long chain and a wide join are no trouble`() throws {
        var nodes = ["\"n0\": {\"type\": \"video\", \"url\": \"a\"}"]
        for index in 1..<900 { nodes.append("\"n\(index)\": {\"type\": \"detect\", \"input\": \"n\(index - 1)\"}") }
        nodes.append("\"f\": {\"type\": \"file\", \"input\": \"n899\", \"path\": \"x\"}")
        // Backwards, so that the order of the file is no help.
        let text = "{\"nodes\":{\(nodes.reversed().joined(separator: ",\n"))}}"
        let pipeline = try #require(Sample.check(text).pipeline)
        #expect(pipeline.nodes.map(\.id) == (0..<900).map { "n\($0)" } + ["f"])
    }

    // MARK: Mutations

    private static let seeds: [[UInt8]] = [
        Array(Sample.good.utf8),
        Array(
            """
            {"nodes":{"v":{"type":"video","url":"${U:-a.mp4}","loop":3,"realtime":true},
            "s":{"type":"split","input":"v"},"t":{"type":"table","input":"s.numbers"},
            "d":{"type":"detect","input":{"from":"v","policy":"latest"},"threshold":"${T}","variant":"large"},
            "o":{"type":"overlay","inputs":["v","d"],"colours":["red","blue"],"style":{"a":[1,2,{"b":null}]}},
            "f":{"type":"file","input":"o","path":"\\u00e9 $$ \\n.mp4","fragment":"500ms","bitrate":"4M"}}}
            """.utf8),
    ]

    private static let tokens: [String] = [
        "{", "}", "[", "]", ",", ":", "\"", "'", "null", "true", "1e999", "-0", "0.5", "\"camera\"", "\"v\"", "\"o\"",
        "\"inputs\"", "\"input\"", "\"type\"", "\"from\"", "\\u0000", "\\ud800", "${", "${T}", "$$", "}", "//", "/*",
        "\u{FEFF}", "é", "\"nodes\"", "\"capacity\":99999999999999999999", "\"1280x720\"", "\"30000/1001\"",
        "\"99999999999999999999h\"", "\"9223372036854775807/1\"", "-9223372036854775808.0", "\"1e400M\"", "[[[[[[[[",
        "{\"a\":{\"a\":{\"a\":",
    ]

    private static func mutate(_ random: inout SeededGenerator) -> [UInt8] {
        var bytes = seeds[Int.random(in: 0..<seeds.count, using: &random)]
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            guard !bytes.isEmpty else { break }
            let at = Int.random(in: 0..<bytes.count, using: &random)
            let length = min(Int.random(in: 1...20, using: &random), bytes.count - at)
            switch Int.random(in: 0..<9, using: &random) {
            case 0: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1: bytes[at] = UInt8.random(in: 0...255, using: &random)
            case 2: bytes.removeSubrange(at..<at + length)
            case 3: bytes.insert(contentsOf: Array(bytes[at..<at + length]), at: at)
            case 4: bytes.insert(contentsOf: tokens[Int.random(in: 0..<tokens.count, using: &random)].utf8, at: at)
            case 5: swapStrings(in: &bytes, &random)
            case 6: bytes.removeSubrange(at...)
            case 7:
                let nest = Int.random(in: 1...200, using: &random)
                bytes.insert(
                    contentsOf: Array(
                        repeating: Bool.random(using: &random) ? UInt8(ascii: "[") : UInt8(ascii: "{"), count: nest),
                    at: at)
            default:
                let digits = bytes.indices.filter { (0x30...0x39).contains(bytes[$0]) }
                if let digit = digits.randomElement(using: &random) {
                    bytes[digit] = UInt8.random(in: 0x30...0x39, using: &random)
                }
            }
        }
        return bytes
    }

    /// Puts one quoted string of the text in the place of another: the result is JSON, with other words in it.
    private static func swapStrings(in bytes: inout [UInt8], _ random: inout SeededGenerator) {
        let quotes = bytes.indices.filter { bytes[$0] == UInt8(ascii: "\"") }
        guard quotes.count >= 4 else { return }
        let first = Int.random(in: 0..<quotes.count / 2, using: &random) * 2
        let second = Int.random(in: 0..<quotes.count / 2, using: &random) * 2
        let text = Array(bytes[quotes[second]...quotes[second + 1]])
        bytes.replaceSubrange(quotes[first]...quotes[first + 1], with: text)
    }

    private static func flag(_ random: inout SeededGenerator) -> String {
        let left = [
            "faces.threshold", "d.threshold", "overlay.inputs", "name", "target.fps", "x", "", "o.inputs.1.policy",
        ]
        let right = ["=0.5", "=", "", "={", "=[\"v\",\"d\"]", "=latest", "=\u{0}", "==", "=\"a"]
        return left[Int.random(in: 0..<left.count, using: &random)]
            + right[Int.random(in: 0..<right.count, using: &random)]
    }
}
