// SPDX-License-Identifier: Apache-2.0
internal import COpenVINO
internal import Synchronization

/// Runs networks on the processor with OpenVINO; one per process.
///
/// - Note: Thread-safety: thread-safe. Different models compile at the same time; equal ones compile once.
public final class OpenVINOEngine: InferenceEngine, @unchecked Sendable {
    // Unchecked: the handle is set once and lives as long as the process; the library locks inside.
    /// For reports.
    public let name = "OpenVINO"
    /// The library's own version: `2026.4.1-...`.
    public let version: String
    /// What the processor can do in the library's words: `FP32`, `BF16`, `INT8`, ...
    public let capabilities: [String]
    /// The processor in the library's words.
    public let processor: String
    /// The shared library in use.
    public let libraryPath: String
    /// Whether compiled models can be kept on disk: false when the installation lacks the part that reads them back.
    public let cachesModels: Bool

    let functions: OpenVINOFunctions
    /// Where models of others are compiled first; nil where there is no program for it.
    private let trial: ModelTrial?
    private let core: OpaquePointer
    private let places = Mutex<[Key: Place]>([:])
    private let importing = Mutex<Void>(())
    private static let device = "CPU"
    #if arch(arm64)
        private static let architecture = "aarch64"
    #else
        private static let architecture = "x86_64"
    #endif

    private struct Key: Hashable {
        let hash: ContentHash
        let options: CompileOptions
    }

    /// A model that somebody has compiled or is compiling.
    private struct Place {
        let shelf = Shelf()
        /// Callers of `compile` that have not returned yet.
        var callers = 0
        var isNeeded: Bool { callers > 0 || shelf.state.withLock { $0.model != nil } }
    }

    /// Where users of equal models meet: the first compiles under the lock, the others find what it made.
    private final class Shelf: Sendable {
        struct State { weak var model: CompiledModel? }
        let state = Mutex(State())
    }

    /// Whether a model is kept in mind, for the tests.
    func remembers(_ hash: ContentHash) -> Bool { places.withLock { $0.keys.contains { $0.hash == hash } } }

    /// The engine of this process, opened on first use; the result of that attempt stays.
    /// - Throws: `libraryMissing` naming `make deps`, `libraryUnsuitable`.
    public static func shared() throws(InferenceError) -> OpenVINOEngine { try opened.get() }

    private static let opened: Result<OpenVINOEngine, InferenceError> = {
        do throws(InferenceError) {
            return .success(try OpenVINOEngine(library: OpenVINOLibrary(candidates: OpenVINOLibrary.candidates())))
        } catch {
            return .failure(error)
        }
    }()

    init(library: OpenVINOLibrary, trial: ModelTrial? = .installed) throws(InferenceError) {
        let functions = library.functions
        var core: OpaquePointer?
        try functions.check(functions.coreCreate(&core), "ov_core_create", .libraryUnsuitable)
        guard let core else {
            throw InferenceError(.libraryUnsuitable, operation: "ov_core_create", detail: "returned no core")
        }
        do {
            capabilities = try Self.property(core, functions, "OPTIMIZATION_CAPABILITIES")
                .split(separator: " ").map(String.init)
            processor = try Self.property(core, functions, "FULL_DEVICE_NAME")
        } catch {
            functions.coreFree(core)
            throw error
        }
        self.functions = functions
        self.trial = trial
        self.core = core
        version = library.version
        libraryPath = library.path
        cachesModels = library.readsCompiledModels
    }

    deinit { functions.coreFree(core) }

    /// Prepares `source`, or returns the model that is alive for equal bytes and options.
    ///
    /// - Throws: `invalidModel`, `unsupportedModel`, `compileFailed`.
    public func compile(_ source: ModelSource, options: CompileOptions) throws(InferenceError) -> CompiledModel {
        let key = Key(hash: source.hash, options: options)
        let shelf = places.withLock { places in
            // Models that nobody uses any more leave nothing behind.
            places = places.filter { $0.value.isNeeded }
            var place = places[key] ?? Place()
            place.callers += 1
            places[key] = place
            return place.shelf
        }
        defer { places.withLock { $0[key]?.callers -= 1 } }
        return try shelf.state.withLock { state throws(InferenceError) in
            if let model = state.model { return model }
            let model = try prepare(source, options)
            state.model = model
            return model
        }
    }

    // MARK: - Preparing

