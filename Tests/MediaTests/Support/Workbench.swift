// SPDX-License-Identifier: Apache-2.0
import Foundation
import Overlay
import TestSupport
import Testing

@testable import Media

/// The package's own folders.
enum Place {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    static let shared = root.deletingLastPathComponent().appendingPathComponent("shared").path

    /// `../shared` beside the package, or beside the checkout this work tree belongs to.
    static let data: String? = [shared, root.deletingLastPathComponent().deletingLastPathComponent().path + "/shared"]
        .map { $0 + "/data" }.first { FileManager.default.fileExists(atPath: $0 + "/odd-media") }

    static func files(_ folder: String) -> [String] {
        guard let data, let names = FileManager.default.enumerator(atPath: data + "/" + folder) else { return [] }
        return names.compactMap { $0 as? String }.map { folder + "/" + $0 }
            .filter { !$0.hasSuffix("LICENSE") && !isFolder(data + "/" + $0) }.sorted()
    }

    private static func isFolder(_ path: String) -> Bool {
        var result: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &result) && result.boolValue
    }

    /// The helper beside the test program.
    static var writer: String? {
        let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return [URL(fileURLWithPath: program).deletingLastPathComponent().path, root.path + "/.build/debug"]
            .map { $0 + "/MediaTestWriter" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}

/// Everything a reader gives, and what it says of it.
struct Reading {
    var frames: [DecodedPicture] = []
    var count = 0
    var pts: [Int64] = []
    var seconds: [Double] = []
    var info: VideoInfo
    var statistics = ReaderStatistics()

    init(_ path: String, options: VideoReader.Options = VideoReader.Options(), keep: Bool = false, limit: Int = .max)
        throws
    {
        let reader = try VideoReader(path, options: options)
        info = reader.info
        while count < limit, let frame = try reader.read() {
            count += 1
            pts.append(frame.pts.ticks)
            seconds.append(frame.pts.seconds)
            if keep { frames.append(frame) }
        }
        statistics = reader.statistics
    }
}

extension Picture {
    /// Mean of the squared differences of a plane, over the size both have.
    func meanSquaredError(to other: Picture, plane index: Int) -> Double {
        let (a, b) = (plane(index), other.plane(index))
        let (width, height) = (min(a.width, b.width), min(a.height, b.height))
        var sum = 0.0
        for y in 0..<height {
            for x in 0..<width {
                let difference = Int(a.row(y)[x]) - Int(b.row(y)[x])
                sum += Double(difference * difference)
            }
        }
        return sum / Double(max(1, width * height))
    }
}

/// Writes a test pattern.
@discardableResult
func writePattern(
    _ path: String, width: Int = 160, height: Int = 96, frames: Int = 30, format: PixelFormat = .i420,
    color: ColorSpec? = nil, settings base: WriterSettings = WriterSettings(), audio: AudioTap? = nil,
    times: ((Int) -> Int64)? = nil, timeBase: Rational? = nil
) throws -> WriterStatistics {
    let pattern = try TestPattern(
        width: width, height: height, format: format, frameRate: Rational(30, 1), color: color)
    var settings = base
    if settings.preset == nil && settings.codec != .mjpeg { settings.preset = "ultrafast" }
    if settings.frameRate.num == 0 { settings.frameRate = Rational(30, 1) }
    let writer = try VideoWriter(path, settings: settings, audio: audio)
    for number in 0..<frames {
        let frame = try pattern.frame(number)
        let pts = times.map { MediaTime(ticks: $0(number), base: timeBase ?? frame.pts.base) } ?? frame.pts
        try writer.write(
            frame.picture, pts: pts, duration: times == nil ? frame.duration : MediaTime(ticks: 0, base: pts.base))
    }
    return try writer.finish()
}
