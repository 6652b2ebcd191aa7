// SPDX-License-Identifier: Apache-2.0
import Foundation
import Networks
import TestSupport
import Testing

@testable import Inference

@Suite("Cache of compiled models", .timeLimit(.minutes(15)))
struct CacheTests {
    /// Whether this installation can read compiled models back.
    static let works = (try? OpenVINOEngine.shared().cachesModels) ?? false
    static let reason: Comment = "this OpenVINO lacks libopenvino_ir_frontend"

    let engine: OpenVINOEngine
    let folder: TemporaryFolder

    init() throws {
        engine = try OpenVINOEngine.shared()
        folder = try TemporaryFolder()
    }

    private var options: CompileOptions { TestModels.options(cache: .directory(folder.path)) }

    /// Compiles, runs once and lets go of the model, so that the next compilation starts from the disk.
    private func compileAndRun(
        _ source: ModelSource, _ options: CompileOptions
    ) throws -> (preparation: CompiledModel.Preparation, outputs: [Float]) {
        let model = try engine.compile(source, options: options)
        let request = try model.makeRequest()
        TestModels.fill(request, seed: 9)
        try request.run()
        return (model.preparation, TestModels.outputs(of: request))
    }

    @Test(
        "The second start reads what the first compiled, and gives the same numbers", .enabled(if: works, reason),
        arguments: [Precision.f32, .bf16])
    func coldAndWarm(precision: Precision) throws {
        let source = try TestModels.face(seed: 40, width: 320, height: 240)
        let options = TestModels.options(.throughput, cores: 2, precision: precision, cache: .directory(folder.path))
        let cold = try compileAndRun(source, options)
        let warm = try compileAndRun(source, options)
        print(
            "\(source.name) \(precision): compiled in \(cold.preparation.duration), from the cache in \(warm.preparation.duration)"
        )
        #expect(!cold.preparation.fromCache && cold.preparation.cacheProblem == nil)
        #expect(warm.preparation.fromCache && warm.preparation.cacheProblem == nil)
        #expect(warm.outputs == cold.outputs)
        #expect(folder.files(ending: ".blob").count == 1)
    }

    @Test(
        "Other options and other contents have other places; without a cache nothing is written",
        .enabled(if: works, reason))
    func places() throws {
        _ = try compileAndRun(TestModels.face(seed: 41), TestModels.options(cache: .off))
        #expect(folder.files(ending: "").isEmpty)
        _ = try compileAndRun(TestModels.face(seed: 41), options)
        #expect(try !compileAndRun(TestModels.face(seed: 42), options).preparation.fromCache)
        var wide = options
        wide.cores = 2
        #expect(try !compileAndRun(TestModels.face(seed: 41), wide).preparation.fromCache)
        #expect(folder.files(ending: ".blob").count == 3)
        #expect(folder.files(ending: "/seal").count == 3)
        #expect(try compileAndRun(TestModels.face(seed: 41), options).preparation.fromCache)
    }

