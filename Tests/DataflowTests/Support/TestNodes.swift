// SPDX-License-Identifier: Apache-2.0
import Dataflow
import Dispatch
import Foundation
import Synchronization
import TestSupport

extension SeededGenerator {
    /// True in so many of a hundred cases.
    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
}

/// A counter that lives in a class, to be shared by what a test makes.
final class Tally: Sendable {
    private let value = Atomic<Int>(0)
    func add(_ n: Int) { value.wrappingAdd(n, ordering: .relaxed) }
    var count: Int { value.load(ordering: .sequentiallyConsistent) }
}

/// An item that counts how many of its kind are alive.
final class CountedItem: Item, @unchecked Sendable {
    let tally: Tally
    init(ticket: Ticket, tally: Tally) {
        self.tally = tally
        super.init(ticket: ticket)
        tally.add(1)
    }
    deinit { tally.add(-1) }
}

struct TestFailure: Error, CustomStringConvertible {
    var description: String { "failed on purpose" }
}

/// Keeps the processor busy for about so many steps.
@inline(never)
func spin(_ steps: Int) {
    var x: UInt64 = 1
    for i in 0..<steps { x = x &* 6_364_136_223_846_793_005 &+ UInt64(i) }
    if x == 42 { print(x) }
}

/// Waits for what another thread brings about, leaving the cores to it.
///
/// - Parameter atMost: how often to look, a tenth of a millisecond apart; when absent, until the suite's time limit.
func waitUntil(atMost looks: Int = .max, _ condition: () -> Bool) {
    var looks = looks
    while !condition(), looks > 0 {
        looks -= 1
        usleep(100)
    }
}

/// What every test node does: counts its starts and stops, takes its time, and fails when told to.
class BaseNode {
    let starts = Tally()
    let stops = Tally()
    var work = 0
    var failsAt: Int?
    var failsToStart = false
    var calls = 0
    var link: StageLink?

    func start(_ link: StageLink) throws {
        if failsToStart { throw TestFailure() }
        self.link = link
        starts.add(1)
    }
    func stop() { stops.add(1) }

    func attend() throws {
        calls += 1
        if work > 0 { spin(work) }
        if let failsAt, calls > failsAt { throw TestFailure() }
    }
}

/// Emits `total` frames as fast as it may, or until stopped when `total` is nil.
final class CountingSource: BaseNode, SourceNode {
    let total: Int?
    let tally: Tally
    var made = 0
    /// Drops every so many-th frame itself.
    var dropsEvery: Int?
    init(_ total: Int?, tally: Tally = Tally()) {
        self.total = total
        self.tally = tally
    }
    func produce(to output: Output) throws -> Production {
        if let total, made >= total { return .ended }
        guard let ticket = output.admit() else { return .waiting }
        try attend()
        made += 1
        if let dropsEvery, made % dropsEvery == 0 {
            output.drop(ticket, cause: .corrupt)
        } else {
            output.emit(CountedItem(ticket: ticket, tally: tally))
        }
        return .more
    }
}

/// Passes items on, all or those that `keeps` likes, either unchanged or as new ones.
final class PassNode: BaseNode, Node {
    var keeps: (UInt64) -> Bool = { _ in true }
    /// Frames whose work fails.
    var failsFrame: (UInt64) -> Bool = { _ in false }
    var renews = false
    func process(_ item: Item, to output: Output) throws -> Disposition {
        try attend()
        if failsFrame(item.ticket.sequence) {
            output.drop(item.ticket, cause: .failed)
            return .done
        }
        guard keeps(item.ticket.sequence) else { return .done }
        if renews, let item = item as? CountedItem {
            output.emit(CountedItem(ticket: item.ticket, tally: item.tally))
        } else if calls % 2 == 0 {
            output.emit(item)
        } else {
            output.forward()
        }
        return .done
    }
}

/// Holds `depth` items before it lets the oldest go: a look-ahead.
final class LookaheadNode: BaseNode, Node {
    let depth: Int
    var items: [Item] = []
    init(_ depth: Int) { self.depth = depth }
    var maxHeld: Int { depth + 1 }
    func process(_ item: Item, to output: Output) throws -> Disposition {
        try attend()
        items.append(item)
        if items.count > depth { release(to: output) }
        return .held
    }
    func drain(to output: Output) throws -> Bool {
        if !items.isEmpty { release(to: output) }
        return items.isEmpty
    }
    private func release(to output: Output) {
        let item = items.removeFirst()
        output.emit(item)
        output.finish(item.ticket)
    }
}

