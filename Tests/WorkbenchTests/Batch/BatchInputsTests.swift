// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

@testable import Workbench

/// What patterns stand for, and what items are called.
@Suite struct `Inputs of a batch` {
    private let scratch: Scratch

    init() throws {
        scratch = try Scratch()
        for name in [
            "rec/a/1.mp4", "rec/a/2.MKV", "rec/a/notes.txt", "rec/b/c/3.mp4", "rec/.hidden/4.mp4", "rec/.5.mp4",
            "rec/odd [1].mp4", "rec/out/old.mp4", "photos/one/1.png", "photos/two/1.png",
        ] {
            let path = scratch.file(name)
            try FileManager.default.createDirectory(
                atPath: URL(fileURLWithPath: path).deletingLastPathComponent().path, withIntermediateDirectories: true)
            try Data(name.utf8).write(to: URL(fileURLWithPath: path))
        }
        // Leads back up: following it would never end.
        try FileManager.default.createSymbolicLink(atPath: scratch.file("rec/loop"), withDestinationPath: scratch.path)
    }

    private func names(_ patterns: [String], takesFolders: Bool = false) throws -> [String] {
        try BatchInputs.find(
            patterns.map { scratch.path + "/" + $0 }, takesFolders: takesFolders, besides: scratch.file("rec/out")
        ).map { String($0.location.dropFirst(BatchInputs.realPath(scratch.path).count + 1)) }
    }

    @Test(arguments: [
        (["rec/**/*.mp4"], false, ["rec/a/1.mp4", "rec/b/c/3.mp4", "rec/odd [1].mp4"]),
        (["rec/*/*.mp4"], false, ["rec/a/1.mp4"]),
        (["rec/a/?.*"], false, ["rec/a/1.mp4", "rec/a/2.MKV"]),
        (["rec/[ab]/**/[13].mp4"], false, ["rec/a/1.mp4", "rec/b/c/3.mp4"]),
        // A folder stands for the recordings below it.
        (["rec"], false, ["rec/a/1.mp4", "rec/a/2.MKV", "rec/b/c/3.mp4", "rec/odd [1].mp4"]),
        // A file that exists is no pattern.
        (["rec/odd [1].mp4"], false, ["rec/odd [1].mp4"]),
        (["rec/.*.mp4"], false, ["rec/.5.mp4"]),
        (["rec/a/1.mp4", "rec/*/1.mp4"], false, ["rec/a/1.mp4"]),
        (["photos/*"], true, ["photos/one", "photos/two"]),
    ])
    func `patterns find files and folders`(_ patterns: [String], _ takesFolders: Bool, _ expected: [String]) throws {
        #expect(try names(patterns, takesFolders: takesFolders) == expected)
    }

    @Test(arguments: [
        ("rec/a.mp4", "rec/a.mp4"), ("./rec//a.mp4", "rec/a.mp4"), ("/data/rec/a.mp4", "data/rec/a.mp4"),
        ("../other/a.mp4", "other/a.mp4"), ("rec/x/../a.mp4", "rec/a.mp4"), (".batch/a.mp4", "_.batch/a.mp4"),
    ])
    func `an item is called as its path`(_ path: String, _ name: String) {
        #expect(BatchInputs.name(of: path) == name)
    }

    @Test func `a pattern that nothing matches is an error`() {
        let error = #expect(throws: BatchError.self) { try names(["rec/*.avi"]) }
        #expect(error?.description.contains("rec/*.avi\": nothing there; write the pattern in quotes") == true)
    }

    @Test func `an item inside another is an error`() {
        let error = #expect(throws: BatchError.self) { try names(["photos", "photos/one"], takesFolders: true) }
        #expect(error?.description.contains("would lie inside the item") == true)
    }

    @Test func `another content is another identity`() throws {
        let path = scratch.file("rec/a/1.mp4")
        let before = try #require(BatchInputs.input(path))
        try Data("other".utf8).write(to: URL(fileURLWithPath: path))
        #expect(try #require(BatchInputs.input(path)).identity != before.identity)
    }
}

/// Which inputs a process takes.
@Suite struct `Shards of a batch` {
    private func shard(_ text: String, _ environment: [String: String] = [:]) throws -> BatchShard {
        try BatchShard(text, environment: { environment[$0] })
    }

