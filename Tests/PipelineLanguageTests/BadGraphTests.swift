// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import PipelineLanguage

@Suite struct `Bad graphs` {
    @Test(arguments: cases)
    func `every problem is told exactly`(_ example: BadPipeline) {
        #expect(example.messages == example.expected)
    }

    static let cases: [BadPipeline] = [
        BadPipeline(
            "a cycle",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a"},
            "a":{"type":"overlay","inputs":["v","c"]},
            "b":{"type":"detect","input":"a"},
            "c":{"type":"lines","input":"b"},
            "f":{"type":"file","input":"c","path":"x"}
            }}
            """#,
            expect: #"""
                p.json:3:37: error: nodes.a.inputs[1]: cycle: a -> b -> c -> a
                  fix: remove one of these links; frames flow one way
                """#),
        BadPipeline(
            "a node that reads itself",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a"},
            "o":{"type":"overlay","inputs":["v","o"]},
            "f":{"type":"file","input":"o","path":"x"}
            }}
            """#,
            expect: #"""
                p.json:3:37: error: nodes.o.inputs[1]: cycle: o -> o
                  fix: a node cannot read itself
                """#),
        BadPipeline(
            "two cycles",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a"},
            "a":{"type":"detect","input":"b"},
            "b":{"type":"detect","input":"a"},
            "c":{"type":"detect","input":"d"},
            "d":{"type":"detect","input":"c"},
            "f":{"type":"file","input":"v","path":"x"}
            }}
            """#,
            expect: #"""
                p.json:3:30: error: nodes.a.input: cycle: a -> b -> a
                  fix: remove one of these links; frames flow one way
                p.json:5:30: error: nodes.c.input: cycle: c -> d -> c
                  fix: remove one of these links; frames flow one way
                """#),
        BadPipeline(
            "a branch nobody reads",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a"},
            "d":{"type":"detect","input":"v"},
            "f":{"type":"file","input":"v","path":"x"}
            }}
            """#,
            expect: #"""
                p.json:3:1: warning: nodes.d: unconnected: nothing reads its output
                  fix: let a sink read it ("input": "d"), or remove the node
                """#),
        BadPipeline(
            "no sink",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a"},
            "d":{"type":"detect","input":"v"}
            }}
            """#,
            expect: #"""
                p.json:2:1: error: nodes: no sink: every frame would be thrown away
                  fix: add a node of type "file", "jsonl" or "table"
                """#),
        BadPipeline(
            "no source",
            #"""
            {"nodes":{
            "f":{"type":"file","input":"g","path":"x"}
            }}
            """#,
            expect: #"""
                p.json:2:1: error: nodes: no source: no node brings frames in
                  fix: add a node of type "camera" or "video"
                p.json:2:28: error: nodes.f.input: unknown node (found "g")
                """#),
        BadPipeline(
            "a join of two sources",
            #"""
            {"nodes":{
            "a":{"type":"camera"},
            "b":{"type":"camera"},
            "d":{"type":"detect","input":"b"},
            "o":{"type":"overlay","inputs":["a","d"]},
            "f":{"type":"file","input":"o","path":"x"}
            }}
            """#,
            expect: #"""
                p.json:5:37: error: nodes.o.inputs[1]: carries frames of "b", but the first input those of "a": they never meet (found "d")
                  fix: give each source its own "overlay"
                """#),
        BadPipeline(
            "the same input twice",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a"},
            "d":{"type":"detect","input":"v"},
            "o":{"type":"overlay","inputs":["v","d","d"]},
            "f":{"type":"file","input":"o","path":"x"}
            }}
            """#,
            expect: #"""
                p.json:4:41: warning: nodes.o.inputs[2]: reads "d" a second time
                  fix: remove one of the two
                """#),
        BadPipeline(
            "no results to write",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a"},
            "j":{"type":"jsonl","input":"v","path":"x"}
            }}
            """#,
            expect: #"""
                p.json:3:21: warning: nodes.j.input: its frames carry no results: "jsonl" has nothing to work with
                  fix: read from a node that makes them: "detect" or "lines"
                """#),
        BadPipeline(
            "no results to draw",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a"},
            "o":{"type":"overlay","inputs":["v"]},
            "f":{"type":"file","input":"o","path":"x"}
            }}
            """#,
            expect: #"""
                p.json:3:23: warning: nodes.o.inputs: its frames carry no results: "overlay" has nothing to work with
                  fix: read from a node that makes them: "detect" or "lines"
                """#),
        BadPipeline(
            "everything at once",
            #"""
            {
              "nmae": "x",
              "nodes": {
                "cam": { "type": "camera", "fps": "fast" },
                "det": { "type": "detct", "input": "cam" },
                "out": { "type": "file", "input": "dett", "codec": "mp4" },
              }
            }
            """#,
            expect: #"""
                p.json:2:3: error: nmae: unknown key
                  fix: did you mean "name"? (keys: name, target, ladder, for, nodes)
                p.json:4:39: error: nodes.cam.fps: must be frames per second such as 30, 29.97 or "30000/1001" (found "fast")
                p.json:5:22: error: nodes.det.type: unknown node type (found "detct")
                  fix: did you mean "detect"?
                p.json:6:22: error: nodes.out.path: is missing; "file" needs a path in double quotes
                  fix: add "path": ... (File to write)
                p.json:6:39: error: nodes.out.input: unknown node (found "dett")
                  fix: did you mean "det"? (nodes: cam, det)
                p.json:6:56: error: nodes.out.codec: must be "h264", "hevc" or "vp9" (found "mp4")
                p.json:6:63: error: nodes: trailing comma before `}`
                  fix: remove the comma
                """#),
    ]
}
