// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Pipeline
@testable import PipelineLanguage

/// A machine that shares two cores between the pipeline and other programs.
private struct Plant {
    var cores = 2.0
    /// Core-milliseconds per frame by rung.
    var costs: [Double]
    var source = 25.0
    /// Busy foreign threads at a time in seconds.
    var foreign: (Double) -> Double = { _ in 0 }

    /// What a second on a rung gives: the scheduler shares fairly between our three threads and theirs.
    func reading(at time: Double, rung: Int) -> TargetReading {
        let others = foreign(time)
        let share = others == 0 ? cores : max(cores - others, cores * 3 / (3 + others))
        let fps = min(source, share * 1000 / costs[rung])
        let own = fps * costs[rung] / 1000
        return TargetReading(
            at: time, fps: fps, offeredFPS: source, latencyP99: fps < source ? 400 : 80, costPerFrame: costs[rung],
            foreignCores: min(others, cores - own), recentCores: own, recentForeignCores: min(others, cores - own),
            cores: cores)
    }
}

private struct Outcome {
    var changes: [Governor.Change] = []
    var held = 0
    var beats = 0
    var share: Double { Double(held) / Double(beats) }
}

/// Runs a governor against a plant; the reading covers the second before it, as the meter's does.
private func simulate(_ plant: Plant, target: PipelineTarget, seconds: Int) -> Outcome {
    var governor = Governor(target: target, rungCount: plant.costs.count)
    var outcome = Outcome()
    var window: [TargetReading] = []
    for beat in 0..<seconds * 4 {
        let now = plant.reading(at: Double(beat) / 4, rung: governor.rung)
        window.append(now)
        if window.count > 4 { window.removeFirst() }
        guard window.count == 4 else { continue }
        var reading = now
        reading.fps = window.map(\.fps).reduce(0, +) / 4
        reading.recentFPS = now.fps
        reading.latencyP99 = window.compactMap(\.latencyP99).max()
        outcome.beats += 1
        if reading.fps >= 0.98 * 25 { outcome.held += 1 }
        if let change = governor.observe(reading) { outcome.changes.append(change) }
    }
    return outcome
}

@Suite("Governor: the rung of the ladder")
struct GovernorTests {
    private let target = PipelineTarget(fps: 25, latencyMilliseconds: 200)

    @Test("A pipeline that fits stays as written")
    func fits() {
        let outcome = simulate(Plant(costs: [60, 40, 30]), target: target, seconds: 600)
        #expect(outcome.changes.isEmpty)
        #expect(outcome.share == 1)
    }

    @Test("It goes down as far as it must and stays there")
    func tooDear() {
        let outcome = simulate(Plant(costs: [200, 150, 70, 40]), target: target, seconds: 600)
        #expect(outcome.changes.first?.to == 1)
        #expect(outcome.changes.last?.to == 2)
        // 70 core-ms x 25 need 1.75 of 2 cores; the rung above needs 3.75 and is never tried again.
        #expect(outcome.changes.count == 2)
        #expect(outcome.share > 0.95)
    }

    @Test("Foreign load that comes and goes: held in 95 % of the time, five seconds between changes, no swinging")
    func foreignLoad() {
        let plant = Plant(costs: [60, 40, 30, 22], foreign: { Int($0 / 60) % 2 == 1 ? 2 : 0 })
        let outcome = simulate(plant, target: target, seconds: 1200)
        #expect(outcome.share >= 0.95)
        for (earlier, later) in zip(outcome.changes, outcome.changes.dropFirst()) {
            #expect(later.at - earlier.at >= Governor.dwell)
        }
        // Ten times down and up again, and no more than a step of doubt each.
        #expect(outcome.changes.count <= 30)
        #expect(outcome.changes.contains { $0.to > $0.from && $0.cause.contains("other programs use") })
        var still = plant
        still.costs = [60]
        let without = simulate(still, target: target, seconds: 1200)
        #expect(without.share < 0.6)
    }

    @Test("A load of every period ends in steady state", arguments: [3.0, 7, 10, 12, 20, 45, 100])
    func periods(period: Double) {
        let plant = Plant(costs: [60, 40, 30, 22], foreign: { Int($0 / period) % 2 == 1 ? 2 : 0 })
        let outcome = simulate(plant, target: target, seconds: 3600)
        for (earlier, later) in zip(outcome.changes, outcome.changes.dropFirst()) {
            #expect(later.at - earlier.at >= Governor.dwell)
        }
        // A load that swings faster than the rungs may change cannot be followed, only borne.
        #expect(outcome.share >= (period < Governor.dwell ? 0.85 : 0.9))
    }

    @Test("What the plan measured lets the first step be the right one")
    func planned() {
        var governor = Governor(target: target, rungCount: 4, planned: [100, 75, 35, 20])
        // The machine is twice as slow as when it was planned.
        let plant = Plant(costs: [200, 150, 70, 40])
        var changes: [Governor.Change] = []
        for beat in 0..<400 {
            let reading = plant.reading(at: Double(beat) / 4, rung: governor.rung)
            if let change = governor.observe(reading) { changes.append(change) }
        }
        #expect(changes.map(\.to) == [2])
    }

    @Test("It begins on the rung that was found to hold, and tries none above it")
    func plannedStart() {
        let plant = Plant(costs: [60, 40, 30], foreign: { (20..<40).contains($0) ? 4 : 0 })
        var governor = Governor(target: target, rungCount: 3, planned: [60, 40, 30], top: 1)
        #expect(governor.rung == 1)
        var rungs: Set<Int> = []
        for beat in 0..<400 {
            _ = governor.observe(plant.reading(at: Double(beat) / 4, rung: governor.rung))
            rungs.insert(governor.rung)
        }
        #expect(governor.rung == 1)
        #expect(rungs == [1, 2])
    }

