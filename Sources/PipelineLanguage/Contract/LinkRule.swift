// SPDX-License-Identifier: Apache-2.0

/// What a link does when its reader is slower than its writer; the words of the pipeline file.
public enum LinkPolicy: String, Sendable, Hashable, CaseIterable {
    /// The writer waits: nothing is lost, and the source slows down.
    case block
    /// One place that always holds the newest frame.
    case latest
    /// A full queue gives up its oldest frame.
    case dropOldest
    /// A full queue refuses the new frame.
    case dropNewest
}

/// Policy and capacity of a link.
public struct LinkRule: Sendable, Hashable, CustomStringConvertible {
    /// What happens when the link is full.
    public let policy: LinkPolicy
    /// Frames the link holds.
    public let capacity: Int

    /// Makes a rule; files are held to `capacityRange`.
    public init(_ policy: LinkPolicy, capacity: Int) {
        self.policy = policy
        self.capacity = capacity
    }

    /// Capacities a file may ask for.
    public static let capacityRange = 1...1024

    /// From sources that wait: lossless; more than two frames were measured to cost memory and gain no speed.
    public static let lossless = LinkRule(.block, capacity: 2)
    /// From a live source as far as nothing was spent on the frame: only the newest matters.
    public static let live = LinkRule(.latest, capacity: 1)
    /// Behind a live source's first link: nothing more is lost, and little is queued.
    public static let liveLater = LinkRule(.block, capacity: 2)
    /// From a live source into a network after another: what the first was spent on is not lost, and one frame waits.
    public static let liveNetwork = LinkRule(.block, capacity: 1)
    /// Into a join: frames wait here for the branches that are slower.
    public static let join = LinkRule(.block, capacity: 16)
    /// The same from a live source as far as nothing was spent on the frame: it is never held up.
    public static let liveJoin = LinkRule(.dropOldest, capacity: 16)
    /// From a live source into a join that waits for nobody: results, of which the newest counts.
    public static let newestResults = LinkRule(.dropOldest, capacity: 4)

    /// Policy and capacity, as graphs show them.
    public var description: String { "\(policy.rawValue) \(capacity)" }
}

extension LinkRule {
    /// Where a link stands in the graph, as far as its default depends on it.
    package struct Place {
        /// What reads the link.
        enum Reader {
            /// A network: a frame that waits in front of it ages.
            case network
            /// Any other node with one input, or a sink.
            case node
            /// A join that holds a frame back until every branch has answered for it.
            case join
            /// A join that never waits: the primary input gives the frames, the others the newest results.
            case newestJoin(isPrimary: Bool)
        }

        /// Whether the frames come from a live source.
        var isLive: Bool
        /// Whether the writer is that source.
        var isFromSource: Bool
        /// Whether a network has worked on the frames.
        var carriesResults: Bool
        var reader: Reader
    }

    /// What a link is where neither the file nor the reader's port says: the live semantics of every pipeline.
    ///
    /// A source that waits loses nothing. A live source is never held up, so frames are dropped, but only as long as
    /// nothing was spent on them; behind a network the links are lossless and short, so that pressure makes the first
    /// link drop earlier.
    ///
    /// | into | not live | live, no results yet | live, with results |
    /// |---|---|---|---|
    /// | a network | `block 2` | `latest 1` | `block 1` |
    /// | another node or a sink, from the source | `block 2` | `latest 1` | `latest 1` |
    /// | another node or a sink, from a node | `block 2` | `block 2` | `block 2` |
    /// | a join that waits for its branches | `block 16` | `dropOldest 16` | `block 16` |
    /// | a join for the newest, primary input | `block 2` | `latest 1` | `latest 1` |
    /// | a join for the newest, other inputs | `block 2` | `dropOldest 4` | `dropOldest 4` |
    package static func `default`(at place: Place) -> LinkRule {
        switch place.reader {
        case .join: place.isLive && !place.carriesResults ? .liveJoin : .join
        case _ where !place.isLive: .lossless
        case .newestJoin(let isPrimary): isPrimary ? .live : .newestResults
        case .network: place.carriesResults ? .liveNetwork : .live
        case .node: place.isFromSource ? .live : .liveLater
        }
    }
}