    private func prepare(_ source: ModelSource, _ options: CompileOptions) throws(InferenceError) -> CompiledModel {
        let start = ContinuousClock.now
        // The library makes its threads with the model.
        let made =
            Parallelism(options).lowersPriority
            ? LowerPriority.run { attempt(source, options) } : attempt(source, options)
        let (compiled, fromCache, problem) = try made.get()
        return CompiledModel(
            source: source, options: options, inputs: compiled.inputs, outputs: compiled.outputs,
            settings: settings(of: compiled, source, options),
            preparation: CompiledModel.Preparation(
                fromCache: fromCache, duration: ContinuousClock.now - start, cacheProblem: problem),
            driver: compiled)
    }

    private typealias Made = (OpenVINOModel, fromCache: Bool, problem: String?)

    private func attempt(_ source: ModelSource, _ options: CompileOptions) -> Result<Made, InferenceError> {
        do throws(InferenceError) { return .success(try compileThroughCache(source, options)) } catch {
            return .failure(error)
        }
    }

    /// Restores what an earlier run compiled, or compiles and keeps it for the next.
    ///
    /// Trouble with the cache is reported, never a reason to fail.
    private func compileThroughCache(
        _ source: ModelSource, _ options: CompileOptions
    ) throws(InferenceError) -> Made {
        // What is in the cache has been through it.
        if source.isForeign, let trial, !isCached(source, options) { try trial.run(source, options) }
        let opened: CacheEntry?
        do throws(CacheFiles.Failure) {
            opened = try entry(for: source, options)
        } catch {
            return (try compile(source, options), false, error.description)
        }
        guard let entry = opened else { return (try compile(source, options), false, nil) }
        if let blob = entry.load(), let restored = try? restore(blob, source, options) { return (restored, true, nil) }
        let compiled = try compile(source, options)
        do throws(CacheFiles.Failure) {
            try entry.store { path throws(CacheFiles.Failure) in
                do throws(InferenceError) {
                    try compiled.export(to: path)
                } catch {
                    throw CacheFiles.Failure("cannot write \(path): \(error.detail)")
                }
            }
            return (compiled, false, nil)
        } catch {
            return (compiled, false, error.description)
        }
    }

    private func isCached(_ source: ModelSource, _ options: CompileOptions) -> Bool {
        guard let opened = try? entry(for: source, options) else { return false }
        return opened.load() != nil
    }

    private func entry(
        for source: ModelSource, _ options: CompileOptions
    ) throws(CacheFiles.Failure) -> CacheEntry? {
        guard let root = try options.cacheRoot() else { return nil }
        guard cachesModels else {
            throw CacheFiles.Failure("this OpenVINO has no libopenvino_ir_frontend to read compiled models back with")
        }
        // A blob holds the weights again, as the processor wants them. The engine writes without looking at the disk.
        let needed = UInt64(source.bytes.count) * 3 + (16 << 20)
        let traits = capabilities + [processor, Self.architecture]
        let machine = ContentHash(of: Array(traits.joined(separator: " ").utf8))
        let name = options.cacheName(for: source.hash, engine: "\(version)-\(machine)")
        return try CacheEntry(directory: root + "/" + name, needed: needed)
    }

    func read(_ source: ModelSource) throws(InferenceError) -> OpaquePointer {
        guard !source.bytes.isEmpty else {
            throw InferenceError(.invalidModel, operation: "reading \(source.name)", detail: "the model is empty")
        }
        // The library also reads its own XML format; nothing here makes it, so what arrives as such is a mistake.
        guard source.bytes.first(where: { $0 > 0x20 }) != UInt8(ascii: "<") else {
            throw InferenceError(
                .invalidModel, operation: "reading \(source.name)", detail: "the file is XML, not ONNX")
        }
        var model: OpaquePointer?
        let status: ov_status_e =
            if let path = source.path {
                // Weights beside the model are found by its path alone.
                functions.readModelFile(core, path, nil, &model)
            } else {
                source.bytes.withUnsafeBytes { bytes in
                    functions.readModel(
                        core, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, nil, &model)
                }
            }
        try functions.check(status, "reading \(source.name)", .invalidModel)
        guard let model else {
            throw InferenceError(.invalidModel, operation: "reading \(source.name)", detail: "returned no model")
        }
        return model
    }

    private func compile(_ source: ModelSource, _ options: CompileOptions) throws(InferenceError) -> OpenVINOModel {
        let model = try read(source)
        defer { functions.modelFree(model) }
        try Self.reshape(model, source, functions)
        var compiled: OpaquePointer?
        let status = Self.withProperties(options.engineProperties) { pointer, count in
            functions.compileModel(core, model, Self.device, count, pointer, &compiled)
        }
        try functions.check(status, "compiling \(source.name)", .compileFailed)
        return try own(compiled, source, "compiling \(source.name)")
    }

