// SPDX-License-Identifier: Apache-2.0
import Dataflow
import Foundation
import TestSupport
import Testing

@testable import Pipeline
@testable import PipelineLanguage

/// Instants of frames at 25 fps, off the grid of the beats.
private func frames(_ count: Int) -> [Double] {
    (0..<count).map { index in Double(index) / 25 + 0.013 }
}

/// A sink whose frames are ready at given instants (seconds), 50 ms after their capture, and delivered then, or later
/// where `latency` says so; with `burst`, only at multiples of it.
///
/// Read four times a second.
private func readings(
    of deliveries: [Double], seconds: Int, target: PipelineTarget, admittedPerSecond: Double = 25,
    latency: (Double) -> Double = { _ in 0.05 }, burst: Double = 0, into meter: inout TargetMeter
) -> [TargetReading] {
    let histogram = LatencyHistogram()
    var next = 0
    var (lastAt, lastCapturedAt): (UInt64, UInt64) = (0, 0)
    var result: [TargetReading] = []
    for beat in 1...seconds * 4 {
        let now = Double(beat) / 4
        while next < deliveries.count {
            let ready = deliveries[next]
            var at = max(Double(lastAt) / 1e9 - 1, ready + latency(ready) - 0.05)
            if burst > 0 { at = (at / burst).rounded(.up) * burst }
            guard at <= now else { break }
            lastAt = UInt64((1 + at) * 1e9)
            lastCapturedAt = UInt64((1 + ready - 0.05) * 1e9)
            histogram.record(nanoseconds: UInt64((at - ready + 0.05) * 1e9))
            next += 1
        }
        let pulse = GraphPulse(
            at: UInt64((1 + now) * 1e9),
            sinks: [
                .init(
                    name: "sink", items: UInt64(next), lastAt: lastAt, lastCapturedAt: lastCapturedAt,
                    latency: histogram.counts)
            ],
            admitted: UInt64(now * admittedPerSecond), inFlight: 0)
        if let reading = meter.observe(.init(pulse: pulse, cpuSeconds: now * 1.5, machineSeconds: now * 1.75)) {
            result.append(reading)
        }
    }
    return result
}

@Suite("Target meter: readings and the book of seconds")
struct TargetMeterTests {
    private let target = PipelineTarget(fps: 25, latencyMilliseconds: 100)

    @Test("25 fps are 25 fps, however the frames fall into seconds")
    func steady() {
        var meter = TargetMeter(target: target, cores: 2, isLive: true)
        // Off the grid of the beats and with 5 ms of jitter.
        let deliveries = frames(500).enumerated().map { (index, at) in at + Double(index * 7 % 11) * 0.0005 }
        let all = readings(of: deliveries, seconds: 20, target: target, into: &meter)
        #expect(all.allSatisfy { abs($0.fps - 25) < 0.3 })
        #expect(meter.seconds.measured >= 18)
        #expect(meter.seconds.fast == meter.seconds.measured)
        #expect(meter.seconds.prompt == meter.seconds.measured)
        #expect(all.allSatisfy { abs($0.offeredFPS - 25) < 1.1 })
        for reading in all {
            #expect(abs(reading.foreignCores - 0.25) < 0.01)
            #expect(abs((reading.costPerFrame ?? 0) - 60) < 3)
        }
    }

    @Test("Frames that come out in bursts are counted by when they were captured", arguments: [0.1, 0.2, 0.3, 0.45])
    func bursts(burst: Double) {
        var meter = TargetMeter(target: target, cores: 2, isLive: true)
        let all = readings(of: frames(500), seconds: 20, target: target, burst: burst, into: &meter)
        #expect(all.allSatisfy { abs($0.fps - 25) < 0.3 && $0.recentFPS > 24 })
        #expect(meter.seconds.fast == meter.seconds.measured)
        // What bursts do to latency is not hidden.
        #expect((meter.seconds.prompt == meter.seconds.measured) == (burst <= 0.05))
    }

    @Test("A source that waits for us offers as much as is wanted")
    func file() {
        var meter = TargetMeter(target: target, cores: 2, isLive: false)
        let all = readings(of: frames(100), seconds: 3, target: target, into: &meter)
        #expect(all.allSatisfy { $0.offeredFPS == .infinity })
    }

    @Test("A second that loses two frames of 25 is not kept; its neighbours are")
    func lostFrames() {
        var meter = TargetMeter(target: target, cores: 2, isLive: true)
        var deliveries = frames(500)
        deliveries.removeSubrange(260...261)
        _ = readings(of: deliveries, seconds: 20, target: target, into: &meter)
        #expect(meter.seconds.measured - meter.seconds.fast == 1)
    }

