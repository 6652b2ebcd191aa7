// SPDX-License-Identifier: Apache-2.0

/// How the library lays out its threads: streams, each of which runs one inference at a time.
struct Parallelism: Sendable, Hashable {
    /// Inferences that run at the same time.
    let streams: Int
    /// Threads of all streams together.
    let threads: Int
    /// Whether the threads run at a lower priority than the process's others.
    ///
    /// Encoding is one thread's work and the network's is that of several: an encoder that gets only its even share falls
    /// behind for some frames, and then the cores wait for it.
    let lowersPriority: Bool

    /// The layout for a goal.
    ///
    /// - throughput: as many one-thread streams as cores. They reach the throughput of one wide stream on an idle machine
    ///   and lose less beside other work, because no layer waits for a thread that was descheduled.
    /// - latency: streams of two threads, whose answer comes in half the time. Wider streams wait at each layer for the
    ///   thread that other work has displaced.
    /// - single: one stream that uses every core.
    init(_ options: CompileOptions) {
        threads = options.cores
        streams =
            switch options.goal {
            case .throughput: options.cores
            case .latency: max(1, options.cores / 2)
            case .single: 1
            }
        lowersPriority = options.goal == .throughput
    }
}
