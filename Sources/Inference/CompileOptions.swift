// SPDX-License-Identifier: Apache-2.0

/// The arithmetic an engine is told to use; never left to the engine's own choice.
public enum Precision: String, Sendable, Hashable, CaseIterable, Codable {
    /// 32-bit floating point throughout.
    case f32
    /// bfloat16 for convolutions and matrix products, on processors that have it.
    case bf16
    /// 8-bit integers where the model carries quantise/dequantise pairs, 32-bit floating point elsewhere.
    case int8
}

/// How a model is prepared: arithmetic, parallelism, and where compiled code is kept.
public struct CompileOptions: Sendable, Hashable {
    /// Where compiled models are kept between runs.
    public enum Cache: Sendable, Hashable {
        /// `$XDG_CACHE_HOME/vpipe/models` or `~/.cache/vpipe/models`.
        case standard
        case directory(String)
        case off
    }

    /// The arithmetic to use; int8 needs a model with quantise/dequantise pairs.
    public var precision: Precision
    /// Inferences that run at the same time inside the engine.
    public var streams: Int
    /// Threads shared by all streams.
    public var threads: Int
    /// Binds threads to cores.
    ///
    /// Off by default: two models in one process would share one core.
    public var pinsThreads: Bool
    /// Whether the engine's threads let the process's others go first when cores are fought for.
    ///
    /// Encoding is one thread's work and the network's is that of several: an encoder that gets only its even share falls
    /// behind for some frames, and then the cores wait for it.
    public var standsBack = false
    /// Where compiled code is kept.
    public var cache: Cache

    /// Streams and threads below 1 count as 1.
    public init(
        precision: Precision, streams: Int, threads: Int, pinsThreads: Bool = false, cache: Cache = .standard
    ) {
        self.precision = precision
        self.streams = max(1, streams)
        self.threads = max(1, threads)
        self.pinsThreads = pinsThreads
        self.cache = cache
    }

    /// For a pipeline that wants frames per second: as many one-thread streams as cores.
    ///
    /// One-thread streams reach the throughput of one wide stream on an idle machine and lose less beside other
    /// work (decoding, encoding), because no layer waits for a thread that was descheduled. They stand back behind that work.
    public static func automatic(cores: Int, precision: Precision, cache: Cache = .standard) -> CompileOptions {
        var options = CompileOptions(precision: precision, streams: cores, threads: cores, cache: cache)
        options.standsBack = true
        return options
    }

    /// For live sources, whose frames come one by one: streams of two threads.
    ///
    /// An answer comes in half the time of a one-thread stream. Wider streams wait at each layer for the thread that
    /// other work has displaced.
    public static func live(cores: Int, precision: Precision, cache: Cache = .standard) -> CompileOptions {
        CompileOptions(precision: precision, streams: cores / 2, threads: cores, cache: cache)
    }

    /// For one source that wants its answer soon: one stream that uses every core.
    public static func lowLatency(cores: Int, precision: Precision, cache: Cache = .standard) -> CompileOptions {
        CompileOptions(precision: precision, streams: 1, threads: cores, cache: cache)
    }
}
