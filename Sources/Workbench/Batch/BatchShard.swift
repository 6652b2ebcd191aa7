// SPDX-License-Identifier: Apache-2.0

/// Which part of a batch this process takes.
public enum BatchShard: Sendable, Hashable {
    /// Whatever nobody else holds: items are claimed one by one, by leases in the batch's folder.
    case claim
    /// A fixed part, `index` from 0, of `count`.
    case part(index: Int, count: Int)

    /// Reads `claim`, `auto`, or `i/n` with i from 1 to n.
    ///
    /// `auto` is the part that a scheduler hands a task:
    ///
    /// | scheduler | index | count |
    /// |---|---|---|
    /// | Slurm array | `SLURM_ARRAY_TASK_ID` - `_MIN`, by `_STEP` | `SLURM_ARRAY_TASK_COUNT` |
    /// | Kubernetes Indexed Job | `JOB_COMPLETION_INDEX` | `VPIPE_SHARDS`, which the manifest sets to `completions` |
    /// | AWS Batch array | `AWS_BATCH_JOB_ARRAY_INDEX` | `AWS_BATCH_JOB_ARRAY_SIZE` or `VPIPE_SHARDS` |
    ///
    /// - Throws: `BatchError` saying what was found and what is expected.
    public init(_ text: String, environment: (String) -> String?) throws(BatchError) {
        switch text {
        case "claim": self = .claim
        case "auto": self = try Self.handed(environment)
        default:
            let numbers = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
            guard numbers.count == 2, let index = numbers[0], let count = numbers[1], count > 0, (1...count) ~= index
            else {
                throw BatchError(
                    "--shard \"\(text)\": expected claim, auto, or i/n such as 3/20, with i from 1 to n")
            }
            self = .part(index: index - 1, count: count)
        }
    }

    private static func handed(_ environment: (String) -> String?) throws(BatchError) -> BatchShard {
        func number(_ name: String) throws(BatchError) -> Int? {
            guard let text = environment(name), !text.isEmpty else { return nil }
            guard let value = Int(text) else {
                throw BatchError("--shard auto: \(name) is \"\(text)\", which is no number")
            }
            return value
        }
        let (index, count, name): (Int, Int?, String)
        if let task = try number("SLURM_ARRAY_TASK_ID") {
            let first = try number("SLURM_ARRAY_TASK_MIN") ?? 0
            let step = max(1, try number("SLURM_ARRAY_TASK_STEP") ?? 1)
            (index, count, name) = (
                (task - first) / step, try number("SLURM_ARRAY_TASK_COUNT"), "SLURM_ARRAY_TASK_COUNT"
            )
        } else if let task = try number("JOB_COMPLETION_INDEX") {
            (index, count, name) = (task, try number("VPIPE_SHARDS"), "VPIPE_SHARDS")
        } else if let task = try number("AWS_BATCH_JOB_ARRAY_INDEX") {
            var size = try number("AWS_BATCH_JOB_ARRAY_SIZE")
            if size == nil { size = try number("VPIPE_SHARDS") }
            (index, count, name) = (task, size, "VPIPE_SHARDS")
        } else {
            throw BatchError(
                "--shard auto: no scheduler has handed this process a part: neither SLURM_ARRAY_TASK_ID nor "
                    + "JOB_COMPLETION_INDEX nor AWS_BATCH_JOB_ARRAY_INDEX is set; give i/n, or claim")
        }
        guard let count else {
            throw BatchError("--shard auto: part \(index + 1), but of how many? Set \(name) to the number of parts")
        }
        guard count > 0, (0..<count) ~= index else {
            throw BatchError("--shard auto: part \(index + 1) of \(count): there is no such part")
        }
        return .part(index: index, count: count)
    }

    /// The inputs of this part, the largest first.
    ///
    /// Fixed parts are dealt out largest first, each to the part that has least so far: the same on every machine that sees
    /// the same files. Bytes stand for time, as looking into each of a million files would take hours of its own.
    func inputs(of all: [BatchInput]) -> [BatchInput] {
        let sorted = all.sorted { ($1.bytes, $0.name) < ($0.bytes, $1.name) }
        guard case .part(let own, let count) = self else { return sorted }
        var loads = Heap(count: count)
        return sorted.filter { loads.add($0.bytes + 1) == own }
    }

    /// Loads of numbered parts, the least loaded on top; of equal ones the first.
    private struct Heap {
        private var parts: [(load: Int, index: Int)]

        init(count: Int) { parts = (0..<count).map { (0, $0) } }

        /// Gives `load` to the least loaded part, and says which one that was.
        mutating func add(_ load: Int) -> Int {
            let index = parts[0].index
            parts[0].load += load
            var at = 0
            while true {
                let least = [2 * at + 1, 2 * at + 2].filter { $0 < parts.count }.min { parts[$0] < parts[$1] }
                guard let least, parts[least] < parts[at] else { return index }
                parts.swapAt(at, least)
                at = least
            }
        }
    }
}
