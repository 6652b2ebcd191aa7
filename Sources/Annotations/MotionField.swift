// SPDX-License-Identifier: Apache-2.0

/// How the picture moved from the frame in which something was found to the one it is carried to.
///
/// Places are in pixels of the first, motions how far from there, in pixels.
public protocol MotionField {
    /// The motion of what is inside a box: the median, so that the background does not count.
    func motion(inside box: Box) -> Point
    /// The motion of what lies along a straight line.
    func motion(from start: Point, to end: Point) -> Point
}
