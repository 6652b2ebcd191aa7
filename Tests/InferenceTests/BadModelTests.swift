// SPDX-License-Identifier: Apache-2.0
import Foundation
import Networks
import TestSupport
import Testing

@testable import Inference

@Suite("Bad models and libraries")
struct BadModelTests {
    struct Garbage: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]
    }

    @Test(
        "Bytes that are no model are an error with the engine's words",
        arguments: [
            Garbage(testDescription: "nothing", bytes: []), Garbage(testDescription: "one zero", bytes: [0]),
            Garbage(testDescription: "text", bytes: Array("not a model".utf8)),
            Garbage(testDescription: "a page of ones", bytes: [UInt8](repeating: 0xFF, count: 4096)),
            Garbage(
                testDescription: "another format",
                bytes: Array("<?xml version=\"1.0\"?><net name=\"x\" version=\"11\"><layers/></net>".utf8)),
            Garbage(
                testDescription: "a graph longer than the file",
                bytes: [0x08, 0x09, 0x3A, 0xFF, 0xFF, 0xFF, 0x7F, 0x00]),
        ])
    func garbage(given: Garbage) throws {
        let engine = try OpenVINOEngine.shared()
        let error = #expect(throws: InferenceError.self) {
            try engine.compile(ModelSource(name: "garbage", onnx: given.bytes), options: TestModels.options())
        }
        let codes: [InferenceError.Code] = [.invalidModel, .unsupportedModel]
        #expect(codes.contains(try #require(error).code))
        #expect(try #require(error).operation.contains("garbage"))
        #expect(!(try #require(error).detail.isEmpty))
    }

    @Test("A model cut short or with flipped bytes is refused or runs, never worse", arguments: 0..<24)
    func damage(seed: UInt64) throws {
        let engine = try OpenVINOEngine.shared()
        var bytes = try Self.sound.get().bytes
        var random = SeededGenerator(seed: seed)
        if seed % 2 == 0 {
            bytes.removeLast(Int.random(in: 1..<bytes.count, using: &random))
        } else {
            // The structure, not the weights: the last tenth holds most of the nodes, the first bytes the header.
            for _ in 0..<8 {
                let place =
                    Bool.random(using: &random)
                    ? Int.random(in: 0..<200, using: &random)
                    : Int.random(in: (bytes.count * 9 / 10)..<bytes.count, using: &random)
                bytes[place] = UInt8.random(in: 0...255, using: &random)
            }
        }
        do {
            let model = try engine.compile(ModelSource(name: "damaged", onnx: bytes), options: TestModels.options())
            try model.makeRequest().run()
        } catch {
            #expect(!error.detail.isEmpty)
        }
    }

    private static let sound = Result { try TestModels.face(seed: 100) }

    @Test("Without the library there is one error that names the remedy and the places")
    func missingLibrary() {
        let candidates = ["/nowhere/lib/libopenvino_c.so.2641", "libvpipe-does-not-exist.so"]
        let error = #expect(throws: InferenceError.self) { try OpenVINOLibrary(candidates: candidates) }
        #expect(error?.code == .libraryMissing)
        #expect(error?.detail.contains("make deps") == true)
        #expect(error?.detail.contains("VPIPE_OPENVINO") == true)
        #expect(error?.detail.contains("/nowhere/lib/libopenvino_c.so.2641") == true)
    }

    @Test("A file that is no library, or another library, is named as unsuitable")
    func unsuitableLibrary() throws {
        let folder = try TemporaryFolder()
        let text = folder.path + "/libopenvino_c.so.2641"
        try "not a library".write(toFile: text, atomically: true, encoding: .utf8)
        let broken = #expect(throws: InferenceError.self) { try OpenVINOLibrary(candidates: [text]) }
        #expect(broken?.code == .libraryUnsuitable)
        #expect(broken?.detail.contains(text) == true)
        let other = #expect(throws: InferenceError.self) { try OpenVINOLibrary(candidates: ["libc.so.6"]) }
        #expect(other?.code == .libraryUnsuitable)
        #expect(other?.detail.contains("ov_get_openvino_version") == true)
    }

    @Test("The library is looked for in the order of the manual")
    func candidates() {
        let found = OpenVINOLibrary.candidates(override: "/opt/ov", executable: "/usr/bin/vpipe")
        #expect(
            found == [
                "/opt/ov/lib/libopenvino_c.so.2641", "/opt/ov/lib/libopenvino_c.so",
                "/usr/bin/../lib/vpipe/openvino/lib/libopenvino_c.so.2641",
                "/usr/bin/../lib/vpipe/openvino/lib/libopenvino_c.so",
                "/usr/local/lib/vpipe/openvino/lib/libopenvino_c.so.2641",
                "/usr/local/lib/vpipe/openvino/lib/libopenvino_c.so", "libopenvino_c.so.2641", "libopenvino_c.so",
            ])
        #expect(OpenVINOLibrary.candidates(override: "", executable: nil).count == 4)
    }

    @Test("The library's messages lose their source places and keep their sense")
    func messages() {
        let message =
            "Exception from src/a.cpp:1:\nException from src/b.cpp:2:\n  Unable to read the model.\nTry again.\n\n"
        #expect(OpenVINOFunctions.condensed(message) == "Unable to read the model. Try again.")
        #expect(OpenVINOFunctions.condensed(String(repeating: "x", count: 5000)).count == 1003)
    }
}
