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

/// How a model is prepared: arithmetic, what its speed is for, and where compiled code is kept.
///
/// It says what is wanted; how threads are laid out for it is the engine's business.
public struct CompileOptions: Sendable, Hashable {
    /// What an inference is to be fast for.
    public enum Goal: String, Sendable, Hashable, CaseIterable {
        /// Frames per second, with several inferences in flight and decoding and encoding beside them.
        case throughput
        /// Frames that come one by one, of which a few are in flight: an early answer, and all of them in time.
        case latency
        /// One frame at a time: the earliest answer that all cores together can give.
        case single
    }

    /// Where compiled models are kept between runs.
    public enum Cache: Sendable, Hashable {
        /// `$XDG_CACHE_HOME/vpipe/models` or `~/.cache/vpipe/models`.
        case standard
        case directory(String)
        case off
    }

    /// What the speed is for.
    public var goal: Goal
    /// Processor cores to count on.
    public var cores: Int
    /// The arithmetic to use; int8 needs a model with quantise/dequantise pairs.
    public var precision: Precision
    /// Where compiled code is kept.
    public var cache: Cache

    /// Fewer than one core count as one.
    public init(_ goal: Goal, cores: Int, precision: Precision, cache: Cache = .standard) {
        self.goal = goal
        self.cores = max(1, cores)
        self.precision = precision
        self.cache = cache
    }
}
