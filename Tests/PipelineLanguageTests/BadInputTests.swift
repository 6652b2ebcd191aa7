// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import PipelineLanguage

@Suite struct `Bad inputs` {
    @Test(arguments: cases)
    func `every problem is told exactly`(_ example: BadPipeline) {
        #expect(example.messages == example.expected)
    }

    static let cases: [BadPipeline] = [
        BadPipeline(
            "a misspelt node",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "f":{"type":"file","path":"o.mp4",
            "input":"w"}
            }}
            """#,
            expect: #"""
                p.json:4:9: error: nodes.f.input: unknown node (found "w")
                  fix: nodes: v
                """#),
        BadPipeline(
            "a node not like any other",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "f":{"type":"file","path":"o.mp4",
            "input":"camera"}
            }}
            """#,
            expect: #"""
                p.json:4:9: error: nodes.f.input: unknown node (found "camera")
                  fix: nodes: v
                """#),
        BadPipeline(
            "an empty reference",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "f":{"type":"file","path":"o.mp4",
            "input":""}
            }}
            """#,
            expect: #"""
                p.json:4:9: error: nodes.f.input: unknown node (found "")
                  fix: nodes: v
                """#),
        BadPipeline(
            "a node that reads itself",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "f":{"type":"file","path":"o.mp4",
            "input":"f"}
            }}
            """#,
            expect: #"""
                p.json:4:9: error: nodes.f.input: "f" is a sink (file): nothing comes out of it (found "f")
                """#),
        BadPipeline(
            "an unknown port",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "f":{"type":"file","path":"o.mp4",
            "input":"v.frames"}
            }}
            """#,
            expect: #"""
                p.json:4:9: error: nodes.f.input: "v" (video) has no output "frames"
                  fix: outputs: out
                """#),
        BadPipeline(
            "an array as a single input",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "f":{"type":"file","path":"o.mp4",
            "input":["v"]}
            }}
            """#,
            expect: #"""
                p.json:4:9: error: nodes.f.input: takes one input (found an array of 1)
                  fix: remove the brackets
                """#),
        BadPipeline(
            "several as a single input",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "f":{"type":"file","path":"o.mp4",
            "input":["v","v"]}
            }}
            """#,
            expect: #"""
                p.json:4:9: error: nodes.f.input: takes one input (found an array of 2)
                  fix: rename it to "inputs"
                """#),
        BadPipeline(
            "a text as several inputs",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "f":{"type":"file","path":"o.mp4",
            "inputs":"v"}
            }}
            """#,
            expect: #"""
                p.json:4:10: error: nodes.f.inputs: must be an array of inputs (found "v")
                  fix: write ["v"], or rename it to "input"
                """#),
        BadPipeline(
            "a number as an input",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "f":{"type":"file","path":"o.mp4",
            "input":3}
            }}
            """#,
            expect: #"""
                p.json:4:9: error: nodes.f.input: must be a node id, or an object with "from" (found 3)
                  fix: write "ID" or { "from": "ID", "policy": "block" }
                """#),
        BadPipeline(
            "both keys",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "f":{"type":"file","path":"o.mp4",
            "input":"v","inputs":["v"]}
            }}
            """#,
            expect: #"""
                p.json:4:13: error: nodes.f.inputs: stands beside "input"
                  fix: keep "inputs" and put all of them there
                """#),
        BadPipeline(
            "a missing input",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "f":{"type":"file","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:3:13: error: nodes.f.input: is missing: "file" reads frames of another node
                  fix: add "input": "v"
                """#),
        BadPipeline(
            "missing inputs of a join",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "o":{"type":"overlay"},
            "f":{"type":"file","input":"o","path":"x"}
            }}
            """#,
            expect: #"""
                p.json:3:13: error: nodes.o.inputs: is missing: "overlay" reads frames of another node
                  fix: add "inputs": ["v", ...]
                """#),
        BadPipeline(
            "an empty list of inputs",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "f":{"type":"file","path":"o.mp4",
            "inputs":[]}
            }}
            """#,
            expect: #"""
                p.json:4:1: error: nodes.f.input: is missing: "file" reads frames of another node
                  fix: add "input": "v"
                """#),
        BadPipeline(
            "too many inputs",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "d":{"type":"detect","input":"v"},
            "f":{"type":"file","inputs":["v","d"],"path":"x"}
            }}
            """#,
            expect: #"""
                p.json:4:20: error: nodes.f.inputs: "file" takes 1 input (found 2)
                  fix: keep one, or join them first with "overlay"
                """#),
        BadPipeline(
            "an input of a source",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a","input":"v"},"f":{"type":"file","input":"v","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:2:31: error: nodes.v.input: "video" is a source: it takes no input (found 1)
                  fix: remove it
                """#),
        BadPipeline(
            "reading from a sink",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "f":{"type":"file","input":"v","path":"o.mp4"},
            "g":{"type":"file","input":"f","path":"p"}
            }}
            """#,
            expect: #"""
                p.json:4:28: error: nodes.g.input: "f" is a sink (file): nothing comes out of it (found "f")
                  fix: read what it reads: "v"
                """#),
        BadPipeline(
            "an object without from",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "f":{"type":"file","path":"o.mp4",
            "input":{"policy":"latest"}}
            }}
            """#,
            expect: #"""
                p.json:4:9: error: nodes.f.input.from: is missing
                  fix: add "from": "ID"
                """#),
        BadPipeline(
            "a from that is no text",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "f":{"type":"file","path":"o.mp4",
            "input":{"from":["v"]}}
            }}
            """#,
            expect: #"""
                p.json:4:17: error: nodes.f.input.from: must be a node id in double quotes (found an array of 1)
                """#),
        BadPipeline(
            "an unknown key in an input",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "f":{"type":"file","path":"o.mp4",
            "input":{"from":"v","capactiy":3}}
            }}
            """#,
            expect: #"""
                p.json:4:21: error: nodes.f.input.capactiy: unknown key
                  fix: did you mean "capacity"? (keys: from, policy, capacity)
                """#),
        BadPipeline(
            "node instead of from",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "f":{"type":"file","path":"o.mp4",
            "input":{"node":"v"}}
            }}
            """#,
            expect: #"""
                p.json:4:9: error: nodes.f.input.from: is missing
                  fix: add "from": "ID"
                p.json:4:10: error: nodes.f.input.node: unknown key
                  fix: did you mean "from"?
                """#),
        BadPipeline(
            "a misspelt policy",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "f":{"type":"file","path":"o.mp4",
            "input":{"from":"v","policy":"newest"}}
            }}
            """#,
            expect: #"""
                p.json:4:30: error: nodes.f.input.policy: must be "block", "latest", "dropOldest" or "dropNewest" (found "newest")
                """#),
        BadPipeline(
            "a policy in another spelling",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "f":{"type":"file","path":"o.mp4",
            "input":{"from":"v","policy":"drop-oldest"}}
            }}
            """#,
            expect: #"""
                p.json:4:30: error: nodes.f.input.policy: must be "block", "latest", "dropOldest" or "dropNewest" (found "drop-oldest")
                  fix: did you mean "dropOldest"?
                """#),
        BadPipeline(
            "capacities",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "a":{"type":"file","path":"a","input":{"from":"v","capacity":0}},
            "b":{"type":"file","path":"b","input":{"from":"v","capacity":5000}},
            "c":{"type":"file","path":"c","input":{"from":"v","policy":"latest","capacity":4}},
            "d":{"type":"file","path":"d","input":{"from":"v","capacity":"4"}},
            "e":{"type":"file","path":"e","input":{"from":"v","capacity":1.5}}
            }}
            """#,
            expect: #"""
                p.json:3:62: error: nodes.a.input.capacity: must be between 1 and 1024 frames (found 0)
                p.json:4:62: error: nodes.b.input.capacity: must be between 1 and 1024 frames (found 5000)
                p.json:5:80: error: nodes.c.input.capacity: must be 1 with policy "latest" (found 4)
                  fix: use policy "dropOldest" to keep the newest 4
                p.json:6:62: error: nodes.d.input.capacity: must be an integer between 1 and 1024 frames (found "4")
                  fix: write it without quotes: 4
                p.json:7:62: error: nodes.e.input.capacity: must be an integer between 1 and 1024 frames (found 1.5)
                """#),
        BadPipeline(
            "the wrong payload",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "t":{"type":"table","input":"v"}
            }}
            """#,
            expect: #"""
                p.json:3:29: error: nodes.t.input: wrong payload: v.out (video) -> t.rows (data)
                  fix: put "split" or "count" between them
                """#),
        BadPipeline(
            "the wrong port of a node with several",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "s":{"type":"split","input":"v"},
            "t":{"type":"table","input":"s"}
            }}
            """#,
            expect: #"""
                p.json:4:29: error: nodes.t.input: wrong payload: s.out (video) -> t.rows (data)
                  fix: read "s.numbers", which is data
                """#),
        BadPipeline(
            "a payload nothing converts",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "c":{"type":"count","input":"v"},
            "f":{"type":"file","input":"c","path":"x"}
            }}
            """#,
            expect: #"""
                p.json:4:28: error: nodes.f.input: wrong payload: c.out (data) -> f.in (video)
                  fix: no node type turns data into video
                """#),
    ]
}
