// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import PipelineLanguage

/// The parameters that say when a sink goes on in a new file.
enum SegmentParams {
    static let segment = Param.duration(
        "segment", seconds: 0.1...31_536_000, synonyms: ["segmentTime", "split", "chunk"],
        doc: "Begin a new file after so long; one file when absent"
    ).optional
    static let segmentBytes = Param.bytes(
        "segmentBytes", range: 1000...1_000_000_000_000_000, synonyms: ["segmentSize", "maxBytes"],
        doc: "Begin a new file when this one has about so many bytes"
    ).optional
    static let onTheClock = Param.boolean(
        "onTheClock", default: false,
        doc: "Begin files at whole multiples of segment since midnight (each full minute, each full hour)")

    static let all: [any ParamDeclaration] = [segment, segmentBytes, onTheClock]

    static func rules(_ settings: Settings) -> SegmentRules {
        var rules = SegmentRules()
        rules.seconds = settings[segment]?.inSeconds
        rules.bytes = settings[segmentBytes].map { Int64($0) }
        rules.isOnTheClock = settings[onTheClock]
        rules.zone = settings[OutputParams.timeZone]
        return rules
    }

    static func problems(_ settings: Settings) -> [SettingsProblem] {
        guard settings[onTheClock], settings[segment] == nil else { return [] }
        return [
            SettingsProblem(
                parameter: "onTheClock", message: "needs to know how long a file is", fix: "add \"segment\": \"1h\"")
        ]
    }
}
