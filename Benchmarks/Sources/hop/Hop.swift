// SPDX-License-Identifier: Apache-2.0
import CAllocations
import Dataflow
import Dispatch
import Glibc

// What one hop (edge + stage) costs: processor time and allocations per item when saturated, and the time from a push
// to the consumer's start at a camera's pace, beside what the machine itself needs to wake a thread and a Dispatch
// queue. GStreamer's queue is measured where it is installed, both as the difference between a chain with hops and one
// without.
//
//     swift run -c release hop [ITEMS]

/// Items made beforehand: the chain's own allocations are to be seen, not theirs.
final class Producer: SourceNode {
    let items: [Item]
    var next = 0
    /// Nanoseconds between items; 0: as fast as they go.
    let pace: UInt64
    var due: UInt64 = 0
    var link: StageLink?
    init(count: Int, pace: UInt64 = 0) {
        items = (0..<count).map { Item(ticket: Ticket(source: 0, sequence: UInt64($0), capturedAt: 0)) }
        self.pace = pace
    }
    func produce(to output: Output) throws -> Production {
        guard next < items.count else { return .ended }
        if pace > 0 {
            let now = output.now
            if due == 0 { due = now }
            if now < due {
                var wait = timespec(tv_sec: 0, tv_nsec: Int(due - now))
                nanosleep(&wait, nil)
            }
            due += pace
        }
        guard output.admit(capturedAt: 1) != nil else { return .waiting }
        output.emit(items[next])
        next += 1
        return .more
    }
}

final class Pass: Node {
    func process(_ item: Item, to output: Output) throws -> Disposition {
        output.forward()
        return .done
    }
}

final class End: Node {
    func process(_ item: Item, to output: Output) throws -> Disposition { .done }
}

struct Cost {
    var cpuNanoseconds: Double
    var wallNanoseconds: Double
    var allocations: Double
    var report: RunReport
}

func cpuTime(ofChildren: Bool = false) -> Double {
    var usage = rusage()
    // The overlay types RUSAGE_SELF unlike getrusage's parameter: 0 is self, -1 the children.
    getrusage(ofChildren ? -1 : 0, &usage)
    func seconds(_ t: timeval) -> Double { Double(t.tv_sec) * 1e9 + Double(t.tv_usec) * 1e3 }
    return seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

func wallTime() -> Double { Double(MonotonicClock.system.now()) }

/// Sends items through so many pass-through stages.
func chain(hops: Int, items: Int, capacity: Int, pace: UInt64 = 0) throws -> Cost {
    var builder = GraphBuilder(name: "hop")
    var last = builder.addSource("source", Producer(count: items, pace: pace), inFlightLimit: 4096)
    for i in 0..<hops {
        let node = builder.addNode("pass\(i)", Pass())
        builder.connect(last, to: node, capacity: capacity)
        last = node
    }
    builder.connect(last, to: builder.addNode("end", End()), capacity: capacity)
    let graph = try builder.build()
    let allocations = vpipe_malloc_count()
    let cpu = cpuTime()
    let wall = wallTime()
    try graph.start()
    let report = graph.waitUntilFinished()
    let cost = Cost(
        cpuNanoseconds: cpuTime() - cpu, wallNanoseconds: wallTime() - wall,
        allocations: Double(vpipe_malloc_count() - allocations), report: report)
    guard report.isBalanced, report.source("source")?.delivered == UInt64(items) else {
        fatalError("the benchmark's own chain lost frames: \(report.ledgerErrors)")
    }
    return cost
}

/// Runs a program to its end; its children's processor time in nanoseconds, nil when it could not run.
func childCPU(_ arguments: [String]) -> Double? {
    let before = cpuTime(ofChildren: true)
    var arguments: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
    arguments.append(nil)
    defer { for argument in arguments { free(argument) } }
    var process = pid_t()
    guard let program = arguments[0], posix_spawnp(&process, program, nil, nil, arguments, environ) == 0 else {
        return nil
    }
    var status: Int32 = 0
    guard waitpid(process, &status, 0) == process, status == 0 else { return nil }
    return cpuTime(ofChildren: true) - before
}

/// The same in GStreamer: processor time per item and queue, by difference.
func gstreamer(hops: Int, items: Int) -> Double? {
    func run(_ queues: Int) -> Double? {
        var line = ["gst-launch-1.0", "-q", "fakesrc", "num-buffers=\(items)"]
        for _ in 0..<queues { line += ["!", "queue", "max-size-buffers=64", "max-size-bytes=0", "max-size-time=0"] }
        return childCPU(line + ["!", "fakesink"])
    }
    guard let with = run(hops), let without = run(0) else { return nil }
    return (with - without) / Double(items * hops)
}

/// What wakes somebody, and when it was last done.
final class Bell: @unchecked Sendable {
    // Unchecked: one thread rings, the one that is woken reads, and neither before the other is done.
    let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    let queue = DispatchQueue(label: "bell", qos: .userInitiated)
    var rungAt: UInt64 = 0
    var waits: [Double] = []

    func hear() { waits.append(Double(MonotonicClock.system.now() - rungAt)) }

    /// Rings `count` times at a pace, each time after a sleep; nanoseconds until it was heard.
    func ring(_ count: Int, pace: UInt32, _ strike: () -> Void) -> [Double] {
        for _ in 0..<count {
            usleep(pace / 1000)
            rungAt = MonotonicClock.system.now()
            strike()
        }
        usleep(pace / 1000)
        return waits
    }
}

/// What the machine needs to wake a thread that waits in a semaphore, with nothing of ours between.
func threadWakes(_ count: Int, pace: UInt32) -> [Double] {
    let bell = Bell()
    sem_init(bell.semaphore, 0, 0)
    var thread = pthread_t()
    let context = Unmanaged.passRetained(bell)
    pthread_create(
        &thread, nil,
        { context in
            guard let context else { return nil }
            let bell = Unmanaged<Bell>.fromOpaque(context).takeRetainedValue()
            while true {
                sem_wait(bell.semaphore)
                if bell.rungAt == 0 { return nil }
                bell.hear()
            }
        }, context.toOpaque())
    let waits = bell.ring(count, pace: pace) { sem_post(bell.semaphore) }
    bell.rungAt = 0
    sem_post(bell.semaphore)
    pthread_join(thread, nil)
    return waits
}

/// What Dispatch needs to run a parked queue's event source, which is how a stage is woken.
func queueWakes(_ count: Int, pace: UInt32) -> [Double] {
    let bell = Bell()
    let source = DispatchSource.makeUserDataOrSource(queue: bell.queue)
    source.setEventHandler { bell.hear() }
    source.activate()
    defer { source.cancel() }
    _ = bell.ring(count, pace: pace) { source.or(data: 1) }
    return bell.queue.sync { bell.waits }
}

func median(_ values: [Double]) -> Double { values.isEmpty ? 0 : values.sorted()[values.count / 2] }

func microseconds(_ nanoseconds: Double) -> String {
    let hundredths = Int((nanoseconds / 10).rounded())
    return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100) us"
}

