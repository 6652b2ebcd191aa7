// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Camera
internal import Dataflow
internal import Foundation
internal import Media
internal import Overlay
internal import Pipeline
internal import PipelineLanguage
internal import Workbench

/// `vpipe g2g`.
struct G2GCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "g2g", abstract: "Measure glass to glass: show a time code and film it.",
        discussion: """
            Point the camera at the terminal, enlarged until the code fills a good part of the picture, or let the code go to
            a v4l2loopback device with --show /dev/video9 and read another camera, or the same device.
            """)

    @Option(help: "The camera that films the code.") var camera = "/dev/video0"
    @Option(help: "Where the code is shown: terminal, or a v4l2loopback device.") var show = "terminal"
    @Option(help: ArgumentHelp("Size of the camera's pictures.", valueName: "WxH")) var size: String?
    @Option(help: "The camera's frame rate.") var fps: Double?
    @Option(help: "Codes shown a second.") var rate = 30.0
    @Option(help: ArgumentHelp("How long to measure.", valueName: "seconds")) var duration = 10.0
    @Flag(help: "Print the figures as JSON.") var json = false

    func validate() throws {
        if !(duration > 0 && duration < 1e6) { throw ValidationError("--duration must be positive") }
        if !(0.1...240 ~= rate) { throw ValidationError("--rate must be 0.1...240") }
        if show == "terminal", !Console.Stream.errors.isTerminal {
            throw ValidationError("standard error is no terminal: name a v4l2loopback device with --show")
        }
    }

    func run() throws {
        var settings = [("device", camera)]
        if let size { settings.append(("size", size)) }
        if let fps { settings.append(("fps", "\(fps)")) }
        let outcome: GlassToGlass.Outcome
        do {
            outcome = try measure(settings)
        } catch let error as PipelineFileError {
            throw Failure(error)
        } catch {
            throw Failure(.failed, "vpipe: \(error)")
        }
        Console.print(json ? Self.json(outcome) : Self.lines(outcome).joined(separator: "\n") + "\n")
        if outcome.latency.count == 0 { throw Failure(.failed, "vpipe: no time code was read") }
    }

    private func measure(_ settings: [(name: String, value: String)]) throws -> GlassToGlass.Outcome {
        guard show != "terminal" else {
            let bench = try GlassToGlass(camera: settings, registry: Installation.registry)
            defer { Console.print("\u{1B}[?25h\u{1B}[0m\n", to: .errors) }
            Console.print("\u{1B}[?25l\u{1B}[2J", to: .errors)
            return try bench.run(seconds: duration, rate: rate) { Console.print(Self.text($0), to: .errors) }
        }
        // The loopback device has no format before a first picture: written before the camera, which may be the same.
        let picture = TimeCodePicture()
        let output = try CameraOutput(show, rate: rate)
        try output.write(try picture.picture(of: TimeCode(nanoseconds: MonotonicClock.system.now())))
        let bench = try GlassToGlass(camera: settings, registry: Installation.registry)
        return try bench.run(seconds: duration, rate: rate) { try output.write(try picture.picture(of: $0)) }
    }

    /// A code in blocks: a cell is two columns of a line, which is about square.
    static func text(_ code: TimeCode) -> String {
        var text = "\u{1B}[H"
        for row in 0..<TimeCode.rows + 2 * TimeCode.margin {
            for column in 0..<TimeCode.columns + 2 * TimeCode.margin {
                text += code.isBlack(column: column, row: row) ? "\u{1B}[48;2;0;0;0m  " : "\u{1B}[48;2;255;255;255m  "
            }
            text += "\u{1B}[0m\n"
        }
        return text + "\(code.ticks / 10) ms\u{1B}[K"
    }

    private static func lines(_ outcome: GlassToGlass.Outcome) -> [String] {
        func line(_ name: String, _ latency: LatencySummary) -> String {
            "\(name): p50 \(Figures.milliseconds(latency.p50)), p95 \(Figures.milliseconds(latency.p95)), "
                + "max \(Figures.milliseconds(latency.max)) ms"
        }
        return [
            line("glass to glass", outcome.latency), line("of that, from the camera's capture on", outcome.fromCapture),
            "\(Figures.count(outcome.shown)) codes shown, \(Figures.count(outcome.latency.count)) read, "
                + "\(Figures.count(outcome.repeated)) frames with one seen before, "
                + "\(Figures.count(outcome.unreadable)) unreadable, \(Figures.count(outcome.skipped)) skipped for newer ones",
        ]
    }

    private static func json(_ outcome: GlassToGlass.Outcome) -> String {
        func milliseconds(_ value: UInt64) -> JSONDocument { .number(Double(value) / 1e6) }
        func count(_ value: UInt64) -> JSONDocument { .integer(Int(clamping: value)) }
        return RunJSON.line([
            ("p50", milliseconds(outcome.latency.p50)), ("p95", milliseconds(outcome.latency.p95)),
            ("max", milliseconds(outcome.latency.max)), ("captureP50", milliseconds(outcome.fromCapture.p50)),
            ("captureP95", milliseconds(outcome.fromCapture.p95)), ("shown", count(outcome.shown)),
            ("read", count(outcome.latency.count)), ("repeated", count(outcome.repeated)),
            ("unreadable", count(outcome.unreadable)), ("skipped", count(outcome.skipped)),
        ]) + "\n"
    }
}
