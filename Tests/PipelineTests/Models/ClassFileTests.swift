// SPDX-License-Identifier: Apache-2.0
import Annotations
import Media
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage

@Suite struct ClassFileTests {
    private func messages(_ text: String) -> String {
        do {
            _ = try ClassFile.parse(SourceText(file: "c.json", bytes: Array(text.utf8)))
            return "no error"
        } catch {
            return "\(error)"
        }
    }

    @Test func `names and colours come in the order of the file`() throws {
        let text = ##"{ "classes": [ { "name": "road", "color": "#804080" }, { "name": "Wiese" } ] }"##
        let set = try ClassFile.parse(SourceText(file: "a/field.json", bytes: Array(text.utf8)))
        #expect(set.name == "field.json")
        #expect(set.members == [.init("road", Color(hex: 0x804080)), .init("Wiese", .distinct(1))])
    }

    @Test(arguments: [
        ("", "c.json:1:1: error: the file is empty"),
        ("[1]", "c.json:1:1: error: classes: must be a list of classes"),
        (#"{"classes": {}}"#, "c.json:1:13: error: classes: must be a list of classes"),
        (#"{"klasses": []}"#, "c.json:1:2: error: klasses: unknown key\n  fix: did you mean \"classes\"?"),
        (#"{"classes": [{"name": "a"}]}"#, "c.json:1:13: error: classes: must hold 2 to 254 classes (found 1)"),
        (#"{"classes": ["a", "b"]}"#, "c.json:1:14: error: classes[0]: must be an object with a \"name\""),
        (
            #"{"classes": [{"name": "a", "color": "red"}, {"name": "b", "color": 7}]}"#,
            "c.json:1:37: error: classes[0].color: must be a colour (found \"red\")"
        ),
        (
            #"{"classes": [{"name": "a"},\n {"name": "a"}]}"#.replacing("\\n", with: "\n"),
            "c.json:2:11: error: classes[1].name: is the name of classes[0], too (found \"a\")"
        ),
        (#"{"classes": [{"name": ""}, {"name": 3}]}"#, "c.json:1:23: error: classes[0].name: must be a text"),
        (#"{"classes": [{"name": "a"}, "#, "error"),
    ])
    func `mistakes are reported by place`(text: String, message: String) {
        #expect(messages(text).contains(message), "\(messages(text))")
    }

    @Test func `no bytes crash the reader`() {
        let good = Array(##"{ "classes": [ { "name": "road", "color": "#804080" }, { "name": "b" } ] }"##.utf8)
        for position in good.indices {
            for byte in [UInt8(0), 34, 91, 123, 125, 200] {
                var bytes = good
                bytes[position] = byte
                _ = try? ClassFile.parse(SourceText(file: "c.json", bytes: bytes))
            }
            _ = try? ClassFile.parse(SourceText(file: "c.json", bytes: Array(good.prefix(position))))
        }
    }

    @Test(arguments: [
        ("nowhere.json", "no such file of classes"), ("cityskapes", "did you mean \"cityscapes\""),
        ("cityscapes", "tells 11 classes apart, but cityscapes names 19"),
    ])
    func `names that do not fit the weights are refused`(choice: String, message: String) throws {
        let store = ModelStore(folders: [packageRoot + "/models"])
        let model = try NodeModel(.ddrnet, variant: "23-slim", weights: nil, size: nil, store: store)
        #expect(try model.classSet("auto").name == "camvid")
        #expect(try model.classSet("camvid") == model.classSet("auto"))
        #expect {
            try model.classSet(choice)
        } throws: { "\($0)".contains(message) }
    }
}
