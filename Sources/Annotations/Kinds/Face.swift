// SPDX-License-Identifier: Apache-2.0

/// A face: its box and, where the network gives them, five landmarks.
public struct Face: Sendable, Hashable {
    /// Bounding box.
    public var box: Box
    /// Confidence, 0...1.
    public var score: Float
    /// Left eye, right eye, nose, left and right mouth corner as seen in the picture; or empty.
    public var landmarks: [Point]

    /// Makes a face.
    public init(box: Box, score: Float, landmarks: [Point] = []) {
        self.box = box
        self.score = score
        self.landmarks = landmarks
    }
}
