// SPDX-License-Identifier: Apache-2.0

/// What pushing a stream has come to so far.
public struct StreamStatistics: Sendable, Hashable {
    /// FFmpeg's name of the encoder used.
    public internal(set) var encoder = ""
    /// Pictures the peer was sent.
    public internal(set) var packets = 0
    /// Bytes of video sent.
    public internal(set) var videoBytes = 0
    /// Audio packets sent.
    public internal(set) var audioPackets = 0
    /// Encoded pictures that were on their way when the connection broke, or the stream was cut short.
    public internal(set) var lostPackets = 0
    /// Connections made.
    public internal(set) var connections = 0
    /// Losses and returns.
    public internal(set) var outages = Outages<StreamFault>()
    /// Attempts to connect that failed, by cause.
    public internal(set) var failedAttempts: [StreamFault: Int] = [:]
    /// Things the user should know.
    public internal(set) var warnings: [String] = []
}
