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

    private static func take(level: Int32, line: UnsafePointer<CChar>?) {
        if level <= AV_LOG_ERROR {
            errorCount.wrappingAdd(1, ordering: .relaxed)
        } else {
            warningCount.wrappingAdd(1, ordering: .relaxed)
        }
        guard isShown.load(ordering: .relaxed), let line else { return }
        // FFmpeg prints addresses whole, passwords and all.
        let text = redacted(String(cString: line))
        _ = write(2, text, text.utf8.count)
    }
}
