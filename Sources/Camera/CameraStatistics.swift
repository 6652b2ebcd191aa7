// SPDX-License-Identifier: Apache-2.0
public import Media

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
    /// Pictures given back unread, because a newer one was waiting behind them: that was asked for, or they come faster
    /// than they are converted.
    public var overtaken = 0
    /// Pictures copied so that the driver keeps enough buffers.
    public var copied = 0
    /// Pictures converted to a planar layout.
    public var converted = 0
    /// Timestamps replaced by the instant of arrival: of another clock, or of no use.
    public var restamped = 0
    /// Losses and returns.
    public var outages = Outages<CameraFault>()
    /// Frames the driver numbered, over all connections: frames, drops, flawed and overtaken ones add up
    /// to it.
    public var numbered = 0
    /// What was agreed with the driver last, `NV12 1280x720 at 30 fps`.
    public var mode = ""
    /// What is not as wished.
    public var compromise: String?

    /// Frames that came to nothing while the camera was there.
    public var flawed: Int { driverDrops + damaged + short + undecodable }

    /// One sentence for each thing the user should know.
    public var notes: [String] {
        var notes = mode.isEmpty ? [] : [mode + (compromise.map { ": the device \($0)" } ?? "")]
        if driverDrops > 0 { notes.append("\(driverDrops) frames dropped by the driver (gaps in its numbers)") }
        if damaged > 0 { notes.append("\(damaged) buffers marked as damaged by the driver") }
        if short > 0 { notes.append("\(short) buffers shorter than a picture") }
        if undecodable > 0 { notes.append("\(undecodable) packets that gave no picture") }
        if overtaken > 0 { notes.append("\(overtaken) pictures left unread for newer ones") }
        if copied > 0 { notes.append("\(copied) pictures copied to keep the driver in buffers") }
        if restamped > 0 { notes.append("\(restamped) timestamps replaced by the instant of arrival") }
        if let note = outages.note { notes.append(note) }
        return notes
    }
}
