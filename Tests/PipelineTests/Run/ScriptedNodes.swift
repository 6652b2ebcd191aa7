// SPDX-License-Identifier: Apache-2.0
import Dataflow
import Dispatch
import Synchronization

@testable import Pipeline
@testable import PipelineLanguage

/// Where threads wait until a test lets them through.
final class Gate: Sendable {
    private let isClosed = Atomic<Bool>(false)
    private let reached = DispatchSemaphore(value: 0)
    private let opened = DispatchSemaphore(value: 0)

    /// Has the next one wait.
    func close() { isClosed.store(true, ordering: .sequentiallyConsistent) }

    /// Waits where the gate is closed, which lets one through only.
    func pass() {
        guard isClosed.exchange(false, ordering: .sequentiallyConsistent) else { return }
        reached.signal()
        opened.wait()
    }

    /// Waits until somebody waits.
    func waitUntilReached() { reached.wait() }

    func open() { opened.signal() }
}

/// A frame that remembers which settings each node used on it.
final class MarkedItem: Item, @unchecked Sendable {
    let marks: [String: String]

    init(_ ticket: Ticket, _ marks: [String: String] = [:]) {
        self.marks = marks
        super.init(ticket: ticket)
    }

    static func after(_ item: Item, _ node: String, _ mark: String) -> MarkedItem {
        MarkedItem(item.ticket, ((item as? MarkedItem)?.marks ?? [:]).merging([node: mark]) { $1 })
    }
}

/// A source of as many frames as a test asks for.
final class ScriptedSource: SourceNode {
    static let contract = Contract(
        "feed", .source, summary: "Frames on demand", outputs: [OutputPort()], liveness: .always)

    private let due = Atomic<Int>(0)
    private let link = Mutex<StageLink?>(nil)

    func start(_ link: StageLink) { self.link.withLock { $0 = link } }

    func produce(_ count: Int) {
        due.wrappingAdd(count, ordering: .sequentiallyConsistent)
        link.withLock { $0 }?.wake()
    }

    func produce(to output: Output) -> Production {
        guard due.load(ordering: .sequentiallyConsistent) > 0, let ticket = output.admit() else { return .waiting }
        due.wrappingSubtract(1, ordering: .sequentiallyConsistent)
        output.emit(MarkedItem(ticket))
        return .more
    }
}

/// Marks frames with its setting; one of 90 and more is valid, but cannot be prepared.
final class MarkingNode: Node, AdjustableNode {
    static let value = Param.integer("value", default: 0, range: 0...99, changeable: true, doc: "The mark")
    static let fixed = Param.integer("fixed", default: 0, range: 0...99, doc: "Needs a restart")
    static let contract = Contract(
        "mark", .processing, summary: "Marks frames", parameters: [value, fixed])

    private let id: String
    private var mark: String
    private let changes = Mailbox<String>()
    private let isFailing = Atomic<Bool>(false)

    init(_ id: String, _ settings: Settings) {
        self.id = id
        mark = Self.mark(settings)
    }

    static func mark(_ settings: Settings) -> String { "\(settings[value])" }

    func prepare(_ settings: Settings) throws -> PreparedChange {
        guard settings[Self.value] < 90 else { throw OutputError("\(settings[Self.value]) is too much") }
        return changes.change(to: Self.mark(settings))
    }

    /// Has the next frame fail the node.
    func fail() { isFailing.store(true, ordering: .sequentiallyConsistent) }

    func process(_ item: Item, to output: Output) throws -> Disposition {
        if let new = changes.take(for: item.ticket) { mark = new }
        if isFailing.load(ordering: .sequentiallyConsistent) { throw OutputError("told to") }
        output.emit(MarkedItem.after(item, id, mark))
        return .done
    }
}

/// Works on several frames at once, each of which ends when a test says so, in any order.
///
/// Networks from 9000 on cannot be built.
final class ScriptedNetwork: Node, AdjustableNode {
    static let network = Param.integer("network", default: 0, range: 0...9999, changeable: true, doc: "Which one")
    static let every = Param.integer("every", default: 1, range: 1...1000, changeable: true, doc: "A cheaper setting")
        .cheaper(by: .fewerFrames)
    static let contract = Contract(
        "network", .inference, summary: "A network", parameters: [network, every])

