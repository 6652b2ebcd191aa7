// SPDX-License-Identifier: Apache-2.0

/// What a camera has done so far.
public struct CameraStatistics: Sendable, Hashable {
    /// Pictures handed out.
    public var frames = 0
    /// Frames the driver numbered but never gave: its own losses, or nobody took its buffers in time.
    public var driverDrops = 0
    /// Buffers that the driver marked as damaged.
    public var damaged = 0
    /// Buffers with less than a picture in them.
    public var short = 0
    /// Packets that gave no picture.
    public var undecodable = 0
    /// Pictures copied so that the driver keeps enough buffers.
    public var copied = 0
    /// Pictures converted to a planar layout.
    public var converted = 0
    /// Timestamps replaced by the instant of arrival: of another clock, or of no use.
    public var restamped = 0
    /// Losses by name.
    public var losses: [CameraFault: Int] = [:]
    /// Times it came back.
    public var returns = 0
    /// Nanoseconds without it, up to the last return.
    public var awayNanoseconds: UInt64 = 0
    /// The longest time from a loss to the first picture after it, in nanoseconds.
    public var longestAwayNanoseconds: UInt64 = 0
    /// Frames the driver numbered, over all connections: frames, drops and flawed ones add up to it.
    public var numbered = 0
    /// What was agreed with the driver last, `NV12 1280x720 at 30 fps`.
    public var mode = ""
    /// What is not as wished.
    public var compromise: String?
    /// The sentence of the last loss.
    public var lastLoss: String?

    /// Frames that came to nothing while the camera was there.
    public var flawed: Int { driverDrops + damaged + short + undecodable }

    /// One sentence for each thing the user should know.
    public var notes: [String] {
        var notes = mode.isEmpty ? [] : [mode + (compromise.map { ": the device \($0)" } ?? "")]
        if driverDrops > 0 { notes.append("\(driverDrops) frames dropped by the driver (gaps in its numbers)") }
        if damaged > 0 { notes.append("\(damaged) buffers marked as damaged by the driver") }
        if short > 0 { notes.append("\(short) buffers shorter than a picture") }
        if undecodable > 0 { notes.append("\(undecodable) packets that gave no picture") }
        if copied > 0 { notes.append("\(copied) pictures copied to keep the driver in buffers") }
        if restamped > 0 { notes.append("\(restamped) timestamps replaced by the instant of arrival") }
        if !losses.isEmpty {
            let count = losses.values.reduce(0, +)
            let kinds = CameraFault.allCases.compactMap { fault in losses[fault].map { "\(fault.rawValue) \($0)" } }
            let away = CameraWish.text(Double(awayNanoseconds) / 1e9)
            let longest = CameraWish.text(Double(longestAwayNanoseconds) / 1e9)
            notes.append(
                "lost \(count) times (\(kinds.joined(separator: ", "))), back \(returns) times, away for \(away) s, "
                    + "\(longest) s at most; last: \(lastLoss ?? "")")
        }
        return notes
    }
}