    @Test(arguments: [
        ("claim", [:], BatchShard.claim), ("1/4", [:], .part(index: 0, count: 4)),
        ("4/4", [:], .part(index: 3, count: 4)),
        (
            "auto", ["SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_COUNT": "6"],
            .part(index: 4, count: 6)
        ),
        (
            "auto",
            [
                "SLURM_ARRAY_TASK_ID": "20", "SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_STEP": "10",
                "SLURM_ARRAY_TASK_COUNT": "3",
            ], .part(index: 2, count: 3)
        ),
        ("auto", ["JOB_COMPLETION_INDEX": "2", "VPIPE_SHARDS": "5"], .part(index: 2, count: 5)),
        (
            "auto", ["AWS_BATCH_JOB_ARRAY_INDEX": "0", "AWS_BATCH_JOB_ARRAY_SIZE": "2"], .part(index: 0, count: 2)
        ),
    ])
    func `parts are read`(_ text: String, _ environment: [String: String], _ expected: BatchShard) throws {
        #expect(try shard(text, environment) == expected)
    }

    @Test(arguments: [
        ("0/4", [:], "with i from 1 to n"), ("5/4", [:], "with i from 1 to n"),
        ("x", [:], "expected claim, auto, or i/n"),
        ("auto", [:], "no scheduler has handed this process a part"),
        ("auto", ["JOB_COMPLETION_INDEX": "2"], "Set VPIPE_SHARDS"),
        ("auto", ["JOB_COMPLETION_INDEX": "two", "VPIPE_SHARDS": "5"], "is \"two\", which is no number"),
        ("auto", ["JOB_COMPLETION_INDEX": "5", "VPIPE_SHARDS": "5"], "there is no such part"),
    ])
    func `what is no part is refused`(_ text: String, _ environment: [String: String], _ message: String) {
        let error = #expect(throws: BatchError.self) { try shard(text, environment) }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    }

    @Test func `parts hold every input once and are of like size`() {
        var random = SeededGenerator(seed: 7)
        let all = (0..<200).map { index in
            BatchInput(
                name: "\(index)", location: "/\(index)", bytes: Int.random(in: 1...1_000_000, using: &random),
                modified: 0)
        }
        for count in [1, 2, 3, 7, 16] {
            let parts = (0..<count).map {
                BatchShard.part(index: $0, count: count).inputs(of: all.shuffled(using: &random))
            }
            #expect(parts.joined().map(\.name).sorted() == all.map(\.name).sorted())
            let loads = parts.map { $0.reduce(0) { $0 + $1.bytes } }
            let mean = loads.reduce(0, +) / count
            #expect(loads.max() ?? 0 <= mean + 1_000_000 && Double(loads.max() ?? 0) < 1.1 * Double(mean))
        }
        #expect(BatchShard.claim.inputs(of: all).map(\.bytes) == all.map(\.bytes).sorted(by: >))
    }
}

/// Who may work on an item.
@Suite struct `Leases of a batch` {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func take(_ expiry: Double = 60) throws -> BatchLease? {
        try BatchLease.take(scratch.file("lease"), expiry: expiry, clock: scratch.file("clock"))
    }

    @Test func `one holds it, until it is given back`() throws {
        let first = try #require(try take())
        #expect(try take() == nil)
        #expect(BatchLease.isTaken(scratch.file("lease"), expiry: 60, clock: scratch.file("clock")))
        #expect(first.renew())
        first.release()
        #expect(!BatchLease.isTaken(scratch.file("lease"), expiry: 60, clock: scratch.file("clock")))
        #expect(try take() != nil)
    }

    @Test func `one that is not renewed is taken over, and its holder notices`() throws {
        let first = try #require(try take())
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: -61)], ofItemAtPath: scratch.file("lease"))
        let second = try #require(try take())
        #expect(!first.renew())
        // Giving back what is another's by now takes nothing from it.
        first.release()
        #expect(second.renew())
        #expect(try take() == nil)
    }

    @Test func `that of a process that is gone is free at once`() throws {
        let own = BatchLease.Holder.own
        for (text, isFree) in [
            ("\(own.machine) \(own.process) 1\n", true), ("\(own.machine) 4194999 77\n", true),
            ("\(own.text)\n", false),
            ("elsewhere 1 1\n", false), ("", false),
        ] {
            try Data(text.utf8).write(to: URL(fileURLWithPath: scratch.file("lease")))
            #expect(try (take() != nil) == isFree, "\(text)")
        }
    }

    @Test func `of many threads one gets it`() throws {
        let path = scratch.path
        for round in 0..<20 {
            let lease = path + "/\(round)"
            // A dead process's lease, which all of them find.
            try Data("\(BatchLease.Holder.own.machine) 4194999 77\n".utf8).write(to: URL(fileURLWithPath: lease))
            let counts = Counter()
            DispatchQueue.concurrentPerform(iterations: 8) { _ in
                if (try? BatchLease.take(lease, expiry: 60, clock: path + "/clock")) ?? nil != nil { counts.add() }
            }
            #expect(counts.value == 1)
        }
    }

    private final class Counter: @unchecked Sendable {
        private let lock = NSLock()
        private var count = 0
        func add() { lock.withLock { count += 1 } }
        var value: Int { lock.withLock { count } }
    }
}