    private struct Work {
        /// Frames being worked on, and whether that is over.
        var isDone: [UInt64: Bool] = [:]
        var isScripted = true
        var link: StageLink?
    }

    private let id: String
    private let building: Gate
    private var built: Set<Int> = []
    private var mark: String
    private let changes = Mailbox<String>()
    private var held: [(item: Item, mark: String)] = []
    private let work = Mutex(Work())
    let maxHeld = 4

    init(_ id: String, _ settings: Settings, building: Gate) throws {
        self.id = id
        self.building = building
        mark = Self.mark(settings)
        built = [settings[Self.network]]
    }

    static func mark(_ settings: Settings) -> String { "\(settings[network])/\(settings[every])" }

    func prepare(_ settings: Settings) throws -> PreparedChange {
        let network = settings[Self.network]
        if !built.contains(network) {
            building.pass()
            guard network < 9000 else { throw OutputError("network \(network) cannot be built") }
            built.insert(network)
        }
        return changes.change(to: Self.mark(settings))
    }

    /// Ends the work on one of the frames; `choose` picks from how many there are.
    func complete(_ choose: (Int) -> Int) {
        let link = work.withLock { work -> StageLink? in
            let pending = work.isDone.filter { !$0.value }.keys.sorted()
            guard !pending.isEmpty else { return nil }
            work.isDone[pending[choose(pending.count)]] = true
            return work.link
        }
        link?.wake()
    }

    /// Ends all work from now on.
    func finishAll() {
        let link = work.withLock { work -> StageLink? in
            work.isScripted = false
            return work.link
        }
        link?.wake()
    }

    func start(_ link: StageLink) { work.withLock { $0.link = link } }

    func process(_ item: Item, to output: Output) -> Disposition {
        if let new = changes.take(for: item.ticket) { mark = new }
        guard held.count < maxHeld else { return .busy }
        held.append((item, mark))
        let isScripted = work.withLock { work in
            work.isDone[item.ticket.sequence] = false
            return work.isScripted
        }
        if !isScripted { advance(to: output) }
        return .held
    }

    func advance(to output: Output) {
        while let (item, mark) = held.first {
            let isDone = work.withLock { work in
                guard work.isDone[item.ticket.sequence] == true || !work.isScripted else { return false }
                work.isDone[item.ticket.sequence] = nil
                return true
            }
            guard isDone else { return }
            held.removeFirst()
            output.emit(MarkedItem.after(item, id, mark))
            output.finish(item.ticket)
        }
    }

    func drain(to output: Output) -> Bool {
        advance(to: output)
        return held.isEmpty
    }
}

/// Brings the branches together, and marks frames as `MarkingNode` does.
final class MarkingJoin: JoinNode, AdjustableNode {
    static let contract = Contract(
        "join", .processing, summary: "Joins branches", inputs: [InputPort(count: 1...4)],
        parameters: [MarkingNode.value])

    private let id: String
    private var mark: String
    private let changes = Mailbox<String>()

    init(_ id: String, _ settings: Settings) {
        self.id = id
        mark = MarkingNode.mark(settings)
    }

    func prepare(_ settings: Settings) -> PreparedChange { changes.change(to: MarkingNode.mark(settings)) }

    func join(_ items: JoinedItems, to output: Output) -> Disposition {
        if let new = changes.take(for: items.ticket) { mark = new }
        var marks = [id: mark]
        for port in 0..<items.count { marks.merge((items[port] as? MarkedItem)?.marks ?? [:]) { $1 } }
        output.emit(MarkedItem(items.ticket, marks))
        return .done
    }
}

/// Keeps what arrives.
final class MarkSink: Node {
    static let contract = Contract("keep", .sink, summary: "Keeps frames")

    private let items = Mutex<[(ticket: Ticket, marks: [String: String])]>([])

    func process(_ item: Item, to output: Output) -> Disposition {
        items.withLock { $0.append((item.ticket, (item as? MarkedItem)?.marks ?? [:])) }
        return .done
    }

    var arrived: [(ticket: Ticket, marks: [String: String])] { items.withLock { $0 } }
}

