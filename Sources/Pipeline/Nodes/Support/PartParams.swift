// SPDX-License-Identifier: Apache-2.0
internal import Media
internal import PipelineLanguage

/// The parameters that choose a part of a recording: from when, to when, and every how many frames.
enum PartParams {
    static let start = Param.duration(
        "start", seconds: 0...315_360_000, synonyms: ["from", "seek", "ss"],
        doc: "Leave out what comes before this time; the first frame is the first at or after it"
    ).optional
    static let end = Param.duration(
        "end", seconds: 0...315_360_000, synonyms: ["to", "until", "duration"],
        doc: "End before the first frame at or after this time"
    ).optional
    static let every = Param.integer(
        "every", default: 1, range: 1...1_000_000, unit: "frames",
        doc: "Let every Nth frame in, and not look at the others")

    static func problems(_ settings: Settings) -> [SettingsProblem] {
        guard let start = settings[start], let end = settings[end], end <= start else { return [] }
        return [
            SettingsProblem(parameter: "end", message: "is not after \"start\"", fix: "give times of the recording")
        ]
    }
}

/// Which frames of a recording are wanted.
struct RecordingPart {
    let start: Double?
    let end: Double?
    let every: Int
    private var count = 0

    init(start: Double? = nil, end: Double? = nil, every: Int = 1) {
        self.start = start
        self.end = end
        self.every = every
    }

    init(_ settings: Settings) {
        self.init(
            start: settings[PartParams.start]?.inSeconds, end: settings[PartParams.end]?.inSeconds,
            every: settings[PartParams.every])
    }

    /// What to do with a frame.
    enum Answer { case wanted, skipped, over }

    /// Takes the next frame's time in seconds.
    mutating func next(_ time: Double) -> Answer {
        // Times in files are rounded to ticks: a microsecond is no difference.
        if let end, time >= end - 1e-6 { return .over }
        if let start, time < start - 1e-6 { return .skipped }
        defer { count += 1 }
        return count % every == 0 ? .wanted : .skipped
    }

    /// How many of so many frames, at a rate, are wanted.
    func frames(of all: Int, rate: Double?) -> Int? {
        var count = all
        if start != nil || end != nil {
            guard let rate else { return nil }
            let length = min(end ?? .infinity, Double(all) / rate) - (start ?? 0)
            count = max(0, Int((length * rate).rounded()))
        }
        return (count + every - 1) / every
    }
}
