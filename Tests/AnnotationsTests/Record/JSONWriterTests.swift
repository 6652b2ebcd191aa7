// SPDX-License-Identifier: Apache-2.0
import Annotations
import Testing

@Suite struct JSONWriterTests {
    private func text(_ body: (inout JSONWriter) -> Void) -> String {
        var json = JSONWriter()
        body(&json)
        return json.withBytes { String(decoding: $0, as: UTF8.self) }
    }

    @Test(arguments: [
        (0.0, 2, "0"), (1, 2, "1"), (-0.001, 2, "0"), (-1.5, 2, "-1.5"), (0.05, 2, "0.05"),
        (0.666_666_7, 6, "0.666667"),
        (123_456.789, 2, "123456.79"), (.nan, 2, "null"), (-.infinity, 2, "null"), (1e300, 2, "null"),
        (99.999, 2, "100"),
    ])
    func `numbers are short and valid`(_ value: Double, _ decimals: Int, _ text: String) {
        var json = JSONWriter()
        json.value(value, decimals: decimals)
        #expect(json.withBytes { String(decoding: $0, as: UTF8.self) } == text)
    }

    @Test func `commas come between fields and values of any depth`() {
        let written = text { json in
            json.beginObject()
            json.field("box", Box(x: 1, y: 2, width: 3, height: 4.25))
            json.key("empty")
            json.beginArray()
            json.endArray()
            json.field("points", [Point(x: 0, y: 1), Point(x: 2, y: 3)])
            json.key("inner")
            json.beginObject()
            json.field("flag", true)
            json.key("nothing")
            json.null()
            json.endObject()
            json.field("count", -12)
            json.endObject()
            json.newline()
            json.value("next")
        }
        #expect(
            written == #"{"box":[1,2,3,4.25],"empty":[],"points":[[0,1],[2,3]],"#
                + #""inner":{"flag":true,"nothing":null},"count":-12}"# + "\n\"next\"")
    }

    @Test(arguments: [
        ("plain", #""plain""#), ("a \"b\" \\", #""a \"b\" \\""#), ("\u{1}\n\u{1f}", #""\u0001\u000a\u001f""#),
        ("æ 顔 🙂", #""æ 顔 🙂""#), ("", #""""#),
    ])
    func `strings are escaped where JSON wants it`(_ string: String, _ written: String) {
        #expect(text { $0.value(string) } == written)
        #expect(text { $0.key(string) } == written + ":")
    }

    @Test(
        arguments: [(1.5, "1.5"), (1e-9, "1e-09"), (.infinity, "null"), (.nan, "null"), (-0.1, "-0.1")]
            as [(Float, String)])
    func `exact numbers read back as the same`(_ value: Float, _ written: String) {
        #expect(text { $0.exactValue(value) } == written)
        if value.isFinite { #expect(Float(written) == value) }
    }

    @Test func `whole numbers of any size are written`() {
        #expect(text { $0.value(UInt64.max) } == "18446744073709551615")
        #expect(text { $0.value(Int.min) } == "-9223372036854775808")
        #expect(text { $0.value(0) } == "0")
    }
}
