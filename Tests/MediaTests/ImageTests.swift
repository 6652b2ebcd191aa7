// SPDX-License-Identifier: Apache-2.0
import Foundation
import Overlay
import TestSupport
import Testing

@testable import Media

@Suite struct `Images` {
    @Test func `come in the order people expect`() throws {
        let names = ["a10.png", "a2.png", "a1.png", "a02b.png", "b.png", "a.png", "a010.png"]
        #expect(
            names.sorted(by: NaturalOrder.precedes) == [
                "a.png", "a1.png", "a2.png", "a02b.png", "a010.png", "a10.png", "b.png",
            ])
        let scratch = try Scratch()
        let writer = ImageWriter()
        let pattern = try TestPattern(width: 32, height: 16)
        for number in [1, 2, 10, 100] {
            try writer.write(pattern.frame(number).picture, to: scratch.file("shot\(number).png"))
        }
        try Data().write(to: URL(fileURLWithPath: scratch.file("notes.txt")))
        for location in [
            scratch.path, scratch.file("*.png"), scratch.file("shot%d.png"), scratch.file("shot%03d.png"),
        ] {
            let reader = try ImageReader(location)
            #expect(
                reader.paths.map { $0.split(separator: "/").last } == [
                    "shot1.png", "shot2.png", "shot10.png", "shot100.png",
                ])
            var count = 0
            while let image = try reader.read() {
                count += 1
                #expect(image.picture.width == 32)
            }
            #expect(count == 4)
        }
        #expect(throws: MediaError.self) { _ = try ImageReader(scratch.file("none*.png")) }
    }

    @Test(arguments: PixelFormat.allCases, ["png", "jpg"]) func `come back as they were stored`(
        format: PixelFormat, ending: String
    ) throws {
        let scratch = try Scratch()
        for (width, height) in [(96, 64), (1, 1), (33, 17)] {
            let source = try TestPattern(width: width, height: height, format: format).frame(7).picture
            let path = scratch.file("\(width).\(ending)")
            try ImageWriter().write(source, to: path, quality: 100)
            let back = try ImageReader.read(path)
            #expect((back.width, back.height) == (width, height))
            let wanted = try PictureScaler(.init(format: back.format, range: back.color.range)).scale(source)
            if width == 96 { #expect(back.meanSquaredError(to: wanted, plane: 0) < (ending == "png" ? 4 : 30)) }
        }
    }

    @Test func `are not overwritten unasked and leave no rests`() throws {
        let scratch = try Scratch()
        let picture = try TestPattern(width: 8, height: 8).frame(0).picture
        let path = scratch.file("one.png")
        try ImageWriter().write(picture, to: path)
        let error = #expect(throws: MediaError.self) { try ImageWriter().write(picture, to: path) }
        #expect(error?.code == .alreadyExists)
        try ImageWriter().write(picture, to: path, overwrites: true)
        #expect(throws: MediaError.self) { try ImageWriter().write(picture, to: scratch.file("one.gif")) }
        #expect(throws: MediaError.self) { try ImageWriter().write(picture, to: scratch.file("no/one.png")) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == ["one.png"])
    }

    @Test func `a per cent sign in a name is no pattern`() throws {
        let scratch = try Scratch()
        let picture = try TestPattern(width: 8, height: 8).frame(0).picture
        try ImageWriter().write(picture, to: scratch.file("50%d.png"))
        #expect(try ImageReader(scratch.file("50%d.png")).read()?.picture.width == 8)
    }

    @Test func `the probe finds what FFmpeg has`() {
        let probe = MediaProbe()
        #expect(probe.libraries.count == 4 && probe.libraries[1].hasPrefix("libavcodec "))
        #expect(probe.encoders.map(\.codec) == VideoCodec.allCases)
        #expect(probe.containers(for: .vp9).contains(.webm))
        #expect(VideoCodec.h264.encoder { $0 == "mpeg4" } == "mpeg4")
        #expect(VideoCodec.hevc.encoder { _ in false } == nil)
    }
}
