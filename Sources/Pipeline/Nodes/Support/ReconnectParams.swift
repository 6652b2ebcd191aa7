// SPDX-License-Identifier: Apache-2.0
internal import PipelineLanguage

/// The parameters that sources and sinks share whose other side comes and goes.
enum ReconnectParams {
    static let connectTimeout = Param.duration(
        "connectTimeout", default: .seconds(10), seconds: 0.1...3600,
        doc: "How long connecting may take, until the streams are known")
    static let timeout = Param.duration(
        "timeout", default: .seconds(10), seconds: 0.1...3600,
        doc: "How long the other side may be silent, or take nothing, before the connection counts as lost")
    static let onLost = Param.choice(
        "onLost", default: LiveFrames.OnLost.blank,
        docs: ["blank": "frames that say so, at the source's rate", "gap": "nothing"],
        doc: "What comes out while a live source is away")
    /// Of devices, which cost nothing to try.
    static let deviceRetryMax = retryMax(.seconds(1), first: "100 ms")
    /// Of servers and peers.
    static let networkRetryMax = retryMax(.seconds(5), first: "200 ms")
    static let giveUp = Param.duration(
        "giveUpAfter", default: .zero, seconds: 0...31_536_000,
        doc: "Time away, also at the start, after which the node fails; 0 never gives up")

    /// A duration of the pipeline file in nanoseconds.
    static func nanoseconds(_ duration: Duration) -> UInt64 { UInt64(max(0, duration.inSeconds) * 1e9) }

    /// Nanoseconds away after which a node fails; nil never gives up.
    static func giveUpNanoseconds(_ settings: Settings) -> UInt64? {
        settings[giveUp] == .zero ? nil : nanoseconds(settings[giveUp])
    }

    private static func retryMax(_ longest: Duration, first: String) -> Param<Duration> {
        Param.duration(
            "retryMax", default: longest, seconds: 0.1...3600,
            doc:
                "Longest wait between attempts to come back; the first comes after \(first), each later one after twice "
                + "the wait")
    }
}
