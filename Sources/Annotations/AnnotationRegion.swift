// SPDX-License-Identifier: Apache-2.0

/// A part of the picture that an annotation covers.
public enum AnnotationRegion: Sendable, Hashable {
    /// The inside of a box; `name` says what is there, such as "face" or the class of an object.
    case box(Box, name: String)
    /// The cells of a map that have one label.
    case cells(ClassMap, label: UInt8)

    /// What is there.
    public var name: String {
        switch self {
        case .box(_, let name): name
        case .cells(let map, let label): map.classes.members[Int(label)].name
        }
    }
}
