// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

@testable import Workbench

/// `vpipe batch` as people and schedulers run it.
@Suite(.serialized) struct `Batches of the program` {
    private let scratch: Scratch

    init() throws {
        scratch = try Scratch()
        try """
        {"nodes":{"video":{"type":"video","url":"none.mp4"},
        "small":{"type":"scale","input":"video","size":"64x48"},
        "file":{"type":"file","input":"video","codec":"copy","path":"out/copy.mp4"},
        "found":{"type":"jsonl","input":"small","path":"out/found.jsonl"},
        "table":{"type":"csv","input":"small","path":"out/found.csv"}}}
        """.write(toFile: scratch.file("p.json"), atomically: true, encoding: .utf8)
    }

    /// Makes recordings of so many frames each.
    private func record(_ frames: [Int]) throws {
        try FileManager.default.createDirectory(atPath: scratch.file("rec"), withIntermediateDirectories: true)
        for (index, count) in frames.enumerated() {
            try """
            {"nodes":{"bars":{"type":"testpattern","size":"160x120","frames":\(count)},
            "file":{"type":"file","input":"bars","path":"rec/\(index).mp4"}}}
            """.write(toFile: scratch.file("make.json"), atomically: true, encoding: .utf8)
            let made = try Program.run(["run", "make.json", "-q"], in: scratch.path)
            try #require(made.status == 0, "\(made.errors)")
        }
    }

    private func batch(_ arguments: String..., out: String = "OUT", signalWhen: (() -> Int32?)? = nil) throws
        -> Program.Outcome
    {
        try Program.run(
            ["batch", "p.json", "--inputs", "rec/*.mp4", "--out", out] + arguments, in: scratch.path,
            signalWhen: signalWhen)
    }

    /// The finished items' files and their bytes.
    private func tree(_ out: String) throws -> [String: Data] {
        let root = scratch.file(out)
        var found: [String: Data] = [:]
        for case let name as String in FileManager.default.enumerator(atPath: root) ?? .init()
        where !name.hasPrefix(".batch") {
            var isFolder: ObjCBool = false
            let path = root + "/" + name
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue else {
                continue
            }
            found[name] = try Data(contentsOf: URL(fileURLWithPath: path))
        }
        return found
    }

    @Test(.timeLimit(.minutes(15))) func `a second run makes only what is missing, and says why`() throws {
        try record([10, 20])
        try Data("no video".utf8).write(to: URL(fileURLWithPath: scratch.file("rec/bad.mp4")))
        let first = try batch("--tries", "2")
        #expect(first.status == 1)
        #expect(first.output.contains("done    rec/0.mp4  10 frames in "))
        #expect(first.output.contains("failed  rec/bad.mp4  try 1: nodes.video: "))
        #expect(first.output.contains("failed  rec/bad.mp4  set aside: nodes.video: "))
        #expect(first.output.contains("3 items: 2 made, 1 failed; 30 frames in "))
        #expect(
            Set(try tree("OUT").keys)
                == Set(
                    ["rec/0.mp4", "rec/1.mp4"].flatMap { item in
                        ["copy.mp4", "done.json", "found.csv", "found.jsonl"].map { item + "/" + $0 }
                    }))
        #expect(try scratch.records("OUT/rec/1.mp4/found.jsonl").count == 20)

