// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import PipelineLanguage

@Suite struct `Bad environments` {
    @Test(arguments: cases)
    func `every problem is told exactly`(_ example: BadPipeline) {
        #expect(example.messages == example.expected)
    }

    static let cases: [BadPipeline] = [
        BadPipeline(
            "a variable that is not set",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "d":{"type":"detect","input":"v","threshold":"${T}"},
            "f":{"type":"file","input":"d","path":"${OUT:-o.mp4}"}
            }}
            """#,
            expect: #"""
                p.json:3:46: error: nodes.d.threshold: environment variable T is not set
                  fix: set it, or give a default: ${T:-value}
                """#),
        BadPipeline(
            "a value out of range", environment: ["T": "12"],
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "d":{"type":"detect","input":"v","threshold":"${T}"},
            "f":{"type":"file","input":"d","path":"${OUT:-o.mp4}"}
            }}
            """#,
            expect: #"""
                p.json:3:46: error: nodes.d.threshold: must be between 0 and 1 (found 12 from ${T})
                  fix: the default is 0.6
                """#),
        BadPipeline(
            "a value that is no number", environment: ["T": "high"],
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "d":{"type":"detect","input":"v","threshold":"${T}"},
            "f":{"type":"file","input":"d","path":"${OUT:-o.mp4}"}
            }}
            """#,
            expect: #"""
                p.json:3:46: error: nodes.d.threshold: must be a number between 0 and 1 (found high from ${T})
                """#),
        BadPipeline(
            "an empty value", environment: ["T": ""],
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "d":{"type":"detect","input":"v","threshold":"${T}"},
            "f":{"type":"file","input":"d","path":"${OUT:-o.mp4}"}
            }}
            """#,
            expect: #"""
                p.json:3:46: error: nodes.d.threshold: must be a number between 0 and 1 (found nothing from ${T})
                """#),
        BadPipeline(
            "an unclosed interpolation",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"${HOME"},
            "f":{"type":"file","input":"v","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:2:27: error: nodes.v.url: `${` is never closed
                  fix: write ${NAME}, or $$ for a plain dollar sign
                """#),
        BadPipeline(
            "a name that is none",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"${1A}/${}/${A B}"},
            "f":{"type":"file","input":"v","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:2:27: error: nodes.v.url: not the name of an environment variable (found "1A")
                  fix: write ${NAME} or ${NAME:-default}, or $$ for a plain dollar sign
                p.json:2:27: error: nodes.v.url: not the name of an environment variable (found "")
                  fix: write ${NAME} or ${NAME:-default}, or $$ for a plain dollar sign
                p.json:2:27: error: nodes.v.url: not the name of an environment variable (found "A B")
                  fix: write ${NAME} or ${NAME:-default}, or $$ for a plain dollar sign
                """#),
        BadPipeline(
            "a number inside a longer text", environment: ["X": "5"],
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "d":{"type":"detect","input":"v","threshold":"0.${X}"},
            "f":{"type":"file","input":"d","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:3:46: error: nodes.d.threshold: must be a number between 0 and 1 (found "0.5" from ${X})
                  fix: let ${...} stand for the whole value; only then it becomes what the parameter takes
                """#),
        BadPipeline(
            "a node id from the environment", environment: ["WHO": "cam"],
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "f":{"type":"file","path":"o.mp4",
            "input":"${WHO}"}
            }}
            """#,
            expect: #"""
                p.json:4:9: error: nodes.f.input: unknown node (found "cam")
                  fix: nodes: v
                """#),
        BadPipeline(
            "a secret", environment: ["URL": "rtsp://me:secret@host/"],
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "d":{"type":"detect","input":"v","threshold":"${URL}"},
            "f":{"type":"file","input":"d","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:3:46: error: nodes.d.threshold: must be a number between 0 and 1 (found rtsp://me:***@host/ from ${URL})
                """#),
    ]
}
