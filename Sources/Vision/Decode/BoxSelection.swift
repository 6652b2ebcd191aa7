// SPDX-License-Identifier: Apache-2.0

/// Which boxes of a detection network count, and which of those stay.
package struct BoxSelection: Sendable, Hashable {
    /// Boxes must score more.
    package var scoreThreshold: Float
    /// Of two boxes that overlap by more (intersection over union) the better one stays; 1 keeps all.
    package var iouThreshold: Float
    /// At most this many boxes are compared, best first; SSH counts those of each module.
    package var candidates: Int
    /// At most this many are reported.
    package var limit: Int

    /// The numbers of RetinaFace's reference; the score is that of the cards in `models/`.
    package static let retinaFace = BoxSelection(
        scoreThreshold: 0.5, iouThreshold: 0.4, candidates: 5000, limit: 750)
    /// The numbers of SSH's reference; the score is that of its pictures (its evaluation takes 0.05).
    package static let ssh = BoxSelection(scoreThreshold: 0.5, iouThreshold: 0.3, candidates: 1000, limit: 750)
    /// Numbers that suit most networks that find objects.
    package static let objects = BoxSelection(
        scoreThreshold: 0.25, iouThreshold: 0.45, candidates: 3000, limit: 300)

    /// The same but for the numbers given.
    package func with(
        scoreThreshold: Float? = nil, iouThreshold: Float? = nil, candidates: Int? = nil, limit: Int? = nil
    ) -> BoxSelection {
        BoxSelection(
            scoreThreshold: scoreThreshold ?? self.scoreThreshold,
            iouThreshold: iouThreshold ?? self.iouThreshold, candidates: candidates ?? self.candidates,
            limit: limit ?? self.limit)
    }

    /// An empty list for the best of `count` rows.
    func best(of count: Int) -> TopK { TopK(capacity: min(max(0, candidates), count)) }
}
