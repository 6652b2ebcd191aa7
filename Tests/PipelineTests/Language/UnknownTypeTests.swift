// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Pipeline
@testable import PipelineLanguage

/// What people who come from other programs write as a node's type.
@Suite struct UnknownTypeTests {
    @Test(arguments: [
        ("blur", "redact"), ("pixelate", "redact"), ("webcam", "camera"), ("v4l2src", "camera"), ("rtspsrc", "video"),
        ("yolo", "onnx"), ("detect", "onnx"), ("count", "zones"), ("bytetrack", "track"), ("osd", "overlay"),
        ("save", "file"), ("filesink", "file"), ("rtspsink", "stream"), ("Webcam", "camera"),
        ("retinafase", "retinaface"),
    ])
    func `a name of another program leads to ours`(name: String, type: String) {
        let check = PipelineFile(
            name: "p.json", text: #"{"nodes":{"a":{"type":"testpattern"},"b":{"type":"\#(name)","input":"a"}}}"#
        ).check(against: NodeRegistry.builtIn.contracts)
        let errors = check.diagnostics.filter { $0.severity == .error }.map(\.description)
        #expect(
            errors == [
                """
                p.json:1:50: error: nodes.b.type: unknown node type (found "\(name)")
                  fix: did you mean "\(type)"?
                """
            ])
    }

    @Test func `no such name is one of ours, or given to two`() {
        let contracts = NodeRegistry.builtIn.contracts
        let names = contracts.contracts.flatMap(\.knownElsewhereAs)
        #expect(Set(names).count == names.count && names.allSatisfy { contracts[$0] == nil && $0 == $0.lowercased() })
    }
}
