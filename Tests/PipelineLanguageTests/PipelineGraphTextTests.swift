// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import PipelineLanguage

@Suite struct `Graphs as text` {
    static let text = """
        {"name":"a \\"quoted\\" name","nodes":{
        "cam-1":{"type":"camera"},"split":{"type":"split","input":"cam-1"},"table":{"type":"table","input":"split.numbers"},
        "end":{"type":"detect","input":{"from":"split","policy":"dropOldest","capacity":3}},
        "f":{"type":"file","input":"end","path":"o"}}}
        """

    @Test func `DOT`() throws {
        let pipeline = try #require(Sample.check(Self.text).pipeline)
        #expect(
            PipelineGraphText(pipeline).dot == #"""
                digraph "a \"quoted\" name" {
                    rankdir=LR;
                    node [fontname="sans-serif"];
                    edge [fontname="sans-serif", fontsize=10];
                    "cam-1" [label="cam-1\ncamera", shape=cds];
                    "split" [label="split", shape=box];
                    "table" [label="table", shape=folder];
                    "end" [label="end\ndetect", shape=hexagon];
                    "f" [label="f\nfile", shape=folder];
                    "cam-1" -> "split" [label="latest 1", style=dashed];
                    "split" -> "table" [label="numbers: block 2"];
                    "split" -> "end" [label="out: dropOldest 3", style=dashed];
                    "end" -> "f" [label="block 2"];
                }

                """#)
    }

    @Test func `Mermaid`() throws {
        let pipeline = try #require(Sample.check(Self.text).pipeline)
        #expect(
            PipelineGraphText(pipeline).mermaid == #"""
                flowchart LR
                    n0(["cam-1<br/>camera"])
                    n1["split"]
                    n2[/"table"/]
                    n3{{"end<br/>detect"}}
                    n4[/"f<br/>file"/]
                    n0 -.->|"latest 1"| n1
                    n1 -->|"numbers: block 2"| n2
                    n1 -.->|"out: dropOldest 3"| n3
                    n3 -->|"block 2"| n4

                """#)
    }
}
