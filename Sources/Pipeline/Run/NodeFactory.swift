// SPDX-License-Identifier: Apache-2.0
public import Dataflow
public import Media
public import PipelineLanguage

/// A node ready for the graph.
public enum BuiltNode {
    /// It starts frames.
    case source(any SourceNode)
    /// It takes one input, or ends the way of frames.
    case node(any Node)
    /// It brings branches of one source together.
    case join(any JoinNode)
}

/// Makes the node that a validated declaration describes.
///
/// Opens files, devices and models.
///
/// - Throws: what keeps it from working, in a sentence that names the file or device.
public typealias NodeFactory = @Sendable (_ node: ValidatedNode, _ context: BuildContext) throws -> BuiltNode

#if compiler(>=6.2)
    /// What a type is whose metatype may be used on any thread; the compiler assumed it of every type before 6.2.
    public typealias SharedType = SendableMetatype
#else
    /// What a type is whose metatype may be used on any thread: every one.
    public typealias SharedType = Any
#endif

/// A node type as a Swift type: its contract and how it is made.
public protocol NodeType: SharedType {
    /// The declaration everything is generated from.
    static var contract: Contract { get }
    /// Makes the node; see `NodeFactory`.
    static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode
    /// Makes what stands for the node in a trial run (`vpipe plan`): it costs what the node costs, and no device, server or
    /// broker notices anything.
    ///
    /// Asked only of types with a parameter whose role is `peer`. Without one of its own a type is replaced by a sink that
    /// does nothing; a type with outputs has to make its own.
    static func makeTrial(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode
}

extension NodeType {
    /// A sink that does nothing.
    ///
    /// - Throws: a sentence for types with outputs.
    public static func makeTrial(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        guard node.contract.category == .sink else {
            throw OutputError("\"\(node.type)\" cannot be tried out: it feeds others, and its type makes no stand-in")
        }
        return NullNode.make(node, in: context)
    }
}

/// A node that knows something about its run worth a line in the report.
public protocol ReportingNode: AnyObject {
    /// What the user should know: settings in force, frames written, faults survived. Called after the run.
    var notes: [String] { get }
}

/// A node whose files others may move away while it writes: logrotate and its like.
public protocol ReopeningNode: AnyObject {
    /// Has the node open its files anew, by name, before it writes on.
    ///
    /// - Note: Thread-safety: called from any thread while the node works.
    func reopenFiles()
}

/// A source whose blocking reads can be ended from another thread.
public protocol InterruptibleSource: AnyObject {
    /// Makes a read that waits for data return.
    func interrupt()
}

/// A source that also has audio to hand on.
public protocol AudioSource: AnyObject {
    /// A tap for one sink; nil where the source has no audio.
    func makeAudioTap() throws -> AudioTap?
}

/// A source whose compressed video a sink can store as it is.
package protocol PacketSource: AnyObject {
    /// A ring of the newest packets for one sink; what they are may change when a live source comes back.
    func makePacketRing(capacityBytes: Int) throws -> PacketRing
}

/// One whose video is of one kind from its first packet to its last.
package protocol UniformPacketSource: PacketSource {
    /// A tap for one sink.
    func makeVideoTap() throws -> VideoTap
}

/// A source that may begin in the middle of a recording.
public protocol PartialSource: AnyObject {
    /// Where it begins, in seconds of the recording; nil at its start.
    var startSeconds: Double? { get }
    /// Whether any frames are left out.
    var isPart: Bool { get }
}

/// A source that knows how much is to come.
public protocol MeasuredSource: AnyObject {
    /// Frames in all, as the container says or from its length; nil where unknown or endless.
    var expectedFrames: Int? { get }
    /// Nominal frame rate; nil where unknown.
    var frameRate: Rational? { get }
}

/// A node that draws what was found onto pictures.
protocol DrawingNode: AnyObject {
    /// The picture of the frame that is being emitted, as it was before; nil at any other time. For the node's stage only.
    var undrawn: Picture? { get }
}

/// A node that looks at the run it is part of.
package protocol RunAttached: AnyObject {
    /// Called once before the run starts; the run owns the node, which must not own the run.
    func attach(_ run: PipelineRun)
    /// What the user should be told at the start, such as where to look.
    var announcement: String? { get }
}