    @Test("A sink that goes quiet falls to nothing at once")
    func stall() {
        var meter = TargetMeter(target: target, cores: 2, isLive: true)
        let deliveries = frames(125)
        let all = readings(of: deliveries, seconds: 8, target: target, into: &meter)
        #expect(all.first { $0.at == 6.75 }?.fps ?? 25 < 15)
        #expect(all.last?.fps == 0)
        #expect(meter.seconds.lowestFPS == 0)
    }

    @Test("Late seconds are counted apart")
    func latency() {
        var meter = TargetMeter(target: target, cores: 2, isLive: true)
        let deliveries = frames(500)
        _ = readings(
            of: deliveries, seconds: 20, target: target, latency: { (8..<10).contains($0) ? 0.3 : 0.05 }, into: &meter)
        #expect(meter.seconds.fast == meter.seconds.measured)
        let late = meter.seconds.measured - meter.seconds.prompt
        #expect((2...3).contains(late))
    }

    @Test("Nothing is counted before the first frame and once the end has begun")
    func edges() {
        var meter = TargetMeter(target: target, cores: 2, isLive: true)
        let quiet = GraphPulse(
            at: 0, sinks: [.init(name: "sink", items: 0, lastAt: 0, lastCapturedAt: 0)], admitted: 9, inFlight: 9)
        for _ in 0..<40 { #expect(meter.observe(.init(pulse: quiet, cpuSeconds: 0)) == nil) }
        let deliveries = frames(100)
        _ = readings(of: deliveries, seconds: 4, target: target, into: &meter)
        let before = meter.seconds
        var last = quiet
        last.at = 5_000_000_000
        last.sinks[0].items = 100
        last.isEnding = true
        #expect(meter.observe(.init(pulse: last, cpuSeconds: 9)) == nil)
        #expect(meter.seconds == before)
    }
}

@Suite("Admission gate")
struct AdmissionGateTests {
    private let millisecond: UInt64 = 1_000_000

    @Test("Frames are refused once those under way would make them late")
    func refuses() {
        let gate = AdmissionGate(latencyMilliseconds: 200)
        // 60 ms at 25 fps: 1.5 frames are usually under way.
        gate.update(transit: 60 * millisecond, throughput: 25)
        let now = 1000 * millisecond
        #expect(gate.admits(capturedAt: now, now: now, inFlight: 2))
        #expect(gate.admits(capturedAt: now, now: now, inFlight: 7))
        #expect(!gate.admits(capturedAt: now, now: now, inFlight: 9))
        #expect(!gate.admits(capturedAt: now - 150 * millisecond, now: now, inFlight: 2))
    }

    @Test("With nothing under way a frame that is not too old goes in, however slow the last ones were")
    func probes() {
        let gate = AdmissionGate(latencyMilliseconds: 200)
        gate.update(transit: 900 * millisecond, throughput: 2)
        let now = 10_000 * millisecond
        #expect(gate.admits(capturedAt: now, now: now, inFlight: 0))
        #expect(!gate.admits(capturedAt: now, now: now, inFlight: 3))
        #expect(!gate.admits(capturedAt: now - 250 * millisecond, now: now, inFlight: 0))
    }

    @Test("Before the first delivery only a few go in")
    func untaught() {
        let gate = AdmissionGate(latencyMilliseconds: 200)
        #expect(gate.admits(capturedAt: 0, now: 0, inFlight: 7))
        #expect(!gate.admits(capturedAt: 0, now: 0, inFlight: 8))
    }
}

@Suite("Machine state")
struct MachineStateTests {
    @Test("Load and throttling are read where the kernel shows them")
    func reads() throws {
        let scratch = try Scratch()
        func write(_ path: String, _ text: String) throws {
            let file = URL(fileURLWithPath: scratch.file(path))
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try text.write(to: file, atomically: true, encoding: .utf8)
        }
        let machine = MachineState(root: scratch.path)
        #expect(machine.busySeconds() == nil)
        #expect(machine.throttling() == nil)
        try write("proc/stat", "cpu  1000 20 300 9999 5 0 80 7 0 0\ncpu0 1 1 1 1\n")
        #expect(machine.busySeconds() == 14)
        try write("sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq", "900000\n")
        try write("sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq", "1800000\n")
        #expect(machine.throttling() == nil)
        try write("sys/class/thermal/thermal_zone0/temp", "84500\n")
        try write("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n")
        try write("sys/class/thermal/thermal_zone0/trip_point_0_type", "passive\n")
        try write("sys/class/thermal/thermal_zone0/trip_point_0_temp", "85000\n")
        #expect(
            machine.throttling()
                == "the processor is throttled: cpu-thermal at 85 degrees, policy0 at 50 % of its clock")
        try write("sys/class/thermal/thermal_zone0/temp", "60000\n")
        #expect(machine.throttling() == nil)
        try write("proc/stat", "nonsense")
        #expect(machine.busySeconds() == nil)
    }
}
