// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import PipelineLanguage

@Suite struct `Bad nodes` {
    @Test(arguments: cases)
    func `every problem is told exactly`(_ example: BadPipeline) {
        #expect(example.messages == example.expected)
    }

    static let cases: [BadPipeline] = [
        BadPipeline(
            "no nodes",
            #"{"name": "x"}"#,
            expect: #"""
                p.json:1:1: error: nodes: is missing
                  fix: add "nodes": { "ID": { "type": ... }, ... }
                """#),
        BadPipeline(
            "empty nodes",
            #"{"nodes": {}}"#,
            expect: #"""
                p.json:1:11: error: nodes: holds no node
                  fix: add "ID": { "type": ... }; `vpipe nodes` lists the types
                """#),
        BadPipeline(
            "nodes as an array",
            #"{"nodes": []}"#,
            expect: #"""
                p.json:1:11: error: nodes: must be an object of nodes by id (found an empty array)
                  fix: write "nodes": { "ID": { "type": ... }, ... }
                """#),
        BadPipeline(
            "unknown keys",
            #"{"node": {}, "nodes": {}, "targett": {}}"#,
            expect: #"""
                p.json:1:2: error: node: unknown key
                  fix: did you mean "nodes"? (keys: name, target, ladder, for, nodes)
                p.json:1:23: error: nodes: holds no node
                  fix: add "ID": { "type": ... }; `vpipe nodes` lists the types
                p.json:1:27: error: targett: unknown key
                  fix: did you mean "target"? (keys: name, target, ladder, for, nodes)
                """#),
        BadPipeline(
            "a name that is no text",
            #"""
            {"name": 5, "nodes":{
            "v":{"type":"video","url":"a.mp4"},"f":{"type":"file","input":"v","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:1:10: error: name: must be text in double quotes (found 5)
                """#),
        BadPipeline(
            "a target that is no object",
            #"""
            {"target": 30, "nodes":{
            "v":{"type":"video","url":"a.mp4"},"f":{"type":"file","input":"v","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:1:12: error: target: must be an object (found 30)
                  fix: write { "fps": 30, "latencyMs": 80 }
                """#),
        BadPipeline(
            "bad targets",
            #"""
            {"target": {"fps": "30", "latencyMs": 0, "fsp": 1}, "nodes":{
            "v":{"type":"video","url":"a.mp4"},"f":{"type":"file","input":"v","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:1:20: error: target.fps: must be a number between 0.1 and 1000 (found "30")
                  fix: write it without quotes: 30
                p.json:1:39: error: target.latencyMs: must be between 1 and 60000 ms (found 0)
                p.json:1:42: error: target.fsp: unknown key
                  fix: did you mean "fps"? (keys: fps, latencyMs)
                """#),
        BadPipeline(
            "a schema and a comment of the wrong kind",
            #"""
            {"$schema": 1, "$comment": [], "nodes":{
            "v":{"type":"video","url":"a.mp4"},"f":{"type":"file","input":"v","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:1:13: error: $schema: must be text in double quotes (found 1)
                p.json:1:28: error: $comment: must be text in double quotes (found an empty array)
                """#),
        BadPipeline(
            "bad ids",
            #"""
            {"nodes":{
            "front door":{"type":"camera"},
            "":{"type":"camera"},
            "a.b":{"type":"camera"},
            "é":{"type":"camera"}
            }}
            """#,
            expect: #"""
                p.json:2:1: error: nodes.front door: not a node id (found "front door")
                  fix: write "front-door"; ids are letters, digits, `-` and `_`
                p.json:2:1: error: nodes: no sink: every frame would be thrown away
                  fix: add a node of type "file", "jsonl" or "table"
                p.json:3:1: error: nodes[""]: not a node id (found "")
                  fix: ids are 1 to 64 letters, digits, `-` and `_`
                p.json:4:1: error: nodes["a.b"]: not a node id (found "a.b")
                  fix: write "a-b"; ids are letters, digits, `-` and `_`
                p.json:5:1: error: nodes.é: not a node id (found "é")
                  fix: ids are 1 to 64 letters, digits, `-` and `_`
                """#),
        BadPipeline(
            "a node that is no object",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "x":"camera",
            "f":{"type":"file","input":"v","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:3:5: error: nodes.x: must be an object with a "type" (found "camera")
                  fix: write { "type": "camera" }
                """#),
        BadPipeline(
            "a node without a type",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "camera":{"device":"/dev/video0"},
            "f":{"type":"file","input":"v","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:3:1: error: nodes.camera.type: is missing
                  fix: add "type": "camera"
                """#),
        BadPipeline(
            "a type that is no text",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "x":{"type":7},
            "f":{"type":"file","input":"v","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:3:13: error: nodes.x.type: must be the name of a node type (found 7)
                """#),
        BadPipeline(
            "a misspelt type",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "x":{"type":"camra"},
            "f":{"type":"file","input":"v","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:3:13: error: nodes.x.type: unknown node type (found "camra")
                  fix: did you mean "camera"?
                """#),
        BadPipeline(
            "an unknown type",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "x":{"type":"teleporter"},
            "f":{"type":"file","input":"v","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:3:13: error: nodes.x.type: unknown node type (found "teleporter")
                  fix: `vpipe nodes` lists the types
                """#),
        BadPipeline(
            "a misspelt parameter",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "d":{"type":"detect","input":"v","treshold":0.5},
            "f":{"type":"file","input":"d","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:3:34: error: nodes.d.treshold: "detect" has no such parameter
                  fix: did you mean "threshold"? (keys: type, input, variant, weights, threshold, every)
                """#),
        BadPipeline(
            "a synonym of a parameter",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "d":{"type":"detect","input":"v","confidence":0.5},
            "f":{"type":"file","input":"d","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:3:34: error: nodes.d.confidence: "detect" has no such parameter
                  fix: did you mean "threshold"?
                """#),
        BadPipeline(
            "an unknown parameter",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "d":{"type":"detect","input":"v","zebra":1},
            "f":{"type":"file","input":"d","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:3:34: error: nodes.d.zebra: "detect" has no such parameter
                  fix: keys: type, input, variant, weights, threshold, every
                """#),
        BadPipeline(
            "a parameter of another node",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a","device":"/dev/video0"},"f":{"type":"file","input":"v","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:2:31: error: nodes.v.device: "video" has no such parameter
                  fix: keys: type, url, realtime, loop
                """#),
        BadPipeline(
            "a misspelt onError key",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "d":{"type":"detect","input":"v","onerror":"stop"},
            "f":{"type":"file","input":"d","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:3:34: error: nodes.d.onerror: "detect" has no such parameter
                  fix: did you mean "onError"? (keys: type, input, variant, weights, threshold, every, onError)
                """#),
        BadPipeline(
            "a wrong onError",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "d":{"type":"detect","input":"v","onError":"stopp"},
            "f":{"type":"file","input":"d","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:3:44: error: nodes.d.onError: must be "isolate" or "stop" (found "stopp")
                  fix: did you mean "stop"?
                """#),
        BadPipeline(
            "a missing required parameter",
            #"""
            {"nodes":{
            "v":{"type":"video"},
            "f":{"type":"file","input":"v","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:2:13: error: nodes.v.url: is missing; "video" needs a path or URL in double quotes
                  fix: add "url": ... (Path or URL to read)
                """#),
        BadPipeline(
            "a comment that is no text",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "d":{"type":"detect","input":"v","$comment":1},
            "f":{"type":"file","input":"d","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:3:45: error: nodes.d.$comment: must be text in double quotes (found 1)
                """#),
        BadPipeline(
            "two things that exclude each other",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "f":{"type":"file","input":"v","path":"o.mp4","bitrate":"4M",
            "quality":20}
            }}
            """#,
            expect: #"""
                p.json:4:11: error: nodes.f.quality: cannot go together with "bitrate" (found 20)
                  fix: remove one of the two
                """#),
        BadPipeline(
            "two nodes that write one file",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "f":{"type":"file","input":"v","path":"o.mp4"},
            "g":{"type":"file","input":"v","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:4:39: error: nodes.g.path: is written by nodes.f.path too (found "o.mp4")
                  fix: give each a path of its own
                """#),
    ]
}
