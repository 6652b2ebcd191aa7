// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import CFFmpeg
internal import Glibc
package import Synchronization

/// FFmpeg's own messages: counted, and shown on the standard error stream only when `VPIPE_FFMPEG_LOG` is set.
///
/// The callback runs on any of FFmpeg's threads: it touches atomics, and only what is shown is copied and written.
public enum FFmpegLog {
    package static let errorCount = Atomic<Int>(0)
    package static let warningCount = Atomic<Int>(0)
    private static let isShown = Atomic<Bool>(false)
    /// The thread whose last connection failed for a reason that only the log is told (the status is EIO), and which.
    private static let hintThread = Atomic<UInt>(0)
    private static let hintIndex = Atomic<Int>(0)
    private static let hints: [(mark: String, code: MediaError.Code, words: String)] = [
        // Of a stream whose length nobody said: the server closed it.
        ("should be 18446744073709551615", .ended, "the other side ended the stream"),
        ("Failed to resolve hostname", .notFound, "there is no host of this name, or nobody who knows it answers"),
        ("owner does not match hostname", .untrusted, distrust("is that of another host")),
        ("Peer certificate failed verification", .untrusted, distrust("is not from an authority that is trusted here")),
        ("certificate verify failed", .untrusted, distrust("is not from an authority that is trusted here")),
    ]

    private static func distrust(_ reason: String) -> String {
        "the server does not prove who it is: its certificate \(reason); name the right one as \"tlsCertificate\", or go on "
            + "without by \"tlsVerify\": false"
    }

    private static let installation: Void = {
        isShown.store(getenv("VPIPE_FFMPEG_LOG") != nil, ordering: .relaxed)
        vpipe_log_to { level, line in FFmpegLog.take(level: level, line: line) }
    }()

    /// Routes FFmpeg's messages here; later calls do nothing.
    package static func install() { installation }

    /// Errors FFmpeg has reported in this process so far.
    public static var errors: Int { errorCount.load(ordering: .relaxed) }
    /// Warnings FFmpeg has reported in this process so far.
    public static var warnings: Int { warningCount.load(ordering: .relaxed) }

    /// Why the calling thread's last connection failed, where only the log was told; said once.
    static func takeHint() -> (code: MediaError.Code, words: String)? {
        let thread = UInt(pthread_self())
        guard hintThread.compareExchange(expected: thread, desired: 0, ordering: .acquiringAndReleasing).exchanged
        else { return nil }
        let hint = hints[hintIndex.load(ordering: .acquiring)]
        return (hint.code, hint.words)
    }

    private static func take(level: Int32, line: UnsafePointer<CChar>?) {
        if level <= AV_LOG_ERROR {
            errorCount.wrappingAdd(1, ordering: .relaxed)
        } else {
            warningCount.wrappingAdd(1, ordering: .relaxed)
        }
        if level <= AV_LOG_ERROR, let line, let index = hints.firstIndex(where: { strstr(line, $0.mark) != nil }) {
            hintIndex.store(index, ordering: .releasing)
            hintThread.store(UInt(pthread_self()), ordering: .releasing)
        }
        guard isShown.load(ordering: .relaxed), let line else { return }
        // FFmpeg prints addresses whole, passwords and all.
        let text = redacted(String(cString: line))
        _ = write(2, text, text.utf8.count)
    }
}
