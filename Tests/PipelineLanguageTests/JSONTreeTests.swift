// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import PipelineLanguage

@Suite struct `The JSON tree` {
    private func tree(_ text: String) -> JSONTree { JSONTree(bytes: Array(text.utf8)) }

    @Test func `every value and key knows its bytes`() throws {
        let text = #"{ "é": [1.5e3, "x\n"], "b" : {"c":null} }"#
        let bytes = Array(text.utf8)
        let root = try #require(tree(text).root)
        func slice(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
        #expect(slice(root.range) == text)
        let first = root.members[0]
        #expect(first.key == "é")
        #expect(slice(first.keyRange) == #""é""#)
        #expect(slice(first.value.range) == #"[1.5e3, "x\n"]"#)
        #expect(first.value.elements.map { slice($0.range) } == ["1.5e3", #""x\n""#])
        #expect(first.value.elements[0].number == 1500)
        #expect(first.value.elements[1].string == "x\n")
        let second = try #require(root.member("b"))
        #expect(slice(second.value["c"]?.range ?? 0..<0) == "null")
    }

    @Test(arguments: [
        (#""\u0041\u00e9\ud83d\ude00""#, "Aé😀"), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""""#, ""),
        ("\"日本\"", "日本"),
    ])
    func `strings are unescaped`(text: String, value: String) {
        let tree = tree(text)
        #expect(tree.root?.string == value)
        #expect(tree.problems.isEmpty)
    }

    @Test(
        arguments: [
            ("0", 0.0, 0), ("-0", -0.0, 0), ("30.0", 30, 30), ("1e2", 100, 100), ("-12", -12, -12), ("0.5", 0.5, nil),
            ("1E-2", 0.01, nil), ("9007199254740993", 9_007_199_254_740_992, 9_007_199_254_740_993),
            ("1e300", 1e300, nil),
            ("9223372036854775808", 9_223_372_036_854_775_808, nil), ("-9223372036854775808.0", -0x1p63, nil),
            ("-9223372036854775808", -0x1p63, Int.min), ("-1e19", -1e19, nil),
        ] as [(String, Double, Int?)])
    func `numbers keep their integer value where they have one`(text: String, value: Double, integer: Int?) throws {
        let root = try #require(tree(text).root)
        guard case .number(let number) = root.value else {
            Issue.record("not a number: \(text)")
            return
        }
        #expect(number.double == value)
        #expect(number.integer == integer)
    }

    @Test(
        arguments: [
            [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22],
            [0x22, 0xF5, 0x80, 0x80, 0x80, 0x22],
            [0x22, 0xE2, 0x82, 0x22], [0x22, 0xE0, 0x80, 0x80, 0x22], [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22],
            [0x22, 0x80, 0x22],
            [0x22, 0xE2, 0x82],
        ] as [[UInt8]])
    func `bytes that are no UTF-8 are pointed at`(bytes: [UInt8]) {
        let tree = JSONTree(bytes: bytes)
        #expect(tree.problems.first?.message == "not valid UTF-8")
        #expect(tree.problems.first?.location.offset == 1)
    }

    @Test(arguments: ["é", "€", "😀", "\u{10FFFF}", "\u{D7FF}", "\u{E000}", "\u{7FF}\u{800}\u{FFFF}\u{10000}"])
    func `all of Unicode is valid`(text: String) {
        #expect(JSONParser.firstInvalid(Array(text.utf8), from: 0) == nil)
    }

    @Test func `a byte order mark is passed over, and UTF-16 is named`() {
        #expect(tree("\u{FEFF}{}").problems.isEmpty)
        #expect(
            SourceText(file: "", bytes: Array("\u{FEFF}{}".utf8)).position(of: 3) == TextPosition(line: 1, column: 1))
        let utf16 = JSONTree(bytes: [0xFF, 0xFE, 0x7B, 0x00])
        #expect(utf16.problems.map(\.message) == ["the file is UTF-16, not UTF-8"])
        #expect(!utf16.isComplete)
    }

    @Test(arguments: [
        ("abc", 0, 1, 1), ("abc", 3, 1, 4), ("a\nb", 2, 2, 1), ("a\r\nb", 3, 2, 1), ("é\té", 4, 1, 4),
        ("\n\n", 2, 3, 1),
        ("a", 99, 1, 2), ("", 0, 1, 1), ("a", -5, 1, 1),
    ])
    func `offsets become lines and columns`(text: String, offset: Int, line: Int, column: Int) {
        let position = SourceText(file: "", bytes: Array(text.utf8)).position(of: offset)
        #expect(position == TextPosition(line: line, column: column))
    }

    @Test func `64 levels are read and 65 are not`() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(tree(nested(64)).isComplete)
        #expect(!tree(nested(65)).isComplete)
    }

    @Test func `a written document reads back the same`() throws {
        let text = #"{"a":[1,-2.5,"x\"\\\n\u0001é",true,null,{}],"b":{"c":[]}}"#
        let root = try #require(tree(text).root)
        #expect(JSONDocument(root).compact == text)
        let again = try #require(tree(JSONDocument(root).pretty).root)
        #expect(JSONDocument(again).compact == text)
    }
}