    /// Makes a model of what `OpenVINOModel.export(to:)` wrote: neither the ONNX reader nor its copy of the network is
    /// loaded, which saves time and some 17 MB for M-LSD.
    private func restore(
        _ blob: MappedFile, _ source: ModelSource, _ options: CompileOptions
    ) throws(InferenceError) -> OpenVINOModel {
        // Importing takes its options from the device's own, which are the process's: nobody else may set them meanwhile.
        try importing.withLock { _ throws(InferenceError) in
            let operation = "restoring \(source.name)"
            let set = Self.withProperties(options.engineProperties) { pointer, count in
                functions.coreSetProperties(core, Self.device, count, pointer)
            }
            try functions.check(set, operation, .compileFailed)
            var compiled: OpaquePointer?
            let status = functions.importModel(
                core, blob.bytes.baseAddress?.assumingMemoryBound(to: CChar.self), blob.bytes.count, Self.device,
                &compiled)
            try functions.check(status, operation, .compileFailed)
            // By now the library has the weights packed as the processor wants them, but for some.
            defer { blob.putAside() }
            return try own(compiled, source, operation, weights: blob)
        }
    }

    private func own(
        _ compiled: OpaquePointer?, _ source: ModelSource, _ operation: String, weights: MappedFile? = nil
    ) throws(InferenceError) -> OpenVINOModel {
        guard let compiled else {
            throw InferenceError(.compileFailed, operation: operation, detail: "returned no model")
        }
        return try OpenVINOModel(
            owning: compiled, named: operation, header: try? ONNXHeader(source.bytes), functions: functions,
            weights: weights)
    }

    // MARK: - Properties

    /// What the library says it uses.
    ///
    /// It falls back to f32 where a processor lacks bf16. A model with quantise/dequantise pairs computes in int8 whatever was
    /// asked for, one without never does.
    private func settings(
        of model: OpenVINOModel, _ source: ModelSource, _ options: CompileOptions
    ) -> CompiledModel.Settings {
        let parallelism = Parallelism(options)
        let float = model.property("INFERENCE_PRECISION_HINT") ?? "unknown"
        let precision: Precision =
            if source.isQuantised, capabilities.contains("INT8") { .int8 } else { float == "bf16" ? .bf16 : .f32 }
        let streams = model.property("NUM_STREAMS").flatMap { Int($0) } ?? parallelism.streams
        return CompiledModel.Settings(
            precision: precision, engineFloat: float, streams: streams,
            threads: model.property("INFERENCE_NUM_THREADS").flatMap { Int($0) } ?? parallelism.threads,
            optimalRequests: max(1, model.property("OPTIMAL_NUMBER_OF_INFER_REQUESTS").flatMap { Int($0) } ?? streams))
    }

    private static func property(
        _ core: OpaquePointer, _ functions: OpenVINOFunctions, _ key: String
    ) throws(InferenceError) -> String {
        var value: UnsafeMutablePointer<CChar>?
        try functions.check(functions.coreGetProperty(core, device, key, &value), "reading \(key)", .libraryUnsuitable)
        return functions.takeString(value) ?? ""
    }

    /// Lends C copies of keys and values for the time of one call.
    private static func withProperties(
        _ properties: [(key: String, value: String)], _ body: (UnsafePointer<ov_property_t>?, Int) -> ov_status_e
    ) -> ov_status_e {
        let texts = properties.map { (key: Array($0.key.utf8CString), value: Array($0.value.utf8CString)) }
        func lend(_ index: Int, _ list: [ov_property_t]) -> ov_status_e {
            guard index < texts.count else {
                return list.withUnsafeBufferPointer { body($0.baseAddress, $0.count) }
            }
            return texts[index].key.withUnsafeBufferPointer { key in
                texts[index].value.withUnsafeBufferPointer { value in
                    lend(index + 1, list + [ov_property_t(key: key.baseAddress, value: value.baseAddress)])
                }
            }
        }
        return lend(0, [])
    }
}

extension CompileOptions {
    /// These options in the library's words.
    ///
    /// `PERFORMANCE_HINT` stays unset: it would override streams and threads. The precision is always given: the
    /// library's own default is bf16 where the processor has it.
    fileprivate var engineProperties: [(key: String, value: String)] {
        let parallelism = Parallelism(self)
        return [
            ("INFERENCE_PRECISION_HINT", precision == .bf16 ? "bf16" : "f32"),
            ("NUM_STREAMS", String(parallelism.streams)),
            ("INFERENCE_NUM_THREADS", String(parallelism.threads)),
            // Two models in one process would share the cores they are bound to.
            ("ENABLE_CPU_PINNING", "NO"),
        ]
    }
}
