// SPDX-License-Identifier: Apache-2.0

/// What a sink does with a file that is there already.
public enum IfExists: String, Sendable, CaseIterable {
    /// It does not start.
    case fail
    /// It goes on behind what is there, where the format can; else as `number`.
    case append
    /// It leaves it and takes the next free number: `door.mp4`, `door-2.mp4`, `door-3.mp4`.
    case number
    /// It takes its place, once a part of the new one is whole.
    case replace

    /// Whether another name is taken when one is not free.
    var numbers: Bool { self == .number || self == .append }
}
