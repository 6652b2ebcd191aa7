// SPDX-License-Identifier: Apache-2.0
// usage: MediaTestWriter <output> <frames> [<source of audio> [<preset> [fragments]]]
//        MediaTestWriter --decode <input> | --transcode <input> <output> <preset>
// The first writes test pictures as fast as it can; the tests kill it somewhere on the way. The others are for
// measuring
// decoding and encoding against the ffmpeg command.
internal import Media
import Overlay

func transcode(_ input: String, _ output: String?, _ preset: String?) throws {
    var options = VideoReader.Options()
    options.decoderThreads = 1
    let reader = try VideoReader(input, options: options)
    var writer: VideoWriter?
    if let output {
        var settings = WriterSettings()
        settings.preset = preset
        settings.frameRate = reader.info.frameRate
        settings.ifExists = .replace
        writer = try VideoWriter(output, settings: settings)
    }
    var frames = 0
    while let frame = try reader.read() {
        try writer?.write(frame.picture, pts: frame.pts, duration: frame.duration)
        frames += 1
    }
    _ = try writer?.finish()
    print(frames)
}

func pattern(_ arguments: [String], frames: Int) throws {
    let pattern = try TestPattern(width: 320, height: 180, frameRate: Rational(30, 1))
    var settings = WriterSettings()
    settings.preset = arguments.count > 4 ? arguments[4] : "ultrafast"
    settings.frameRate = pattern.frameRate
    settings.keyframeInterval = 60
    settings.ifExists = .replace
    settings.finalises = arguments.count <= 5
    let reader = arguments.count > 3 ? try VideoReader(arguments[3]) : nil
    let writer = try VideoWriter(arguments[1], settings: settings, audio: try reader?.makeAudioTap())
    for number in 0..<frames {
        _ = try reader?.read()
        let frame = try pattern.frame(number)
        try writer.write(frame.picture, pts: frame.pts, duration: frame.duration)
    }
    while try reader?.read() != nil {}
    for warning in try writer.finish().warnings { print(warning) }
}

let arguments = CommandLine.arguments
do {
    if arguments.count == 3, arguments[1] == "--decode" {
        try transcode(arguments[2], nil, nil)
    } else if arguments.count == 5, arguments[1] == "--transcode" {
        try transcode(arguments[2], arguments[3], arguments[4])
    } else if arguments.count >= 3, let frames = Int(arguments[2]) {
        try pattern(arguments, frames: frames)
    } else {
        print("usage: MediaTestWriter <output> <frames> [<source of audio> [<preset> [fragments]]]")
    }
} catch {
    print("error: \(error)")
}