@main struct Hop {
    static func main() throws {
        let items = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 200_000
        let hops = 8
        _ = try chain(hops: hops, items: 5000, capacity: 64)
        for capacity in [4, 64, 200] {
            var cpu: [Double] = []
            var wall: [Double] = []
            var allocations: [Double] = []
            for _ in 0..<5 {
                let with = try chain(hops: hops, items: items, capacity: capacity)
                let without = try chain(hops: 0, items: items, capacity: capacity)
                cpu.append((with.cpuNanoseconds - without.cpuNanoseconds) / Double(items * hops))
                wall.append(with.wallNanoseconds / Double(items))
                allocations.append(max(0, with.allocations - without.allocations) / Double(items * hops))
            }
            print(
                "saturated, capacity \(capacity): \(microseconds(median(cpu))) CPU per hop, "
                    + "\(microseconds(median(wall))) per item through \(hops) hops, "
                    + "\(median(allocations)) allocations per hop"
            )
        }
        var peer: [Double] = []
        for _ in 0..<5 { if let cost = gstreamer(hops: hops, items: items / 4) { peer.append(cost) } }
        print(
            peer.isEmpty
                ? "GStreamer queue: not installed" : "GStreamer queue: \(microseconds(median(peer))) CPU per hop")

        let pace: UInt32 = 16_666_667
        let thread = median(threadWakes(200, pace: pace))
        let queue = median(queueWakes(200, pace: pace))
        print(
            "60 fps, floor: a thread woken in \(microseconds(thread)) median, a Dispatch queue in \(microseconds(queue))"
        )
        let paced = try chain(hops: 3, items: 300, capacity: 4, pace: UInt64(pace))
        for edge in paced.report.edges {
            print(
                "60 fps, \(edge.name): woken in \(microseconds(Double(edge.wait.p50))) median, "
                    + "\(microseconds(Double(edge.wait.p99))) p99")
        }
    }
}
