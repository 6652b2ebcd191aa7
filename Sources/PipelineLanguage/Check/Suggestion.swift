// SPDX-License-Identifier: Apache-2.0

/// Counts the insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
///
/// Damerau-Levenshtein distance in its optimal string alignment form, on lower-cased scalars.
package func editDistance(_ first: String, _ second: String) -> Int {
    let a = Array(first.lowercased().unicodeScalars)
    let b = Array(second.lowercased().unicodeScalars)
    guard !a.isEmpty, !b.isEmpty else { return max(a.count, b.count) }
    var before: [Int] = []
    var previous = Array(0...b.count)
    for i in 1...a.count {
        var current = [i] + Array(repeating: 0, count: b.count)
        for j in 1...b.count {
            let cost = a[i - 1] == b[j - 1] ? 0 : 1
            current[j] = min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + cost)
            if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                current[j] = min(current[j], before[j - 2] + 1)
            }
        }
        before = previous
        previous = current
    }
    return previous[b.count]
}

/// The candidate most likely meant by a misspelt word; nil when none is near.
package func closest(to word: String, among candidates: [String]) -> String? {
    let length = word.unicodeScalars.count
    guard (1...48).contains(length) else { return nil }
    var best: (name: String, distance: Int)?
    // A bound on the work, which only a file made to be slow would reach.
    for candidate in candidates.prefix(300) {
        let size = candidate.unicodeScalars.count
        let allowed = min(3, (max(length, size) + 1) / 3)
        guard abs(size - length) <= allowed || length >= 3 else { continue }
        var distance = abs(size - length) <= allowed ? editDistance(word, candidate) : .max
        if distance > allowed {
            let shorter = min(length, size)
            let isPrefix =
                shorter >= 3
                && (candidate.lowercased().hasPrefix(word.lowercased())
                    || word.lowercased().hasPrefix(candidate.lowercased()))
            distance = isPrefix ? 3 : .max
        }
        if distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    return best?.name
}

/// The fix line for an unknown word: the likely one, and all allowed ones when they are few.
package func suggestion(for word: String, among candidates: [String], noun: String) -> String? {
    let near = closest(to: word, among: candidates)
    let list = candidates.count <= 8 && !candidates.isEmpty ? "\(noun): " + candidates.joined(separator: ", ") : nil
    return switch (near, list) {
    case (let near?, let list?): "did you mean \"\(near)\"? (\(list))"
    case (let near?, nil): "did you mean \"\(near)\"?"
    case (nil, let list?): list
    case (nil, nil): nil
    }
}