        let second = try batch("--tries", "2")
        #expect(second.output.contains("3 items: 0 made, 2 done before, 1 failed"))
        let status = try Program.run(["batch", "status", "OUT", "--json"], in: scratch.path)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(status.output.utf8)) as? [String: Any])
        #expect(object["items"] as? Int == 3 && object["done"] as? Int == 2 && object["frames"] as? Int == 30)
        #expect((object["failed"] as? [[String: Any]])?.first?["tries"] as? Int == 2)

        // The input is mended, and a setting changed: all three are made.
        try FileManager.default.removeItem(atPath: scratch.file("rec/bad.mp4"))
        try FileManager.default.copyItem(atPath: scratch.file("rec/0.mp4"), toPath: scratch.file("rec/bad.mp4"))
        let third = try batch("--set", "small.size=32x24")
        #expect(third.status == 0 && third.output.contains("3 items: 3 made"), "\(third.output)\(third.errors)")
        let kept = try batch("--stale", "keep")
        #expect(kept.status == 0 && kept.output.contains("3 kept though made of something else"))
        let refused = try batch("--stale", "fail")
        #expect(refused.status == 1 && refused.output.contains("was made of something else: pipeline"))
    }

    @Test(.timeLimit(.minutes(15))) func `merged results say which item they are of`() throws {
        try record([3, 4])
        #expect(try batch().status == 0)
        func merge(_ arguments: String...) throws -> Program.Outcome {
            try Program.run(["batch", "merge", "OUT"] + arguments, in: scratch.path)
        }
        #expect(try merge("-o", "all.jsonl").output == "all.jsonl: 9 lines of 2 items\n")
        let items = try scratch.lines("all.jsonl").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])["item"] as? String
        }
        #expect(items == Array(repeating: "rec/0.mp4", count: 4) + Array(repeating: "rec/1.mp4", count: 5))
        let exists = try merge("-o", "all.jsonl")
        #expect(exists.status == 2 && exists.errors.contains("all.jsonl exists; --overwrite replaces it"))
        #expect(try merge("-o", "all.csv").status == 0)
        #expect(try scratch.lines("all.csv").first?.hasPrefix("item,") == true)
        let odd = try merge("-o", "all.xml")
        #expect(odd.status == 2 && odd.errors.contains("expected a name that ends in .jsonl, .csv or .parquet"))
        if Tool.find("duckdb") == nil {
            let parquet = try merge("-o", "all.parquet")
            #expect(parquet.status == 2 && parquet.errors.contains("there is no program \"duckdb\" on the PATH"))
        } else {
            #expect(try merge("-o", "all.parquet").status == 0)
        }
    }

    /// A crash of the process that works on an item is that item's failure: the batch goes on.
    @Test(.timeLimit(.minutes(15))) func `an input that kills its process is set aside`() throws {
        // A pipe that nobody writes to: its item lasts until its process is killed.
        try record([5])
        try #require(mkfifo(scratch.file("rec/stuck.pipe"), 0o600) == 0)
        try FileManager.default.createSymbolicLink(
            atPath: scratch.file("rec/long.mp4"), withDestinationPath: scratch.file("rec/0.mp4"))
        let list = scratch.file("list.txt")
        try "rec/0.mp4\nrec/long.mp4\n".write(toFile: list, atomically: true, encoding: .utf8)
        var kills = 0
        let outcome = try Program.run(
            ["batch", "slow.json", "--inputs-from", list, "--out", "OUT", "--tries", "1", "--jobs", "1"],
            in: try slow(),
            signalWhen: {
                // The worker, not the batch.
                guard kills == 0, let worker = worker(of: "slow.json") else { return nil }
                kills += 1
                kill(worker, SIGSEGV)
                return nil
            })
        #expect(kills == 1)
        #expect(outcome.status == 1, "\(outcome.errors)")
        #expect(outcome.output.contains("set aside: its process died (SIGSEGV)"), "\(outcome.output)")
        #expect(outcome.output.contains("2 items: 1 made, 1 failed"), "\(outcome.output)")
    }

    /// A pipeline whose items last a second each.
    private func slow() throws -> String {
        try """
        {"nodes":{"video":{"type":"video","url":"none.mp4"},
        "slow":{"type":"rate","input":"video","fps":1000},
        "found":{"type":"jsonl","input":"slow","path":"found.jsonl"}}}
        """.write(toFile: scratch.file("slow.json"), atomically: true, encoding: .utf8)
        return scratch.path
    }

    /// The process that works for a batch of this scratch folder.
    private func worker(of pipeline: String) -> Int32? {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let process = Int32(name),
                let line = try? String(contentsOfFile: "/proc/\(name)/cmdline", encoding: .utf8),
                line.contains("batch-worker"),
                (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(name)/cwd"))
                    == URL(fileURLWithPath: scratch.path).resolvingSymlinksInPath().path
            else { continue }
            return process
        }
        return nil
    }

    @Test(.timeLimit(.minutes(15))) func `killed at random moments, two processes make the same tree as one`() throws {
        try record([60, 40, 90, 50, 70, 120, 30, 80])
        let whole = try batch(out: "ONE")
        #expect(whole.status == 0, "\(whole.errors)")
        let expected = try tree("ONE")
        #expect(expected.count == 32)

        let folder = scratch.path
        let state = Kills()
        let threads = (0..<2).map { index in
            let thread = Thread {
                var random = SeededGenerator(seed: UInt64(index))
                var isOver = false
                while !isOver {
                    let deadline = Date(timeIntervalSinceNow: .random(in: 0.1...0.6, using: &random))
                    let kills = state.mayKill()
                    let outcome = try? Program.run(
                        ["batch", "p.json", "--inputs", "rec/*.mp4", "--out", "TWO"], in: folder,
                        signalWhen: { kills && Date() > deadline ? SIGKILL : nil })
                    isOver = outcome?.status == 0
                    state.add(outcome?.status ?? -1)
                }
                state.done.signal()
            }
            thread.start()
            return thread
        }
        for _ in threads { state.done.wait() }
        #expect(state.statuses.contains(SIGKILL), "\(state.statuses)")
        #expect(state.statuses.allSatisfy { $0 == SIGKILL || $0 == 0 }, "\(state.statuses)")
        let found = try tree("TWO")
        #expect(found.keys.sorted() == expected.keys.sorted())
        for (name, bytes) in expected { #expect(found[name] == bytes, "\(name)") }
        // Every item was finished once.
        let log = try scratch.lines("TWO/.batch/log.jsonl").filter { $0.contains("\"event\":\"done\"") }
        #expect(log.count == 8)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: scratch.file("TWO/.batch/leases")).filter {
                !$0.hasPrefix(".clock")
            } == [])
    }

    /// The engines that the examples in deploy/ are for: those that are installed here.
    private static let engines = [
        ("slurm", Tool.find("sbatch") != nil), ("ray", imports("ray")), ("dask", imports("dask.distributed")),
    ].filter(\.1).map(\.0)

    private static func imports(_ module: String) -> Bool {
        (try? Tool.run(Tool.find("python3"), ["-c", "import \(module)"]).status) == 0
    }

    @Test(.timeLimit(.minutes(15)), .enabled(if: !engines.isEmpty, "none of Slurm, Ray and Dask is installed"))
    func `on a real engine, with processes killed, the tree is that of an undisturbed run`() throws {
        for engine in Self.engines {
            let result = try Tool.run(
                Tool.find("python3"),
                [
                    Program.root + "/scripts/test-batch", engine, "--vpipe", Program.path, "--clips", "12", "--kills",
                    "6",
                ])
            #expect(result.status == 0, "\(result.output)")
            #expect(result.output.contains("0 other than undisturbed; 12 items finished"), "\(result.output)")
        }
    }

    private final class Kills: @unchecked Sendable {
        let done = DispatchSemaphore(value: 0)
        private let lock = NSLock()
        private var list: [Int32] = []
        private var left = 10
        func add(_ status: Int32) { lock.withLock { list.append(status) } }
        func mayKill() -> Bool {
            lock.withLock {
                left -= 1
                return left >= 0
            }
        }
        var statuses: [Int32] { lock.withLock { list } }
    }

    @Test(.timeLimit(.minutes(15))) func `parts by hand share the work`() throws {
        try record([5, 5, 5, 5])
        let first = try batch("--shard", "1/2")
        #expect(first.output.contains("2 items: 2 made"), "\(first.output)")
        let second = try batch("--shard", "2/2")
        #expect(second.output.contains("2 items: 2 made"))
        let all = try batch()
        #expect(all.output.contains("4 items: 0 made, 4 done before"))
    }

    @Test(.timeLimit(.minutes(15))) func `what fails for every input alike ends the batch`() throws {
        try FileManager.default.createDirectory(atPath: scratch.file("rec"), withIntermediateDirectories: true)
        for index in 0..<8 {
            try Data("no video".utf8).write(to: URL(fileURLWithPath: scratch.file("rec/\(index).mp4")))
        }
        let outcome = try batch()
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("the first 5 inputs all failed alike: nodes.video: "), "\(outcome.errors)")
        #expect(outcome.output.contains("8 items: 0 made, 8 not made"), "\(outcome.output)")
    }

    @Test(.timeLimit(.minutes(15))) func `one input that fails again and again does not end the batch`() throws {
        try record([4, 5, 6, 7, 8])
        try Data(count: 1_000_000).write(to: URL(fileURLWithPath: scratch.file("rec/bad.mp4")))
        // Another machine holds the others, and shows no life.
        try FileManager.default.createDirectory(
            atPath: scratch.file("OUT/.batch/leases"), withIntermediateDirectories: true)
        for index in 0..<5 {
            let lease = "OUT/.batch/leases/" + BatchFolder.id("rec/\(index).mp4")
            try Data("elsewhere 1 1\n".utf8).write(to: URL(fileURLWithPath: scratch.file(lease)))
        }
        let outcome = try batch("--tries", "8", "--lease", "3s", "--jobs", "1")
        #expect(outcome.status == 1 && !outcome.errors.contains("failed alike"), "\(outcome.errors)")
        #expect(outcome.output.contains("6 items: 5 made, 1 failed"), "\(outcome.output)")
    }

    @Test(
        .timeLimit(.minutes(15)),
        arguments: [
            (["--inputs", "rec/*.avi", "--out", "OUT"], "--inputs \"rec/*.avi\": nothing there"),
            (["--out", "OUT"], "--inputs is missing"),
            (["--inputs", "p.json", "--out", "OUT", "--from", "1:x"], "--from must be a time such as 90, 1:30"),
            (["--inputs", "p.json", "--out", "OUT", "--from", "20", "--to", "0:10"], "--to must be after --from"),
            (["--inputs", "p.json", "--out", "OUT", "--shard", "auto"], "no scheduler has handed this process a part"),
            (["--inputs", "p.json", "--out", "p.json"], "--out "),
            (["--inputs", "p.json", "--out", "OUT", "--set", "small.sizes=1x1"], "\"scale\" has no such parameter"),
        ])
    func `mistakes are told before anything begins`(_ arguments: [String], _ message: String) throws {
        let outcome = try Program.run(["batch", "p.json"] + arguments, in: scratch.path)
        #expect(outcome.status == 2)
        #expect(outcome.errors.contains(message), "\(outcome.errors)")
        #expect(!FileManager.default.fileExists(atPath: scratch.file("OUT/.batch/manifest.jsonl")))
    }
}
