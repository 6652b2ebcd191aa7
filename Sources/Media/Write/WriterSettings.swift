// SPDX-License-Identifier: Apache-2.0

/// How a video is encoded and stored.
public struct WriterSettings: Sendable, Hashable {
    /// Container; nil follows the ending of the path.
    public var container: Container?
    /// Codec; nil is the container's default.
    public var codec: VideoCodec?
    /// Constant quality on the codec's own scale, see `VideoCodec.qualityRange`; ignored where a bit rate is given.
    public var quality: Int?
    /// Mean bits per second.
    public var bitRate: Int?
    /// Bits per second that no second exceeds by much; nil sets no bound.
    public var maxBitRate: Int?
    /// One of `VideoCodec.presets`; nil is the encoder's default.
    public var preset: String?
    /// Frames between keyframes at most; nil is the encoder's default.
    public var keyframeInterval: Int?
    /// Encoder threads; 0 lets the encoder choose.
    public var threads = 0
    /// Layout stored; nil keeps the source's where players take it (4:2:0 for H.264, HEVC and VP9).
    public var format: PixelFormat?
    /// Nominal frame rate told to the encoder and the container; timestamps stay exact whatever it says.
    public var frameRate = Rational(0, 1)
    /// What becomes of a file that is there already; it is replaced when the first fragment of the new one is whole.
    public var ifExists = IfExists.fail
    /// Media seconds between fragments: what a kill can cost at most, beside what the encoder holds back.
    public var fragmentSeconds = 1.0
    /// Whether mp4 and mov are rewritten with the index at the front when finished.
    public var finalises = true
    /// Whether the encoder holds back no frames (no B-frames, no look-ahead), for live output.
    public var hasLowLatency = false

    /// The defaults.
    public init() {}
}

/// What a writer has done.
public struct WriterStatistics: Sendable, Hashable {
    /// FFmpeg's name of the encoder used.
    public var encoder = ""
    /// Pictures taken.
    public var frames = 0
    /// Places where copied packets were left out, up to a keyframe.
    public var gaps = 0
    /// Video packets written; equal to `frames` once finished, where they were encoded.
    public var packets = 0
    /// Video packets that are on disk whatever comes: those up to the last whole fragment.
    public var wholePackets = 0
    /// Bytes of video.
    public var videoBytes = 0
    /// Audio packets written.
    public var audioPackets = 0
    /// Timestamps moved because they did not increase.
    public var repairedTimestamps = 0
    /// Pictures scaled because their size differs from the first.
    public var rescaled = 0
    /// Fragments or clusters completed.
    public var fragments = 0
    /// Things the user should know: a fallback, an audio stream left out, an index that could not be moved.
    public var warnings: [String] = []
}
