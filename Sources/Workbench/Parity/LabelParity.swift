// SPDX-License-Identifier: Apache-2.0
internal import Media

/// Compares a class map with a reference's labels, pixel by pixel, and finds which usual mistake tells them apart.
struct LabelParity {
    /// The node's, one for each pixel of the picture; 255 beside its grid and where it is void, which says nothing.
    let found: [UInt8]
    let width: Int
    let height: Int

    /// - Parameter reference: as many labels, row by row.
    func stage(_ reference: [UInt8]) -> ParityReport.Stage {
        let agreement = share { reference[$0] }
        let text = "\(brief(100 * agreement))% of \(width)x\(height) pixels have the same label"
        // Where two classes meet, programs that resample in another order differ by a pixel.
        if agreement >= 0.98 { return .init("labels", agrees: true, text) }
        let guesses: [(String, (Int) -> UInt8)] = [
            ("labels counted from one: the reference is one higher", { reference[$0] &- 1 }),
            ("labels counted from one: the node is one higher", { reference[$0] &+ 1 }),
            (
                "upside down: the reference's first row is the lowest",
                { reference[height - 1 - $0 / width, $0 % width, width] }
            ),
            (
                "mirrored: the reference runs from right to left",
                { reference[$0 / width, width - 1 - $0 % width, width] }
            ),
        ]
        var cause = guesses.first { share($0.1) >= 0.95 }?.0
        if cause == nil, let (moved, order) = renamed(reference), moved >= 0.95 {
            cause = "other order of classes: the reference's \(order) are the node's"
        }
        if cause == nil, let shift = shifted(reference) { cause = shift }
        return .init("labels", agrees: false, text, causes: [cause ?? "none of the usual mistakes explains it"])
    }

    private func share(_ label: (Int) -> UInt8) -> Double {
        let told = found.indices.filter { found[$0] != 255 }
        let hits = told.count { found[$0] == label($0) }
        return Double(hits) / Double(max(1, told.count))
    }

    /// The agreement after each of the reference's labels is given the node's name that it most often falls on.
    private func renamed(_ reference: [UInt8]) -> (Double, String)? {
        var counts = [Int](repeating: 0, count: 256 * 256)
        for (own, other) in zip(found, reference) { counts[Int(other) * 256 + Int(own)] += 1 }
        var hits = 0
        var changes: [String] = []
        var taken = Set<Int>()
        for other in 0..<256 {
            let row = counts[other * 256..<(other + 1) * 256]
            guard let most = row.max(), most > 0, let own = row.firstIndex(of: most) else { continue }
            // Two of its labels for one of the node's are not an order but a coarser set.
            guard taken.insert(own - other * 256).inserted else { return nil }
            hits += most
            if own - other * 256 != other { changes.append("\(other) -> \(own - other * 256)") }
        }
        guard !changes.isEmpty else { return nil }
        return (Double(hits) / Double(max(1, found.count)), changes.prefix(6).joined(separator: ", "))
    }

    /// A shift of a few cells that explains what differs.
    private func shifted(_ reference: [UInt8]) -> String? {
        for step in [4, -4, 2, -2, 8, -8, 16, -16] where abs(step) < min(width, height) / 2 {
            let rows = max(0, -step)..<min(height, height - step)
            let columns = max(0, -step)..<min(width, width - step)
            let hits = rows.reduce(0) { sum, y in
                sum + columns.count { found[y, $0, width] == reference[y + step, $0 + step, width] }
            }
            if Double(hits) >= 0.95 * Double(rows.count * columns.count) {
                return "grid offset: the reference lies \(abs(step)) pixels further "
                    + (step > 0 ? "right and down" : "left and up")
            }
        }
        return nil
    }
}

extension [UInt8] {
    fileprivate subscript(row: Int, column: Int, width: Int) -> UInt8 { self[row * width + column] }
}
