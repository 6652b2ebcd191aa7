// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import PipelineLanguage

@Suite struct `Bad parameters` {
    @Test(arguments: cases)
    func `every problem is told exactly`(_ example: BadPipeline) {
        #expect(example.messages == example.expected)
    }

    static let cases: [BadPipeline] = [
        BadPipeline(
            "a number out of range",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "d":{"type":"detect","input":"v","threshold":12},
            "f":{"type":"file","input":"d","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:3:46: error: nodes.d.threshold: must be between 0 and 1 (found 12)
                  fix: the default is 0.6
                """#),
        BadPipeline(
            "a number below its range",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "d":{"type":"detect","input":"v","threshold":-0.1},
            "f":{"type":"file","input":"d","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:3:46: error: nodes.d.threshold: must be between 0 and 1 (found -0.1)
                  fix: the default is 0.6
                """#),
        BadPipeline(
            "a number in quotes",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "d":{"type":"detect","input":"v","threshold":"0.5"},
            "f":{"type":"file","input":"d","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:3:46: error: nodes.d.threshold: must be a number between 0 and 1 (found "0.5")
                  fix: write it without quotes: 0.5
                """#),
        BadPipeline(
            "a number that is an object",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "d":{"type":"detect","input":"v","threshold":{}},
            "f":{"type":"file","input":"d","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:3:46: error: nodes.d.threshold: must be a number between 0 and 1 (found an object)
                """#),
        BadPipeline(
            "null for a number",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "d":{"type":"detect","input":"v","threshold":null},
            "f":{"type":"file","input":"d","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:3:46: error: nodes.d.threshold: must be a number between 0 and 1 (found null)
                  fix: leave the key out to use its default
                """#),
        BadPipeline(
            "null for something required",
            #"""
            {"nodes":{
            "v":{"type":"video","url":null},
            "f":{"type":"file","input":"v","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:2:27: error: nodes.v.url: must be a path or URL in double quotes (found null)
                """#),
        BadPipeline(
            "an integer with a fraction",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "d":{"type":"detect","input":"v","every":2.5},
            "f":{"type":"file","input":"d","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:3:42: error: nodes.d.every: must be an integer between 1 and 100 frames (found 2.5)
                """#),
        BadPipeline(
            "an integer out of range",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "d":{"type":"detect","input":"v","every":0},
            "f":{"type":"file","input":"d","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:3:42: error: nodes.d.every: must be between 1 and 100 frames (found 0)
                  fix: the default is 1
                """#),
        BadPipeline(
            "an integer too large for any machine",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "d":{"type":"detect","input":"v","every":1e300},
            "f":{"type":"file","input":"d","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:3:42: error: nodes.d.every: must be an integer between 1 and 100 frames (found 1e300)
                """#),
        BadPipeline(
            "an integer below its lowest",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a","loop":-1},
            "f":{"type":"file","input":"v","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:2:38: error: nodes.v.loop: must be at least 0 (found -1)
                  fix: the default is 1
                """#),
        BadPipeline(
            "a boolean in quotes",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a","realtime":"true"},
            "f":{"type":"file","input":"v","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:2:42: error: nodes.v.realtime: must be true or false (found "true")
                  fix: write it without quotes: true
                """#),
        BadPipeline(
            "a boolean as a number",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a","realtime":1},
            "f":{"type":"file","input":"v","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:2:42: error: nodes.v.realtime: must be true or false (found 1)
                """#),
        BadPipeline(
            "a misspelt choice",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "d":{"type":"detect","input":"v","variant":"tinny"},
            "f":{"type":"file","input":"d","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:3:44: error: nodes.d.variant: must be "tiny" or "large" (found "tinny")
                  fix: did you mean "tiny"?
                """#),
        BadPipeline(
            "a choice that is a number",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "d":{"type":"detect","input":"v","variant":1},
            "f":{"type":"file","input":"d","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:3:44: error: nodes.d.variant: must be "tiny" or "large" (found 1)
                """#),
        BadPipeline(
            "a number for a path",
            #"""
            {"nodes":{
            "v":{"type":"video","url":0},
            "f":{"type":"file","input":"v","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:2:27: error: nodes.v.url: must be a path or URL in double quotes (found 0)
                  fix: write "0"
                """#),
        BadPipeline(
            "an empty path",
            #"""
            {"nodes":{
            "v":{"type":"video","url":""},
            "f":{"type":"file","input":"v","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:2:27: error: nodes.v.url: must not be empty (found "")
                """#),
        BadPipeline(
            "a password is not shown",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"rtsp://user:secret@host/1","loop":"rtsp://user:secret@host/2"},
            "f":{"type":"file","input":"v","path":"o.mp4"}
            }}
            """#,
            expect: #"""
                p.json:2:62: error: nodes.v.loop: must be an integer of at least 0 (found "rtsp://user:***@host/2")
                """#),
        BadPipeline(
            "sizes",
            #"""
            {"nodes":{
            "a":{"type":"camera","size":"1280*720"},
            "b":{"type":"camera","size":[1280,720]},
            "c":{"type":"camera","size":640},
            "d":{"type":"camera","size":"big"},
            "e":{"type":"camera","size":"20000x10"},
            "f":{"type":"camera","size":"0x10"}
            }}
            """#,
            expect: #"""
                p.json:2:1: error: nodes: no sink: every frame would be thrown away
                  fix: add a node of type "file", "jsonl" or "table"
                p.json:2:29: error: nodes.a.size: must be a size such as "1280x720" (found "1280*720")
                  fix: write "1280x720"
                p.json:3:29: error: nodes.b.size: must be a size such as "1280x720" (found an array of 2)
                  fix: write "1280x720"
                p.json:4:29: error: nodes.c.size: must be a size such as "1280x720" (found 640)
                  fix: write "640x640"
                p.json:5:29: error: nodes.d.size: must be a size such as "1280x720" (found "big")
                p.json:6:29: error: nodes.e.size: each side must be between 1 and 16384 pixels (found "20000x10")
                p.json:7:29: error: nodes.f.size: must be a size such as "1280x720" (found "0x10")
                """#),
        BadPipeline(
            "rates",
            #"""
            {"nodes":{
            "a":{"type":"camera","fps":0},
            "b":{"type":"camera","fps":"30/0"},
            "c":{"type":"camera","fps":"fast"},
            "d":{"type":"camera","fps":5000}
            }}
            """#,
            expect: #"""
                p.json:2:1: error: nodes: no sink: every frame would be thrown away
                  fix: add a node of type "file", "jsonl" or "table"
                p.json:2:28: error: nodes.a.fps: must be frames per second such as 30, 29.97 or "30000/1001" (found 0)
                p.json:3:28: error: nodes.b.fps: must be frames per second such as 30, 29.97 or "30000/1001" (found "30/0")
                p.json:4:28: error: nodes.c.fps: must be frames per second such as 30, 29.97 or "30000/1001" (found "fast")
                p.json:5:28: error: nodes.d.fps: must be frames per second such as 30, 29.97 or "30000/1001" (found 5000)
                """#),
        BadPipeline(
            "durations",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "a":{"type":"file","input":"v","path":"a","fragment":500},
            "b":{"type":"file","input":"v","path":"b","fragment":"2"},
            "c":{"type":"file","input":"v","path":"c","fragment":"2 days"},
            "d":{"type":"file","input":"v","path":"d","fragment":"2h"},
            "e":{"type":"file","input":"v","path":"e","fragment":"-1s"},
            "f":{"type":"file","input":"v","path":"f","fragment":0}
            }}
            """#,
            expect: #"""
                p.json:3:54: error: nodes.a.fragment: must be a duration such as "500ms", "2s" or "1m", between 0.1 and 60 s (found 500)
                  fix: write the unit: "500ms" or "500s"
                p.json:4:54: error: nodes.b.fragment: must be a duration such as "500ms", "2s" or "1m", between 0.1 and 60 s (found "2")
                  fix: write the unit: "2ms" or "2s"
                p.json:5:54: error: nodes.c.fragment: must be a duration such as "500ms", "2s" or "1m", between 0.1 and 60 s (found "2 days")
                p.json:6:54: error: nodes.d.fragment: must be between 0.1 and 60 s (found "2h")
                  fix: the default is "2s"
                p.json:7:54: error: nodes.e.fragment: must be a duration such as "500ms", "2s" or "1m", between 0.1 and 60 s (found "-1s")
                p.json:8:54: error: nodes.f.fragment: must be between 0.1 and 60 s (found 0)
                  fix: the default is "2s"
                """#),
        BadPipeline(
            "bit rates",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "a":{"type":"file","input":"v","path":"a","bitrate":10},
            "b":{"type":"file","input":"v","path":"b","bitrate":"4MB"},
            "c":{"type":"file","input":"v","path":"c","bitrate":"4000000"},
            "d":{"type":"file","input":"v","path":"d","bitrate":1.5}
            }}
            """#,
            expect: #"""
                p.json:3:53: error: nodes.a.bitrate: must be between 1000 and 1000000000 bit/s (found 10)
                p.json:4:53: error: nodes.b.bitrate: must be bits per second such as 800000, "800k" or "4M", between 1000 and 1000000000 bit/s (found "4MB")
                p.json:5:53: error: nodes.c.bitrate: must be bits per second such as 800000, "800k" or "4M", between 1000 and 1000000000 bit/s (found "4000000")
                  fix: write it without quotes: 4000000
                p.json:6:53: error: nodes.d.bitrate: must be bits per second such as 800000, "800k" or "4M", between 1000 and 1000000000 bit/s (found 1.5)
                """#),
        BadPipeline(
            "lists and objects",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "o":{"type":"overlay","inputs":["v"],"colours":"red","style":[]},
            "f":{"type":"file","input":"o","path":"x"}
            }}
            """#,
            expect: #"""
                p.json:3:23: warning: nodes.o.inputs: its frames carry no results: "overlay" has nothing to work with
                  fix: read from a node that makes them: "detect" or "lines"
                p.json:3:48: error: nodes.o.colours: must be a list of texts such as ["a", "b"] (found "red")
                  fix: write ["red"]
                p.json:3:62: error: nodes.o.style: must be an object (found an empty array)
                """#),
        BadPipeline(
            "a list with a number in it",
            #"""
            {"nodes":{
            "v":{"type":"video","url":"a.mp4"},
            "o":{"type":"overlay","inputs":["v"],"colours":["red",5]},
            "f":{"type":"file","input":"o","path":"x"}
            }}
            """#,
            expect: #"""
                p.json:3:23: warning: nodes.o.inputs: its frames carry no results: "overlay" has nothing to work with
                  fix: read from a node that makes them: "detect" or "lines"
                p.json:3:48: error: nodes.o.colours: must be a list of texts such as ["a", "b"] (found an array of 2)
                """#),
        BadPipeline(
            "numbers at the end of what an integer holds",
            #"{"nodes":{"v":{"type":"video","url":"a","loop":-9223372036854775808.0},"f":{"type":"file","input":"v","path":"o"}}}"#,
            expect: #"""
                p.json:1:48: error: nodes.v.loop: must be an integer of at least 0 (found -9223372036854775808.0)
                """#),
        BadPipeline(
            "rates that only look like numbers",
            #"{"nodes":{"a":{"type":"camera","fps":"0x10"},"b":{"type":"file","input":"a","path":"o"}}}"#,
            expect: #"""
                p.json:1:38: error: nodes.a.fps: must be frames per second such as 30, 29.97 or "30000/1001" (found "0x10")
                """#),
    ]
}