/// Works on several items at once on other threads, which complete in any order; emits them in theirs.
final class AsyncNode: BaseNode, Node {
    struct Job {
        var item: Item
        var isDone = false
    }
    /// The jobs under way, in the order they came.
    ///
    /// Behind a lock that ThreadSanitizer knows; `Mutex` is not one of those on Linux.
    final class Board: @unchecked Sendable {
        private let lock = NSLock()
        private var jobs: [Job] = []
        func withLock<R>(_ body: (inout [Job]) -> R) -> R { lock.withLock { body(&jobs) } }
    }
    let depth: Int
    var delays: SeededGenerator
    let board = Board()
    init(_ depth: Int, seed: UInt64) {
        self.depth = depth
        delays = SeededGenerator(seed: seed)
    }
    var maxHeld: Int { depth }
    func process(_ item: Item, to output: Output) throws -> Disposition {
        let isFull = board.withLock { $0.count >= depth }
        if isFull { return .busy }
        try attend()
        board.withLock { $0.append(Job(item: item)) }
        let steps = Int.random(in: 0..<3000, using: &delays)
        DispatchQueue.global().async { [board, link] in
            spin(steps)
            board.withLock { jobs in
                for i in jobs.indices where jobs[i].item === item { jobs[i].isDone = true }
            }
            link?.wake()
        }
        return .held
    }
    func advance(to output: Output) throws {
        while let item = next() {
            output.emit(item)
            output.finish(item.ticket)
        }
    }
    func drain(to output: Output) throws -> Bool {
        try advance(to: output)
        return board.withLock { $0.isEmpty }
    }
    override func stop() {
        super.stop()
        board.withLock { $0 = [] }
    }
    private func next() -> Item? {
        board.withLock { jobs in
            guard let first = jobs.first, first.isDone else { return nil }
            return jobs.removeFirst().item
        }
    }
}

/// Too busy for any frame until it is opened, from another thread.
final class GatedSink: BaseNode, Node {
    let refusals = Tally()
    private(set) var seen: [UInt64] = []
    private let isOpen = Atomic<Bool>(false)
    func process(_ item: Item, to output: Output) throws -> Disposition {
        guard isOpen.load(ordering: .acquiring) else {
            refusals.add(1)
            return .busy
        }
        seen.append(item.ticket.sequence)
        return .done
    }
    func open() {
        isOpen.store(true, ordering: .releasing)
        link?.wake()
    }
}

/// Remembers what came, in which order.
final class CollectingSink: BaseNode, Node {
    var seen: [Ticket] = []
    func process(_ item: Item, to output: Output) throws -> Disposition {
        try attend()
        seen.append(item.ticket)
        return .done
    }
    /// Whether every source's frames came in rising order.
    var isOrdered: Bool {
        var last: [UInt16: UInt64] = [:]
        for ticket in seen {
            if let before = last[ticket.source], before >= ticket.sequence { return false }
            last[ticket.source] = ticket.sequence
        }
        return true
    }
}

/// Joins its ports and remembers which had something, of which frame.
final class CollectingJoin: BaseNode, JoinNode {
    let matching: JoinMatching
    var seen: [(sequence: UInt64, items: [UInt64?])] = []
    var isWrong = false
    /// Answers busy this often before it takes a frame.
    var refusals = 0
    private var refused = 0
    private var newest: [Int: UInt64] = [:]

    init(_ matching: JoinMatching = .sameFrame) { self.matching = matching }

    func join(_ items: JoinedItems, to output: Output) throws -> Disposition {
        if refused < refusals {
            refused += 1
            link?.wake()
            return .busy
        }
        refused = 0
        try attend()
        let numbers = (0..<items.count).map { items[$0]?.ticket.sequence }
        for (port, number) in numbers.enumerated() {
            guard let number else { continue }
            switch matching {
            case .sameFrame: if number != items.ticket.sequence { isWrong = true }
            case .newest:
                // Never of a later frame, and each item once.
                if number > items.ticket.sequence || newest[port].map({ number <= $0 }) == true { isWrong = true }
                newest[port] = number
            }
            if items[port]?.ticket.source != items.ticket.source { isWrong = true }
        }
        seen.append((items.ticket.sequence, numbers))
        output.emit(items.primary)
        return .done
    }
}

/// The graph's error; of another kind or none is nil. (`#expect(throws:)` returns it from Swift 6.1 on.)
func caught(_ body: () throws -> Void) -> GraphError? {
    do { try body() } catch { return error as? GraphError }
    return nil
}