    @Test(
        "Models restored at the same time keep the options that each was compiled with", .enabled(if: works, reason))
    func optionsOfRestored() async throws {
        let source = try TestModels.face(seed: 47)
        let (engine, path) = (engine, folder.path)
        let wishes = [(CompileOptions.Goal.single, 1), (.single, 2), (.throughput, 2)].map { goal, cores in
            TestModels.options(goal, cores: cores, cache: .directory(path))
        }
        let cold = try wishes.map { try compileAndRun(source, $0).outputs }
        #expect(cold.allSatisfy { $0 == cold[0] })
        for _ in 0..<5 {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for options in wishes {
                    group.addTask {
                        let model = try engine.compile(source, options: options)
                        #expect(model.preparation.fromCache)
                        #expect(model.settings.streams == Parallelism(options).streams)
                        #expect(model.settings.threads == options.cores)
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    enum Damage: CaseIterable { case empty, half, flipped, appended, noSeal, garbageSeal }

    @Test(
        "A damaged entry is compiled anew and mended", .enabled(if: works, reason),
        arguments: Damage.allCases)
    func damage(kind: Damage) throws {
        let source = try TestModels.face(seed: 43)
        let cold = try compileAndRun(source, options)
        let blob = URL(fileURLWithPath: try #require(folder.files(ending: ".blob").first))
        let seal = URL(fileURLWithPath: try #require(folder.files(ending: "/seal").first))
        var bytes = try Data(contentsOf: blob)
        switch kind {
        case .empty: bytes = Data()
        case .half: bytes = bytes.prefix(bytes.count / 2)
        case .flipped: bytes[bytes.count / 2] ^= 0x10
        case .appended: bytes.append(0)
        case .noSeal: try FileManager.default.removeItem(at: seal)
        case .garbageSeal: try Data([0xFF, 0x00, 0x0A, 0x80]).write(to: seal)
        }
        try bytes.write(to: blob)
        let mended = try compileAndRun(source, options)
        #expect(!mended.preparation.fromCache && mended.preparation.cacheProblem == nil)
        #expect(mended.outputs == cold.outputs)
        let warm = try compileAndRun(source, options)
        #expect(warm.preparation.fromCache)
        #expect(warm.outputs == cold.outputs)
    }

    @Test(
        "A blob that a full disk cut short before it was sealed is compiled anew", .enabled(if: works, reason),
        arguments: [1, 100, 5_000, -1_000])
    func cutShort(kept: Int) throws {
        let source = try TestModels.face(seed: 48)
        let cold = try compileAndRun(source, options)
        let blob = URL(fileURLWithPath: try #require(folder.files(ending: ".blob").first))
        let whole = try Data(contentsOf: blob)
        let part = whole.prefix(kept > 0 ? kept : whole.count + kept)
        do {
            let entry = try CacheEntry(directory: blob.deletingLastPathComponent().path, needed: 0)
            try entry.store { path throws(CacheFiles.Failure) in try CacheFiles.replace(path, with: Array(part)) }
            #expect(entry.load()?.bytes.count == part.count)
        }
        let mended = try compileAndRun(source, options)
        #expect(!mended.preparation.fromCache && mended.preparation.cacheProblem == nil)
        #expect(mended.outputs == cold.outputs)
        #expect(try compileAndRun(source, options).preparation.fromCache)
    }

    @Test("A cache that cannot be written is reported and otherwise does no harm")
    func unwritable() throws {
        let file = folder.path + "/file"
        try "in the way".write(toFile: file, atomically: true, encoding: .utf8)
        let reference = try compileAndRun(TestModels.face(seed: 44), TestModels.options())
        for path in [file, file + "/below", "/proc/vpipe", "", "/" + String(repeating: "x", count: 5000)] {
            let result = try compileAndRun(
                TestModels.face(seed: 44), TestModels.options(cache: .directory(path)))
            #expect(result.preparation.cacheProblem != nil, "\(path)")
            #expect(!result.preparation.fromCache)
            #expect(result.outputs == reference.outputs)
        }
    }

    @Test(
        "Two processes that start at once both run, and one of them used what the other compiled",
        .enabled(if: works, reason))
    func twoProcesses() async throws {
        let path = folder.path
        async let first: Void = Self.process(number: 1, path)
        async let second: Void = Self.process(number: 2, path)
        _ = await (first, second)
        let reports = try [1, 2].map { try String(contentsOfFile: "\(path)/report-\($0)", encoding: .utf8) }
        let outputs = try [1, 2].map { try Data(contentsOf: URL(fileURLWithPath: "\(path)/output-\($0)")) }
        #expect(reports.sorted() == ["cached", "compiled"])
        #expect(outputs[0] == outputs[1] && !outputs[0].isEmpty)
        #expect(folder.files(ending: ".blob").count == 1)
    }

    private static func process(number: Int, _ path: String) async {
        await #expect(processExitsWith: .success) { [number, path] in
            let model = try OpenVINOEngine.shared().compile(
                TestModels.face(seed: 45, width: 160, height: 120),
                options: TestModels.options(cache: .directory(path + "/cache")))
            let request = try model.makeRequest()
            TestModels.fill(request, seed: 1)
            try request.run()
            let outputs = TestModels.outputs(of: request)
            try outputs.withUnsafeBytes { Data($0) }.write(to: URL(fileURLWithPath: "\(path)/output-\(number)"))
            let report = model.preparation.cacheProblem ?? (model.preparation.fromCache ? "cached" : "compiled")
            try report.write(toFile: "\(path)/report-\(number)", atomically: true, encoding: .utf8)
        }
    }

    @Test(
        "Threads that compile different models into one cache do not disturb each other",
        .enabled(if: works, reason))
    func threads() async throws {
        let (engine, options) = (engine, options)
        let found = try await withThrowingTaskGroup(of: Bool.self) { group in
            for seed in 50..<54 {
                group.addTask {
                    let model = try engine.compile(TestModels.face(seed: UInt64(seed)), options: options)
                    try model.makeRequest().run()
                    return model.preparation.cacheProblem == nil && !model.preparation.fromCache
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(found == [true, true, true, true])
        #expect(folder.files(ending: ".blob").count == 4)
    }

    @Test(
        "An installation that cannot read compiled models says so and stores none",
        .enabled(if: !works, "the cache works"))
    func withoutReader() throws {
        let result = try compileAndRun(TestModels.face(seed: 46), options)
        #expect(result.preparation.cacheProblem?.contains("libopenvino_ir_frontend") == true)
        #expect(folder.files(ending: "").isEmpty)
    }

    @Test("An entry that another holds for too long is given up, one that is let go is taken")
    func lock() throws {
        let place = folder.path + "/entry"
        do {
            let held = try CacheEntry(directory: place, needed: 0)
            #expect(throws: CacheFiles.Failure.self) {
                _ = try CacheEntry(directory: place, needed: 0, patience: .milliseconds(30))
            }
            #expect(held.directory == place)
        }
        let free = try CacheEntry(directory: place, needed: 0, patience: .milliseconds(30))
        #expect(free.directory == place)
        #expect(throws: CacheFiles.Failure.self) {
            _ = try CacheEntry(directory: folder.path + "/full", needed: UInt64.max)
        }
    }

    @Test("The standard place follows the XDG rules")
    func standardPlace() throws {
        let standard = TestModels.options(cache: .standard)
        func root(_ variables: [String: String]) throws -> String? {
            try standard.cacheRoot(environment: { variables[$0] })
        }
        #expect(try root(["XDG_CACHE_HOME": "/x", "HOME": "/home/a"]) == "/x/vpipe/models")
        #expect(try root(["HOME": "/home/a"]) == "/home/a/.cache/vpipe/models")
        #expect(try root(["XDG_CACHE_HOME": "relative", "HOME": "/home/a"]) == "/home/a/.cache/vpipe/models")
        #expect(throws: CacheFiles.Failure.self) { try root([:]) }
        #expect(try TestModels.options(cache: .off).cacheRoot() == nil)
        let hash = ContentHash(of: Array("abc".utf8))
        #expect(standard.cacheName(for: hash, engine: "2026.4.1-9-a/b") == "2026.4.1-9-a-b/\(hash)-f32-1x1")
    }

    @Test("One changed bit, one more zero or another length is another hash", arguments: [0, 1, 7, 8, 9, 64, 200])
    func contentHash(count: Int) {
        var random = SeededGenerator(seed: UInt64(count))
        let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
        var seen: Set<ContentHash> = [ContentHash(of: bytes), ContentHash(of: bytes + [0])]
        for bit in 0..<(count * 8) {
            var changed = bytes
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            seen.insert(ContentHash(of: changed))
        }
        #expect(seen.count == 2 + count * 8)
        #expect(ContentHash(of: bytes).description.count == 32)
    }
}
