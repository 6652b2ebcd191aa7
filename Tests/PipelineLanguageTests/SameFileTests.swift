// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

@testable import PipelineLanguage

/// What is read is not written, and nothing is written by two, whatever it is called.
@Suite struct `One file under many names` {
    private let scratch: Scratch

    init() throws {
        scratch = try Scratch()
        try Data("video".utf8).write(to: URL(fileURLWithPath: scratch.file("a.mp4")))
        try FileManager.default.createSymbolicLink(atPath: scratch.file("link.mp4"), withDestinationPath: "a.mp4")
        try FileManager.default.linkItem(atPath: scratch.file("a.mp4"), toPath: scratch.file("hard.mp4"))
        try FileManager.default.createDirectory(atPath: scratch.file("sub"), withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: scratch.file("dangling.mp4"), withDestinationPath: "new.mp4")
        try FileManager.default.createSymbolicLink(atPath: scratch.file("folder"), withDestinationPath: "sub")
    }

    @Test(arguments: ["a.mp4", "./a.mp4", "sub/../a.mp4", "//a.mp4", "link.mp4", "hard.mp4"], ["", "file:"])
    func `the input is not the output`(name: String, scheme: String) {
        let found = Sample.messages(
            """
            {"nodes":{"v":{"type":"video","url":"\(scheme)\(scratch.file("a.mp4"))"},
            "f":{"type":"file","input":"v","path":"\(scratch.file(name))"}}}
            """)
        #expect(
            found == [
                """
                p.json:2:39: error: nodes.f.path: is what nodes.v.url reads (found \(quoted(shortened(scratch.file(name)))))
                  fix: write to another file
                """
            ])
    }

    @Test func `weights and the pipeline's own file are not the output either`() throws {
        let file = scratch.file("p.json")
        let text = """
            {"nodes":{"v":{"type":"video","url":"x"},"d":{"type":"detect","input":"v","weights":"\(scratch.file("hard.mp4"))"},
            "f":{"type":"jsonl","input":"d","path":"\(scratch.file("a.mp4"))"},
            "g":{"type":"jsonl","input":"d","path":"\(scratch.path)/./p.json"}}}
            """
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        let found = try PipelineFile(path: file).check(against: Sample.contracts).diagnostics.map(\.message)
        #expect(found == ["is what nodes.d.weights reads", "is this pipeline file"])
    }

    @Test(arguments: [
        ("new.mp4", "./new.mp4"), ("new.mp4", "sub/../new.mp4"), ("a.mp4", "hard.mp4"), ("new.mp4", "dangling.mp4"),
        ("sub/x.mp4", "folder/x.mp4"), ("new.mp4", "no/../new.mp4"),
    ]) func `two sinks do not write it`(first: String, second: String) {
        let found = Sample.messages(
            """
            {"nodes":{"v":{"type":"camera"},"f":{"type":"file","input":"v","path":"\(scratch.file(first))"},
            "g":{"type":"file","input":"v","path":"\(scratch.file(second))"}}}
            """)
        #expect(found.count == 1 && found[0].contains("nodes.g.path: is written by nodes.f.path too"), "\(found)")
    }

    @Test(arguments: ["/dev/stdout", "/dev/fd/1"]) func `nor standard output`(name: String) {
        let found = Sample.messages(
            """
            {"nodes":{"v":{"type":"camera"},"f":{"type":"jsonl","input":"v","path":"-"},
            "g":{"type":"jsonl","input":"v","path":"\(name)"}}}
            """)
        #expect(found.contains { $0.contains("nodes.g.path: is written by nodes.f.path too") }, "\(found)")
    }

    @Test func `different files are different`() {
        let found = Sample.messages(
            """
            {"nodes":{"v":{"type":"video","url":"\(scratch.file("a.mp4"))"},
            "f":{"type":"file","input":"v","path":"\(scratch.file("b.mp4"))"},
            "g":{"type":"file","input":"v","path":"\(scratch.file("sub/b.mp4"))"}}}
            """)
        #expect(found == [])
    }
}
