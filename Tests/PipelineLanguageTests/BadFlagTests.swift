// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import PipelineLanguage

@Suite struct `Bad flags` {
    @Test(arguments: cases)
    func `every problem is told exactly`(_ example: BadPipeline) {
        #expect(example.messages == example.expected)
    }

    static let cases: [BadPipeline] = [
        BadPipeline(
            "a value out of range", set: ["detect.threshold=12"],
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "detect":{"type":"detect","input":"v"},
            "file":{"type":"file","input":"detect","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                --set detect.threshold=12: error: nodes.detect.threshold: must be between 0 and 1 (found 12)
                  fix: the default is 0.6
                """#),
        BadPipeline(
            "a value of the wrong kind", set: ["detect.threshold=high", "detect.every=1.5", "v.realtime=maybe"],
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "detect":{"type":"detect","input":"v"},
            "file":{"type":"file","input":"detect","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                --set detect.threshold=high: error: nodes.detect.threshold: must be a number between 0 and 1 (found high)
                --set detect.every=1.5: error: nodes.detect.every: must be an integer between 1 and 100 frames (found 1.5)
                --set v.realtime=maybe: error: nodes.v.realtime: must be true or false (found maybe)
                """#),
        BadPipeline(
            "an unknown node", set: ["detct.threshold=1"],
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "detect":{"type":"detect","input":"v"},
            "file":{"type":"file","input":"detect","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                --set detct.threshold=1: error: nodes.detct: no such node
                  fix: did you mean "detect"? (nodes: v, detect, file)
                """#),
        BadPipeline(
            "an unknown parameter", set: ["detect.treshold=1"],
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "detect":{"type":"detect","input":"v"},
            "file":{"type":"file","input":"detect","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                --set detect.treshold=1: error: nodes.detect.treshold: "detect" has no such parameter
                  fix: did you mean "threshold"? (keys: type, input, variant, weights, threshold, every)
                """#),
        BadPipeline(
            "no equals sign", set: ["detect.threshold"],
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "detect":{"type":"detect","input":"v"},
            "file":{"type":"file","input":"detect","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                --set detect.threshold: error: must be NODE.PARAMETER=VALUE
                  fix: for example --set detect.threshold=0.5
                """#),
        BadPipeline(
            "no parameter", set: ["detect=1", "=5", "zzz=1"],
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "detect":{"type":"detect","input":"v"},
            "file":{"type":"file","input":"detect","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                --set detect=1: error: must be NODE.PARAMETER=VALUE
                  fix: name the parameter too: detect.PARAMETER=VALUE
                --set =5: error: must be NODE.PARAMETER=VALUE
                  fix: for example --set detect.threshold=0.5
                --set zzz=1: error: must be NODE.PARAMETER=VALUE
                  fix: nodes: v, detect, file
                """#),
        BadPipeline(
            "an empty step", set: ["detect..threshold=1"],
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "detect":{"type":"detect","input":"v"},
            "file":{"type":"file","input":"detect","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                --set detect..threshold=1: error: must be NODE.PARAMETER=VALUE
                  fix: remove the extra dot
                """#),
        BadPipeline(
            "an unknown type", set: ["detect.type=retina"],
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "detect":{"type":"detect","input":"v"},
            "file":{"type":"file","input":"detect","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                --set detect.type=retina: error: nodes.detect.type: unknown node type (found retina)
                  fix: `vpipe nodes` lists the types
                """#),
        BadPipeline(
            "an unknown input", set: ["file.input=detekt"],
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "detect":{"type":"detect","input":"v"},
            "file":{"type":"file","input":"detect","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                --set file.input=detekt: error: nodes.file.input: unknown node (found "detekt")
                  fix: did you mean "detect"? (nodes: v, detect)
                """#),
        BadPipeline(
            "a bad target", set: ["target.fps=fast", "target.fsp=3"],
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "detect":{"type":"detect","input":"v"},
            "file":{"type":"file","input":"detect","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                --set target.fps=fast: error: target.fps: must be a number between 0.1 and 1000 (found fast)
                --set target.fsp=3: error: target.fsp: unknown key
                  fix: did you mean "fps"? (keys: fps, latencyMs)
                """#),
        BadPipeline(
            "a wrong policy", set: ["file.input.policy=newest"],
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "detect":{"type":"detect","input":"v"},
            "file":{"type":"file","input":"detect","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                --set file.input.policy=newest: error: nodes.file.input.policy: must be "block", "latest", "dropOldest" or "dropNewest" (found newest)
                """#),
        BadPipeline(
            "a step into a text", set: ["file.path.x=1"],
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "detect":{"type":"detect","input":"v"},
            "file":{"type":"file","input":"detect","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                --set file.path.x=1: error: nodes.file.path.x: is not inside an object or array of the file
                """#),
        BadPipeline(
            "a password in a flag", set: ["v.loop=rtsp://me:secret@host/"],
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "detect":{"type":"detect","input":"v"},
            "file":{"type":"file","input":"detect","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                --set v.loop=rtsp://me:***@host/: error: nodes.v.loop: must be an integer of at least 0 (found rtsp://me:***@host/)
                """#),
    ]
}
