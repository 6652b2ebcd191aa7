// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// How far a batch is, as its folder tells; the inputs are not looked at.
public struct BatchOverview: Sendable {
    /// An item that failed.
    public struct Failure: Sendable {
        /// Its name.
        public let item: String
        /// How often it was tried.
        public let tries: Int
        /// What it failed of last.
        public let message: String
    }

    /// Items of the last run.
    public let items: Int
    /// Of these, finished ones.
    public let done: Int
    /// Being made by some process.
    public let running: Int
    /// Those that failed, and are neither done nor being made.
    public let failed: [Failure]
    /// The others.
    public let missing: Int
    /// Frames of the finished ones.
    public let frames: Int

    /// Looks into a batch's folder.
    ///
    /// - Throws: `BatchError` where no batch was there.
    public init(_ out: String, leaseSeconds: Double = 60) throws(BatchError) {
        let (folder, entries) = try Self.open(out)
        var (done, running, frames, missing) = (0, 0, 0, 0)
        var failed: [Failure] = []
        for entry in entries {
            if let record = folder.done(entry.item) {
                done += 1
                frames += record.frames
            } else if BatchLease.isTaken(folder.lease(of: entry.item), expiry: leaseSeconds, clock: folder.clock) {
                running += 1
            } else if let failures = folder.failures(entry.item), let last = failures.tries.last {
                failed.append(Failure(item: entry.item, tries: failures.tries.count, message: last.message))
            } else {
                missing += 1
            }
        }
        unlink(folder.clock)
        items = entries.count
        (self.done, self.running, self.frames, self.missing, self.failed) = (done, running, frames, missing, failed)
    }

    /// Forgets that `items` failed, or all that did; returns those.
    public static func retry(_ out: String, items: [String]) throws(BatchError) -> [String] {
        let (folder, _) = try open(out)
        let failed = folder.failures().map(\.item)
        if let unknown = items.first(where: { !failed.contains($0) }) {
            throw BatchError("\(unknown): has not failed in \(out); \"vpipe batch status \(out)\" lists what has")
        }
        let chosen = items.isEmpty ? failed : items
        for item in chosen { folder.clearFailure(item) }
        return chosen.sorted()
    }

    static func open(_ out: String) throws(BatchError) -> (BatchFolder, [BatchFolder.Entry]) {
        let folder = BatchFolder(out)
        guard let entries = folder.entries() else {
            throw BatchError("\(out): no batch was run into this folder; it would hold .batch/manifest.jsonl")
        }
        return (folder, entries)
    }
}
