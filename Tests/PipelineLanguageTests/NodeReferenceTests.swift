// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import PipelineLanguage

@Suite struct `The node reference` {
    private let reference = NodeReference(ReferenceSample.contracts)

    @Test func `the page`() {
        #expect(reference.markdown == Self.page)
    }

    @Test func `the list on the terminal`() {
        #expect(reference.list == Self.list)
    }

    @Test(arguments: ["kinds", "all"])
    func `one type on the terminal`(type: String) {
        #expect(reference.text(for: type) == Self.kinds)
    }

    @Test func `an unknown type has no text`() {
        #expect(reference.text(for: "kind") == nil)
    }

    private static let page = #"""
        # Node types

        Made from the declarations in the code; do not edit.

        Every node also takes `input` or `inputs` (unless it is a source), `onError` (`isolate` or `stop`) and
        `$comment`, a source `sensitive`, a sink `allowRaw` ([privacy](events.md#privacy)). Texts may hold
        `${NAME}` or `${NAME:-default}` from the environment.

        - Sources: [`feed`](#feed)
        - Processing: [`kinds`](#kinds)

        ## Sources

        ### feed

        Makes frames.

        - out `out`: video
        - out `numbers`: data

        ## Processing

        ### kinds

        Has every kind of parameter.

        Also called `all`.

        More is said **here**.

        - in `main`: video. The picture
        - in `side`: data, may be left open
        - in `rest`: video, 0 to 4 links, with lines or faces
        - out `out`: video, adds faces. The same picture

        | parameter | takes | default | |
        |---|---|---|---|
        | `label` | text | `a "b"` | Some text, with a \| in it (changeable while running) |
        | `path` | path | required | A path |
        | `url` | path or URL |  | A path or URL |
        | `count` | integer, between 0 and 9 frames | `3` | An integer |
        | `gain` | number, at least 0.125 | `0.25` | A number with one bound |
        | `fast` | true or false | `false` | A switch |
        | `mode` | `one` (The first) or `two` | `two` | A choice |
        | `size` | `WIDTHxHEIGHT`, each side between 1 and 16384 pixels | `640x480` | A size |
        | `wait` | duration, between 0 and 60 s | `1500ms` | A duration |
        | `fps` | frame rate, fps | `30000/1001` | A rate |
        | `bits` | bit rate, between 1000 and 1000000000 bit/s |  | A bit rate |
        | `names` | list of texts | `["x", "y"]` | A list |
        | `more` | object |  | Anything |

        The least:
        ```json
        { "type": "kinds", "input": "feed", "path": "x" }
        ```

        """#

    private static let list = #"""
        Sources
          feed   Makes frames

        Processing
          kinds  Has every kind of parameter

        """#

    private static let kinds = #"""
        kinds (processing): Has every kind of parameter
        also called all

        More is said **here**.

        ports
          in  main: video. The picture
          in  side: data, may be left open
          in  rest: video, 0 to 4 links, with lines or faces
          out out: video, adds faces. The same picture

        parameters
          label  Some text, with a | in it (changeable while running)
                 text; default a "b"
          path   A path
                 path; required
          url    A path or URL
                 path or URL
          count  An integer
                 integer, between 0 and 9 frames; default 3
          gain   A number with one bound
                 number, at least 0.125; default 0.25
          fast   A switch
                 true or false; default false
          mode   A choice
                 one (The first) or two; default two
          size   A size
                 WIDTHxHEIGHT, each side between 1 and 16384 pixels; default 640x480
          wait   A duration
                 duration, between 0 and 60 s; default 1500ms
          fps    A rate
                 frame rate, fps; default 30000/1001
          bits   A bit rate
                 bit rate, between 1000 and 1000000000 bit/s
          names  A list
                 list of texts; default ["x", "y"]
          more   Anything
                 object

        The least:
          { "type": "kinds", "input": "feed", "path": "x" }

        """#
}
