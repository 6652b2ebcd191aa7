// SPDX-License-Identifier: Apache-2.0
// usage: MediaTestWriter <output> <frames> [<source of audio> [<preset> [fragments]]]
// Writes test pictures as fast as it can; the tests kill it somewhere on the way.
internal import Media

let arguments = CommandLine.arguments
guard arguments.count >= 3, let frames = Int(arguments[2]) else { fatalError("usage: MediaTestWriter <output> <frames>") }
do {
    let pattern = try TestPattern(width: 320, height: 180, frameRate: Rational(30, 1))
    var settings = WriterSettings()
    settings.preset = arguments.count > 4 ? arguments[4] : "ultrafast"
    settings.frameRate = pattern.frameRate
    settings.keyframeInterval = 60
    settings.overwrites = true
    settings.finalises = arguments.count <= 5
    var reader: VideoReader?
    var tap: AudioTap?
    if arguments.count > 3 {
        reader = try VideoReader(arguments[3])
        tap = try reader?.makeAudioTap()
    }
    let writer = try VideoWriter(arguments[1], settings: settings, audio: tap)
    for number in 0..<frames {
        if reader != nil { _ = try reader?.read() }
        let frame = pattern.frame(number)
        try writer.write(frame.picture, pts: frame.pts, duration: frame.duration)
    }
    while try reader?.read() != nil {}
    let statistics = try writer.finish()
    for warning in statistics.warnings { print(warning) }
} catch {
    print("error: \(error)")
}
