// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import PipelineLanguage

@Suite struct `Diagnostics and files` {
    @Test func `the printed form`() {
        let diagnostic = Diagnostic(
            file: "pipeline.json", line: 14, column: 9, path: "nodes.detect.threshold",
            message: "must be between 0 and 1",
            found: "12", expected: "between 0 and 1", fix: "use 0.6")
        #expect(
            diagnostic.description == """
                pipeline.json:14:9: error: nodes.detect.threshold: must be between 0 and 1 (found 12)
                  fix: use 0.6
                """)
        #expect(Diagnostic(severity: .warning, file: "a", message: "m").description == "a: warning: m")
        #expect(Diagnostic(file: "a", flag: "--set x=1", message: "m").description == "--set x=1: error: m")
    }

    @Test func `the JSON form`() throws {
        let check = Sample.check(#"{"nodes":{"v":{"type":"video","url":"a","loop":-1}}}"#, set: ["v.x=1"])
        let lines = check.diagnostics.map(\.json)
        #expect(
            lines == [
                #"{"severity":"error","file":"p.json","line":1,"column":11,"path":"nodes","message":"no sink: every frame would be thrown away","fix":"add a node of type \"file\", \"jsonl\" or \"table\""}"#,
                #"{"severity":"error","file":"p.json","line":1,"column":48,"path":"nodes.v.loop","message":"must be at least 0","found":"-1","expected":"at least 0","fix":"the default is 1"}"#,
                #"{"severity":"error","file":"p.json","flag":"--set v.x=1","path":"nodes.v.x","message":"\"video\" has no such parameter","fix":"keys: type, url, realtime, loop"}"#,
            ])
        for line in lines {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            #expect(object?["severity"] as? String == "error")
        }
        let encoded = try JSONEncoder().encode(check.diagnostics)
        #expect(String(decoding: encoded, as: UTF8.self).contains(#""path":"nodes.v.loop""#))
    }

    @Test func `validated throws every diagnostic`() {
        let file = PipelineFile(name: "p.json", text: "{}")
        let error = #expect(throws: PipelineFileError.self) {
            try file.validated(against: Sample.contracts, environment: [:])
        }
        #expect(
            error?.description == """
                p.json:1:1: error: nodes: is missing
                  fix: add "nodes": { "ID": { "type": ... }, ... }
                """)
    }

    @Test func `the environment of the process is the default`() throws {
        let text = #"{"nodes":{"v":{"type":"video","url":"${PATH}"},"f":{"type":"file","input":"v","path":"o"}}}"#
        let pipeline = try PipelineFile(name: "p", text: text).validated(against: Sample.contracts)
        #expect(pipeline["v"]?.settings[Sample.Video.url] == ProcessInfo.processInfo.environment["PATH"])
    }

    @Test func `files are read, and what is none is said`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "vpipe-language-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appendingPathComponent("good.json").path
        try Sample.good.write(toFile: path, atomically: true, encoding: .utf8)
        let pipeline = try PipelineFile(path: path).validated(against: Sample.contracts, environment: [:])
        #expect(pipeline.file == path)
        #expect(pipeline.nodes.count == 6)
        for (bad, message) in [
            (folder.path, "is a folder, not a pipeline file"), (path + "x", "no such pipeline file"),
        ] {
            let error = #expect(throws: PipelineFileError.self) { try PipelineFile(path: bad) }
            #expect(error?.description == "\(bad): error: \(message)")
        }
    }
}
