// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

@testable import Media

@Suite(
    .enabled(if: Place.data != nil, "../shared/data is not there"),
    .enabled(if: Tool.hasFFmpeg, "ffmpeg is not installed"))
struct `Real and odd files` {
    @Test(arguments: Place.files("videos") + Place.files("odd-media"))
    func `as many frames as ffprobe counts, or one line that says why not`(name: String) throws {
        let path = try #require(Place.data) + "/" + name
        let counted = try Tool.probe(path, "stream=nb_read_frames", count: true).first.flatMap { Int($0) } ?? 0
        do {
            let reading = try Reading(path)
            #expect(reading.count == counted)
            #expect(zip(reading.pts, reading.pts.dropFirst()).allSatisfy { $0 < $1 })
        } catch let error as MediaError {
            #expect(counted == 0, "\(error)")
            #expect(!error.description.contains("\n") && error.description.hasPrefix(path))
            print("\(name): \(error)")
        }
    }
}
