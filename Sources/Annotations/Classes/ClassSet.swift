// SPDX-License-Identifier: Apache-2.0

/// The classes that a segmentation tells apart, in the order of its labels.
public struct ClassSet: Sendable, Hashable {
    /// One class: what people call it, and the colour it is drawn in.
    public struct Member: Sendable, Hashable {
        /// As in records and legends.
        public var name: String
        /// Opaque.
        public var color: Color

        /// Makes a class.
        public init(_ name: String, _ color: Color) {
            self.name = name
            self.color = color
        }
    }

    /// What the set is called: `cityscapes`, `camvid`, or a file's name.
    public let name: String
    /// Label 0 first; 255 at most.
    public let members: [Member]

    /// Makes a set; more than 255 members are a bug of the caller.
    public init(_ name: String, _ members: [Member]) {
        precondition(members.count <= 255, "labels are bytes, and 255 stands for no class")
        self.name = name
        self.members = members
    }

    /// How many classes there are.
    public var count: Int { members.count }
}
