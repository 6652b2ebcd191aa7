// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

@testable import Media

@Suite struct `Damaged media` {
    /// Changes some bytes, cuts pieces out or in, or shortens; sometimes in the headers, sometimes anywhere.
    static func mutate(_ original: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = original
        for _ in 0..<Int(random.next() % 12 + 1) where !bytes.isEmpty {
            let range = random.next() % 2 == 0 ? min(bytes.count, 1500) : bytes.count
            let place = Int(random.next() % UInt64(range))
            switch random.next() % 8 {
            case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
            case 1: bytes[place] ^= 1 << UInt8(random.next() % 8)
            case 2: bytes[place] = [0, 0xff, 0x7f, 0x80][Int(random.next() % 4)]
            case 3:
                for index in place..<min(bytes.count, place + 4) { bytes[index] = [0, 0xff][Int(random.next() % 2)] }
            case 4: bytes.removeSubrange(place..<min(bytes.count, place + Int(random.next() % 64)))
            case 5:
                bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + Int(random.next() % 64))], at: place)
            case 6: if random.next() % 8 == 0 { bytes.removeSubrange(place...) }
            default:
                for index in place..<min(bytes.count, place + 16) {
                    bytes[index] = UInt8(truncatingIfNeeded: random.next())
                }
            }
        }
        return bytes
    }

    static let sources: [(String, WriterSettings)] = ["a.mp4", "f.mp4", "b.mkv", "c.webm", "d.mov", "e.mkv"].map {
        name in
        var settings = WriterSettings()
        if name == "d.mov" { settings.codec = .mjpeg }
        if name == "e.mkv" { settings.codec = .hevc }
        if name == "f.mp4" { settings.finalises = false }
        return (name, settings)
    }

    /// Damaged files per source; `VPIPE_MUTATIONS` multiplies them.
    static let rounds = 1700 * max(1, Int(ProcessInfo.processInfo.environment["VPIPE_MUTATIONS"] ?? "") ?? 1)

    @Test func `ten thousand files in every run`() { #expect(Self.sources.count * Self.rounds >= 10_000) }

    @Test(.timeLimit(.minutes(15)), arguments: sources.indices)
    func `never crashes and always ends`(index: Int) throws {
        let (name, settings) = Self.sources[index]
        let scratch = try Scratch()
        try writePattern(scratch.file(name), width: 48, height: 32, frames: 12, settings: settings)
        let original = [UInt8](try Data(contentsOf: URL(fileURLWithPath: scratch.file(name))))
        var random = SeededGenerator(seed: UInt64(index) + 1)
        var played = 0
        var refused = 0
        for _ in 0..<Self.rounds {
            let path = scratch.file("x" + name)
            try Data(Self.mutate(original, &random)).write(to: URL(fileURLWithPath: path))
            do throws(MediaError) {
                let reader = try VideoReader(path)
                let tap = try reader.makeAudioTap(capacityBytes: 1 << 16)
                var frames = 0
                var last: Int64?
                while let frame = try reader.read() {
                    if let last { #expect(frame.pts.ticks > last) }
                    last = frame.pts.ticks
                    frames += 1
                    // 12 frames went in; damage can double some, but not make films.
                    #expect(frames < 10_000)
                    if frames >= 10_000 { break }
                }
                tap?.close()
                played += 1
            } catch {
                #expect(!error.description.isEmpty && !error.description.contains("\n"))
                refused += 1
            }
        }
        #expect(played + refused == Self.rounds)
        // The damage is neither harmless nor always fatal, or this tests nothing.
        #expect(played > Self.rounds / 10 && refused > 0)
    }
}