    @Test("A file that is worked off too slowly is a miss")
    func file() {
        var governor = Governor(target: PipelineTarget(fps: 25), rungCount: 2)
        let slow = { TargetReading(at: $0, fps: 15, offeredFPS: .infinity, costPerFrame: 100, cores: 2) }
        #expect(governor.observe(slow(1)) == nil)
        #expect(governor.observe(slow(1.25))?.cause == "15 of 25 fps")
    }

    @Test("A step up that fails is tried ever more rarely")
    func backsOff() {
        // The rung above looks cheap by its own measure but never keeps the rate.
        var governor = Governor(target: target, rungCount: 2)
        var ups: [Double] = []
        for beat in 0..<4 * 3600 {
            let time = Double(beat) / 4
            let isUp = governor.rung == 0
            let reading = TargetReading(
                at: time, fps: isUp ? 15 : 25, offeredFPS: 25, latencyP99: 50, costPerFrame: 20, cores: 2)
            if let change = governor.observe(reading), change.to == 0 { ups.append(time) }
        }
        let gaps = zip(ups, ups.dropFirst()).map { $1 - $0 }
        #expect(ups.count < 25)
        #expect(gaps.last ?? 0 > 250)
    }

    @Test("A source that is slower than the target is no reason to get cheaper")
    func slowSource() {
        var plant = Plant(costs: [60, 40])
        plant.source = 12
        let outcome = simulate(plant, target: PipelineTarget(fps: 25), seconds: 60)
        #expect(outcome.changes.isEmpty)
    }

    @Test("Full cores are a reason before the frame rate falls, if others fill them and the rest does not suffice")
    func forecast() {
        func changes(own: Double, foreign: Double) -> [Governor.Change] {
            var governor = Governor(target: target, rungCount: 3, planned: [60, 40, 30])
            var changes: [Governor.Change] = []
            for beat in 4..<48 {
                let isBusy = beat >= 40
                let reading = TargetReading(
                    at: Double(beat) / 4, fps: 25, offeredFPS: 25, latencyP99: 80, costPerFrame: 60,
                    foreignCores: isBusy ? foreign / 4 : 0, recentCores: isBusy ? own : 1.5,
                    recentForeignCores: isBusy ? foreign : 0)
                if let change = governor.observe(reading) { changes.append(change) }
            }
            return changes
        }
        // 25 fps x 60 core-ms need 1.5 cores. One is left, of which a step may take three quarters: 30 core-ms a frame.
        let change = changes(own: 1, foreign: 1).first
        #expect(change?.at == 10.25 && change?.to == 2)
        #expect(change?.cause.contains("the cores are full: room for 16.7 of 25 fps") == true)
        #expect(changes(own: 1.5, foreign: 0.5).isEmpty)
        #expect(changes(own: 1.2, foreign: 0.3).isEmpty)
        #expect(changes(own: 2, foreign: 0).isEmpty)
    }

    @Test("Latency alone is a reason, and named")
    func latency() {
        var governor = Governor(target: target, rungCount: 2)
        let slow = { TargetReading(at: $0, fps: 25, offeredFPS: 25, latencyP99: 260, costPerFrame: 50, cores: 2) }
        #expect(governor.observe(slow(1)) == nil)
        let change = governor.observe(slow(1.25))
        #expect(change?.to == 1)
        #expect(change?.cause == "latency p99 260 of 200 ms")
    }

    @Test("Costs that are known let it pass over rungs that cannot do")
    func jumps() {
        var governor = Governor(target: PipelineTarget(fps: 25), rungCount: 4)
        var time = 0.0
        func observe(_ fps: Double, cost: Double) -> Governor.Change? {
            time += 0.25
            return governor.observe(TargetReading(at: time, fps: fps, offeredFPS: 25, costPerFrame: cost, cores: 2))
        }
        let costs = [66.0, 60, 50, 20]
        // Under a growing load it walks down, learning each rung.
        while governor.rung < 3 { _ = observe(10, cost: costs[governor.rung]) }
        while governor.rung > 0, time < 200 { _ = observe(25, cost: costs[governor.rung]) }
        #expect(governor.rung == 0)
        for _ in 0..<80 { _ = observe(25, cost: costs[0]) }
        // Half a core is left: 25 fps x 20 core-ms is the only rung that fits.
        var change: Governor.Change?
        while change == nil { change = observe(7.1, cost: costs[0]) }
        #expect(change?.to == 3)
    }

    @Test("Another file voids what was measured and planned, and is a change like any other")
    func reload() {
        var governor = Governor(target: PipelineTarget(fps: 25), rungCount: 4, planned: [66, 60, 50, 20], top: 1)
        func reading(_ time: Double, fps: Double) -> TargetReading {
            TargetReading(at: time, fps: fps, offeredFPS: 25, costPerFrame: 30, cores: 2)
        }
        _ = governor.observe(reading(1, fps: 10))
        #expect(governor.observe(reading(1.25, fps: 10))?.to == 3)
        _ = governor.observe(reading(3, fps: 25))
        #expect(governor.costs[3] != nil)
        governor.reload(rungCount: 3, at: 4)
        #expect(governor.rung == 2)
        #expect(governor.costs == [nil, nil, nil])
        // Five seconds on, it goes up step by step, above the rung that the plan for the old file began with.
        var changes: [Governor.Change] = []
        for beat in 17..<200 {
            if let change = governor.observe(reading(Double(beat) / 4, fps: 25)) { changes.append(change) }
        }
        #expect(changes.map(\.to) == [1, 0])
        #expect((changes.first?.at ?? 0) >= 9)
    }
}