/// A pipeline of scripted nodes under a controller.
///
///     feed --> a --> net --> both --> main
///        \---> b ------------/
///        \---> c --> side
struct ScriptedPipeline {
    static let contracts: ContractTable = {
        var table = ContractTable()
        for contract in [
            ScriptedSource.contract, MarkingNode.contract, ScriptedNetwork.contract, MarkingJoin.contract,
            MarkSink.contract,
        ] {
            do { try table.add(contract) } catch { preconditionFailure("\(error)") }
        }
        return table
    }()

    let feed = ScriptedSource()
    let building = Gate()
    let marking: [String: MarkingNode]
    let network: ScriptedNetwork
    let main = MarkSink()
    let side = MarkSink()
    let graph: Graph
    let controller: RunController

    init(_ file: ValidatedPipeline, isGoverned: Bool = false, heat: @escaping @Sendable () -> String? = { nil }) throws
    {
        func settings(_ id: String) -> Settings { file[id]?.settings ?? Settings([]) }
        network = try ScriptedNetwork("net", settings("net"), building: building)
        marking = Dictionary(uniqueKeysWithValues: ["a", "b", "c"].map { ($0, MarkingNode($0, settings($0))) })
        let join = MarkingJoin("both", settings("both"))
        var nodes: [String: AnyObject] = ["feed": feed, "net": network, "both": join, "main": main, "side": side]
        nodes.merge(marking) { $1 }
        var builder = GraphBuilder(name: "scripted", rememberedFates: 64)
        var ids: [String: NodeID] = [:]
        for node in file.nodes {
            switch nodes[node.id] {
            case let source as any SourceNode: ids[node.id] = builder.addSource(node.id, source)
            case let join as any JoinNode: ids[node.id] = builder.addJoin(node.id, join)
            case let plain as any Node: ids[node.id] = builder.addNode(node.id, plain)
            default: throw OutputError("no node \(node.id)")
            }
            for link in node.inputs {
                guard let from = ids[link.from], let to = ids[link.to] else { throw OutputError("order") }
                builder.connect(
                    from, port: 0, to: to, port: link.toPortIndex, policy: EdgePolicy(link.rule.policy),
                    capacity: link.rule.capacity)
            }
        }
        graph = try builder.build()
        let target =
            !isGoverned
            ? nil
            : file.target.map {
                TargetController(target: $0, ladder: file.ladder, cores: 2, isLive: false, gate: nil)
            }
        controller = try RunController(
            file, nodes: nodes, graph: graph, target: target, events: EventBox(now: { MonotonicClock.system.now() }),
            heat: heat)
    }

    /// A file for it; `ladder` and `target` as the file would write them.
    static func file(
        a: Int = 0, b: Int = 0, c: Int = 0, both: Int = 0, network: Int = 0, every: Int = 1, fixed: Int = 0,
        top: String = #""ladder":[{"net.network":1},{"a.value":50,"net.every":5},{"net.network":2,"both.value":7}],"#
    ) throws -> ValidatedPipeline {
        let text = #"""
            {\#(top)"nodes":{
            "feed":{"type":"feed"},
            "a":{"type":"mark","input":"feed","value":\#(a),"fixed":\#(fixed)},
            "b":{"type":"mark","input":"feed","value":\#(b)},
            "c":{"type":"mark","input":"feed","value":\#(c)},
            "net":{"type":"network","input":"a","network":\#(network),"every":\#(every)},
            "both":{"type":"join","inputs":["net","b"],"value":\#(both)},
            "main":{"type":"keep","input":"both"},
            "side":{"type":"keep","input":"c"}}}
            """#
        return try PipelineFile(name: "scripted.json", text: text).validated(against: contracts)
    }

    /// What each node of a file does with a frame on a rung.
    static func marks(_ file: ValidatedPipeline, on rung: Int) -> [String: String] {
        var marks: [String: String] = [:]
        for node in file.nodes {
            let settings = file.ladder.settings(of: node, on: rung)
            switch node.type {
            case MarkingNode.contract.type, MarkingJoin.contract.type: marks[node.id] = MarkingNode.mark(settings)
            case ScriptedNetwork.contract.type: marks[node.id] = ScriptedNetwork.mark(settings)
            default: break
            }
        }
        return marks
    }

    /// Ends it; the report comes when all has been told.
    func finish() -> RunReport {
        network.finishAll()
        graph.stop()
        let report = graph.waitUntilFinished()
        controller.finish(report)
        return report
    }
}
