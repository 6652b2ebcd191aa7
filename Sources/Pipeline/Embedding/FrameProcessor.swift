// SPDX-License-Identifier: Apache-2.0
internal import Dataflow
public import Media

/// The simplest kind of node: one frame in, one or none out, in order.
///
/// A type that conforms is registered with `NodeRegistry.register(_:)`; then its contract's name works as a `type` in pipeline
/// files, its parameters are checked, and it appears in the reference and the schema made from the registry.
///
/// ```swift
/// struct Blink: FrameProcessor {
///     static let every = Param.integer("every", default: 5, range: 1...100, doc: "Frames")
///     static let contract = Contract("blink", .processing, summary: "Keeps every Nth frame", parameters: [every])
///     private let every: Int
///     private var count = 0
///
///     init(_ settings: Settings, _ context: BuildContext) { every = settings[Self.every] }
///
///     mutating func process(_ frame: Frame) -> Frame? {
///         defer { count += 1 }
///         return count % every == 0 ? frame : nil
///     }
/// }
/// ```
///
/// With the category `.processing` a frame that is not returned counts as dropped (`filtered`); with `.sink` the returned
/// value is ignored and the frame counts as delivered.
/// - Note: Thread-safety: `process` is called on any thread, never by two at once, with the frames of a source in order.
public protocol FrameProcessor: SharedType {
    /// The declaration of the type: its name, ports and parameters. One input; at most one output.
    static var contract: Contract { get }

    /// Makes the processor of one node of a pipeline.
    ///
    /// - Throws: what keeps it from working, in a sentence for the user; the pipeline does not start then.
    init(_ settings: Settings, _ context: BuildContext) throws

    /// Takes one frame and returns what becomes of it: the same frame, a changed one, or nil to drop it.
    ///
    /// - Throws: ends the node; what that means for the rest says `onError` in the pipeline file.
    mutating func process(_ frame: Frame) throws -> Frame?

    /// Called once after the last frame of a run that was not aborted: to write out what was collected.
    mutating func finish() throws
}

extension FrameProcessor {
    /// Has nothing to write out.
    public mutating func finish() throws {}
}

/// Runs a `FrameProcessor` as a node of the graph.
final class ProcessorNode<Processor: FrameProcessor>: Node {
    private var processor: Processor
    private let isSink: Bool
    private var isFinished = false

    init(_ processor: Processor) {
        self.processor = processor
        isSink = Processor.contract.outputs.isEmpty
    }

    func process(_ item: Item, to output: Output) throws -> Disposition {
        let frame = item.frame
        guard let result = try processor.process(frame), !isSink else { return .done }
        if result === frame { output.forward() } else { output.emit(result) }
        return .done
    }

    func drain(to output: Output) throws -> Bool {
        if !isFinished {
            isFinished = true
            try processor.finish()
        }
        return true
    }
}
