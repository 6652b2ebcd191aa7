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
