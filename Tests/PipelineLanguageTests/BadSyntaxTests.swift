// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import PipelineLanguage

@Suite struct `Broken JSON` {
    @Test(arguments: cases)
    func `every problem is told exactly`(_ example: BadPipeline) {
        #expect(example.messages == example.expected)
    }

    static let cases: [BadPipeline] = [
        BadPipeline(
            "an empty file",
            "",
            expect: #"""
                p.json:1:1: error: the file is empty
                  fix: a pipeline is a JSON object with a "nodes" key
                """#),
        BadPipeline(
            "only white space",
            " \n\t ",
            expect: #"""
                p.json:1:1: error: the file is empty
                  fix: a pipeline is a JSON object with a "nodes" key
                """#),
        BadPipeline(
            "a trailing comma in an object",
            #"""
            {
            "nodes": {},
            }
            """#,
            expect: #"""
                p.json:2:10: error: nodes: holds no node
                  fix: add "ID": { "type": ... }; `vpipe nodes` lists the types
                p.json:2:12: error: trailing comma before `}`
                  fix: remove the comma
                """#),
        BadPipeline(
            "a trailing comma in an array",
            #"{"nodes":{"a":{"type":"overlay","inputs":["b",]}}}"#,
            expect: #"""
                p.json:1:11: error: nodes: no source: no node brings frames in
                  fix: add a node of type "camera" or "video"
                p.json:1:11: error: nodes: no sink: every frame would be thrown away
                  fix: add a node of type "file", "jsonl" or "table"
                p.json:1:43: error: nodes.a.inputs[0]: unknown node (found "b")
                p.json:1:46: error: nodes.a.inputs: trailing comma before `]`
                  fix: remove the comma
                """#),
        BadPipeline(
            "a missing comma between members",
            #"""
            {
              "name": "x"
              "nodes": {
                "a": {"type": "camera" "device": "/dev/video1"}
              }
            }
            """#,
            expect: #"""
                p.json:2:14: error: a comma is missing here
                  fix: write `,` between the two
                p.json:4:5: error: nodes: no sink: every frame would be thrown away
                  fix: add a node of type "file", "jsonl" or "table"
                p.json:4:27: error: nodes.a: a comma is missing here
                  fix: write `,` between the two
                """#),
        BadPipeline(
            "two commas",
            #"{"name":"x",,"nodes":{}}"#,
            expect: #"""
                p.json:1:13: error: two commas in a row
                  fix: remove one
                p.json:1:22: error: nodes: holds no node
                  fix: add "ID": { "type": ... }; `vpipe nodes` lists the types
                """#),
        BadPipeline(
            "single quotes",
            "{'nodes': {}}",
            expect: #"""
                p.json:1:2: error: strings are written in double quotes (found `'`)
                  fix: write " instead of '
                p.json:1:11: error: nodes: holds no node
                  fix: add "ID": { "type": ... }; `vpipe nodes` lists the types
                """#),
        BadPipeline(
            "line comments",
            #"""
            {
              // the camera
              "nodes": {} # all
            }
            """#,
            expect: #"""
                p.json:2:3: error: JSON has no comments
                  fix: remove it, or keep the text in a "$comment" key
                p.json:3:12: error: nodes: holds no node
                  fix: add "ID": { "type": ... }; `vpipe nodes` lists the types
                p.json:3:15: error: JSON has no comments
                  fix: remove it, or keep the text in a "$comment" key
                """#),
        BadPipeline(
            "a block comment",
            #"""
            { /* none
             yet */ "nodes": {} }
            """#,
            expect: #"""
                p.json:1:3: error: JSON has no comments
                  fix: remove it, or keep the text in a "$comment" key
                p.json:2:18: error: nodes: holds no node
                  fix: add "ID": { "type": ... }; `vpipe nodes` lists the types
                """#),
        BadPipeline(
            "a block comment that never ends",
            #"{ "nodes": {} /* x"#,
            expect: #"""
                p.json:1:1: error: `{` is never closed
                  fix: add the missing `}`
                p.json:1:15: error: JSON has no comments
                  fix: remove it, or keep the text in a "$comment" key
                """#),
        BadPipeline(
            "an unquoted key",
            "{nodes: {}}",
            expect: #"""
                p.json:1:2: error: keys are written in double quotes (found nodes)
                  fix: write "nodes"
                p.json:1:9: error: nodes: holds no node
                  fix: add "ID": { "type": ... }; `vpipe nodes` lists the types
                """#),
        BadPipeline(
            "an equals sign",
            #"{"nodes" = {}}"#,
            expect: #"""
                p.json:1:10: error: nodes: key and value are separated by `:` (found `=`)
                  fix: write `:`
                p.json:1:12: error: nodes: holds no node
                  fix: add "ID": { "type": ... }; `vpipe nodes` lists the types
                """#),
        BadPipeline(
            "a missing colon",
            #"{"nodes" {}}"#,
            expect: #"""
                p.json:1:9: error: nodes: `:` is missing between key and value
                  fix: write `: ` after the key
                p.json:1:10: error: nodes: holds no node
                  fix: add "ID": { "type": ... }; `vpipe nodes` lists the types
                """#),
        BadPipeline(
            "a key without a value",
            #"{"nodes"}"#,
            expect: #"""
                p.json:1:9: error: nodes: the key has no value
                  fix: write `: ` and a value after it
                """#),
        BadPipeline(
            "a value missing after the colon",
            #"{"name": , "nodes": {}}"#,
            expect: #"""
                p.json:1:10: error: name: a value is missing before `,`
                p.json:1:21: error: nodes: holds no node
                  fix: add "ID": { "type": ... }; `vpipe nodes` lists the types
                """#),
        BadPipeline(
            "an unclosed object",
            #"""
            {
             "nodes": {

            """#,
            expect: #"""
                p.json:2:11: error: nodes: `{` is never closed
                  fix: add the missing `}`
                """#),
        BadPipeline(
            "an unclosed array",
            #"{"nodes": [1, 2"#,
            expect: #"""
                p.json:1:11: error: nodes: `[` is never closed
                  fix: add the missing `]`
                """#),
        BadPipeline(
            "the wrong closing bracket",
            #"{"nodes": {]}"#,
            expect: #"""
                p.json:1:12: error: nodes: expected `}` (found `]`)
                  fix: close the object with `}` first
                """#),
        BadPipeline(
            "the wrong closing bracket of an array",
            #"{"nodes": [1}}"#,
            expect: #"""
                p.json:1:13: error: nodes: expected `]` (found `}`)
                  fix: close the array with `]` first
                """#),
        BadPipeline(
            "one closing bracket too many",
            #"{"nodes": {}}}"#,
            expect: #"""
                p.json:1:14: error: one closing bracket too many (found `}`)
                  fix: remove it
                """#),
        BadPipeline(
            "text after the end",
            #"{"nodes": {}} done"#,
            expect: #"""
                p.json:1:15: error: text after the end of the pipeline (found `d`)
                  fix: remove it
                """#),
        BadPipeline(
            "an unterminated string",
            #"""
            {
            "name": "door,
            "nodes": {}
            }
            """#,
            expect: #"""
                p.json:2:9: error: name: the string is never closed
                  fix: add the missing "
                p.json:3:10: error: nodes: holds no node
                  fix: add "ID": { "type": ... }; `vpipe nodes` lists the types
                """#),
        BadPipeline(
            "an unknown escape",
            #"{"name": "C:\videos", "nodes": {}}"#,
            expect: #"""
                p.json:1:13: error: name: unknown escape in a string (found `\` and `v`)
                  fix: a backslash itself is written \\
                p.json:1:32: error: nodes: holds no node
                  fix: add "ID": { "type": ... }; `vpipe nodes` lists the types
                """#),
        BadPipeline(
            "half a surrogate pair",
            #"{"name": "\ud83d", "nodes": {}}"#,
            expect: #"""
                p.json:1:11: error: name: half of a surrogate pair
                  fix: write both halves, or the character itself
                p.json:1:29: error: nodes: holds no node
                  fix: add "ID": { "type": ... }; `vpipe nodes` lists the types
                """#),
        BadPipeline(
            "a broken unicode escape",
            #"{"name": "\u12g4", "nodes": {}}"#,
            expect: #"""
                p.json:1:11: error: name: \u takes four hexadecimal digits
                  fix: for example \u00e9
                p.json:1:29: error: nodes: holds no node
                  fix: add "ID": { "type": ... }; `vpipe nodes` lists the types
                """#),
        BadPipeline(
            "a tab in a string",
            "{\"name\": \"a\tb\", \"nodes\": {}}",
            expect: #"""
                p.json:1:12: error: name: control character in a string (found byte 0x09)
                  fix: write \t
                p.json:1:26: error: nodes: holds no node
                  fix: add "ID": { "type": ... }; `vpipe nodes` lists the types
                """#),
        BadPipeline(
            "a duplicate key",
            #"""
            {"name": "a",
             "nodes": {},
             "name": "b"}
            """#,
            expect: #"""
                p.json:2:11: error: nodes: holds no node
                  fix: add "ID": { "type": ... }; `vpipe nodes` lists the types
                p.json:3:2: error: name: duplicate key, first given at 1:2
                  fix: remove or rename one of the two
                """#),
        BadPipeline(
            "duplicate node ids",
            #"""
            {"nodes": {"a": {"type":"camera"},
            "a": {"type":"camera"}}}
            """#,
            expect: #"""
                p.json:1:12: error: nodes: no sink: every frame would be thrown away
                  fix: add a node of type "file", "jsonl" or "table"
                p.json:2:1: error: nodes.a: duplicate key, first given at 1:12
                  fix: remove or rename one of the two
                """#),
        BadPipeline(
            "a huge number",
            #"{"target": {"fps": 1e999}, "nodes": {}}"#,
            expect: #"""
                p.json:1:20: error: target.fps: the number is too large (found 1e999)
                p.json:1:37: error: nodes: holds no node
                  fix: add "ID": { "type": ... }; `vpipe nodes` lists the types
                """#),
        BadPipeline(
            "numbers that JSON does not know",
            #"{"target": {"fps": +30, "latencyMs": .5}, "nodes": {"a":{"type":"detect","threshold":01,"every":0x10}}}"#,
            expect: #"""
                p.json:1:20: error: target.fps: a number has no leading + (found +30)
                  fix: remove the +
                p.json:1:38: error: target.latencyMs: a number needs a digit before the point (found .5)
                  fix: for example 0.5
                p.json:1:53: error: nodes: no source: no node brings frames in
                  fix: add a node of type "camera" or "video"
                p.json:1:53: error: nodes: no sink: every frame would be thrown away
                  fix: add a node of type "file", "jsonl" or "table"
                p.json:1:65: error: nodes.a.input: is missing: "detect" reads frames of another node
                  fix: add "input": "ID"
                p.json:1:86: error: nodes.a.threshold: a number has no leading zeros (found 01)
                  fix: remove them
                p.json:1:97: error: nodes.a.every: not a number (found 0x10)
                  fix: text is written in double quotes
                """#),
        BadPipeline(
            "more such numbers",
            #"{"target": {"fps": 1., "latencyMs": 1e}, "nodes": {"a":{"type":"detect","threshold":-,"every":1-2}}}"#,
            expect: #"""
                p.json:1:20: error: target.fps: a number needs a digit after the point (found 1.)
                  fix: for example 1.0
                p.json:1:37: error: target.latencyMs: the exponent of the number has no digits (found 1e)
                p.json:1:52: error: nodes: no source: no node brings frames in
                  fix: add a node of type "camera" or "video"
                p.json:1:52: error: nodes: no sink: every frame would be thrown away
                  fix: add a node of type "file", "jsonl" or "table"
                p.json:1:64: error: nodes.a.input: is missing: "detect" reads frames of another node
                  fix: add "input": "ID"
                p.json:1:85: error: nodes.a.threshold: not a number (found -)
                p.json:1:95: error: nodes.a.every: not a number (found 1-2)
                  fix: text is written in double quotes
                """#),
        BadPipeline(
            "Python words",
            #"{"nodes": {"a": {"type":"video","url":None,"realtime":True,"loop":nan}}}"#,
            expect: #"""
                p.json:1:12: error: nodes: no sink: every frame would be thrown away
                  fix: add a node of type "file", "jsonl" or "table"
                p.json:1:39: error: nodes.a.url: unknown word (found None)
                  fix: leave the key out to use its default
                p.json:1:55: error: nodes.a.realtime: unknown word (found True)
                  fix: write true
                p.json:1:67: error: nodes.a.loop: JSON has no such number (found nan)
                """#),
        BadPipeline(
            "a bare word",
            #"{"name": door, "nodes": {}}"#,
            expect: #"""
                p.json:1:10: error: name: text is written in double quotes (found door)
                  fix: write "door"
                p.json:1:25: error: nodes: holds no node
                  fix: add "ID": { "type": ... }; `vpipe nodes` lists the types
                """#),
        BadPipeline(
            "an unexpected character",
            #"{"name": @}"#,
            expect: #"""
                p.json:1:10: error: name: unexpected character where a value should be (found `@`)
                """#),
        BadPipeline(
            "a value that is no object",
            "[1]",
            expect: #"""
                p.json:1:1: error: a pipeline is a JSON object (found an array of 1)
                  fix: start with { "nodes": { ... } }
                """#),
        BadPipeline(
            "a bare string",
            #"""
            "nodes"
            """#,
            expect: #"""
                p.json:1:1: error: a pipeline is a JSON object (found "nodes")
                  fix: start with { "nodes": { ... } }
                """#),
        BadPipeline(
            "nesting without end",
            #"{"nodes": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["#,
            expect: #"""
                p.json:1:74: error: nodes[0][0][0][0][0][0][0][...][0][0][0][0]: nested deeper than 64 levels
                  fix: a pipeline needs about five
                """#),
        BadPipeline(
            "columns count characters",
            #"{"näme…": 1, "nodes": {}}"#,
            expect: #"""
                p.json:1:2: error: näme…: unknown key
                  fix: did you mean "name"? (keys: name, target, ladder, for, nodes)
                p.json:1:23: error: nodes: holds no node
                  fix: add "ID": { "type": ... }; `vpipe nodes` lists the types
                """#),
    ]
}
