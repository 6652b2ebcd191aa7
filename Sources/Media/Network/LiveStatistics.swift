// SPDX-License-Identifier: Apache-2.0
internal import Basics

/// What a stream of the network has done so far.
public struct LiveStatistics: Sendable, Hashable {
    /// What is received, `h264 1280x720 at 25 fps (rtsp)`.
    public internal(set) var mode = ""
    /// Pictures put up for taking.
    public internal(set) var frames = 0
    /// Pictures that arrived too late to be of the present.
    public internal(set) var stale = 0
    /// Pictures that gave their place to newer ones because nobody took them.
    public internal(set) var overtaken = 0
    /// Losses and returns.
    public internal(set) var outages = Outages<StreamFault>()
    /// Attempts to connect that failed, by cause.
    public internal(set) var failedAttempts: [StreamFault: Int] = [:]
    /// What the readers of all connections saw.
    public internal(set) var reading = ReaderStatistics()

    /// What is to be said of the server's certificate.
    var securityNote: String?

    mutating func describe(_ info: VideoInfo) {
        let rate = info.frameRate.value.map { " at \(NumberText.decimal($0)) fps" } ?? ""
        mode = "\(info.codec) \(info.width)x\(info.height)\(rate) (\(info.container))"
    }

    /// One sentence for each thing the user should know.
    public var notes: [String] {
        var notes = mode.isEmpty ? [] : [mode]
        if let securityNote { notes.append(securityNote) }
        if let note = outages.note { notes.append(note) }
        if !failedAttempts.isEmpty {
            let kinds = StreamFault.allCases.compactMap { fault in
                failedAttempts[fault].map { "\(fault.rawValue) \($0)" }
            }
            let count = failedAttempts.values.reduce(0, +)
            var note = "\(count) attempts to connect failed (\(kinds.joined(separator: ", ")))"
            if outages.count == 0, let last = outages.lastLoss { note += "; \(last)" }
            notes.append(note)
        }
        if stale > 0 { notes.append("\(stale) pictures came too late and were left out") }
        if overtaken > 0 { notes.append("\(overtaken) pictures gave way to newer ones before they were let in") }
        return notes + reading.notes
    }
}
