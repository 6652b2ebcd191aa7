// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Glibc

/// What a model from outside first meets: a process of its own that reads, compiles and runs it once, with limits.
///
/// The engine trusts its input. A file that crashes it, fills the memory or never ends takes this process along and nothing
/// else; what came through is in the cache of compiled networks, which is all that the caller's process reads.
///
/// ```
///  caller --socket: the bytes--> vpipe model-trial NAME GOAL CORES PRECISION CACHE PATH SHAPES...
///         <--a greeting, then "ok" or what was wrong--   processor time, memory, files: limited by itself before it reads
/// ```
/// - Note: Thread-safety: a value. Blocks for as long as compiling takes.
public struct ModelTrial: Sendable {
    /// The first argument of the process.
    public static let argument = "model-trial"
    /// What it says first, so that another program of its name is not taken for it.
    static let greeting = "vpipe model-trial 1"

    /// The program that is run, which calls `serve` where it is given `argument`.
    let program: String

    /// Runs trials in `program`.
    public init(program: String) { self.program = program }

    /// The trial of an installed vpipe: this program, the one beside it, or one of the system's; nil where there is none.
    static let installed: ModelTrial? = {
        guard let own = Folders.executable else { return nil }
        var candidates = own.hasSuffix("/vpipe") ? [own] : []
        if let slash = own.lastIndex(of: "/") { candidates.append(own[..<slash] + "/vpipe") }
        candidates += ["/usr/local/bin/vpipe", "/usr/bin/vpipe"]
        return candidates.first { access($0, X_OK) == 0 }.map { ModelTrial(program: $0) }
    }()

    /// What a trial may use: seconds of processor time, and bytes of memory.
    struct Limits: Equatable {
        let seconds: UInt64
        let bytes: UInt64

        /// Enough for an ordinary network of `count` bytes, several times over.
        init(modelBytes count: Int) {
            seconds = 8 + UInt64(count >> 20) * 4
            bytes = (3 << 30) + UInt64(count) * 12
        }
    }

    /// Puts a model to the trial.
    ///
    /// - Throws: what the engine said, or how it ended the process.
    func run(_ source: ModelSource, _ options: CompileOptions) throws(InferenceError) {
        let limits = Limits(modelBytes: source.totalBytes)
        let cache =
            switch options.cache {
            case .standard: "standard"
            case .off: "off"
            case .directory(let path): "=" + path
            }
        let shapes = source.inputShapes.sorted { $0.key < $1.key }.map { name, shape in
            shape.map(String.init).joined(separator: ",") + "=" + name
        }
        let arguments =
            [
                program, Self.argument, source.name, options.goal.rawValue, String(options.cores),
                options.precision.rawValue, cache, source.path ?? "", source.external?.description ?? "",
                String(limits.seconds), String(limits.bytes),
            ] + shapes
        // What the machine's other programs take does not count, but nothing waits for ever.
        let ended = TrialProcess.run(arguments, input: source.bytes, seconds: Double(limits.seconds * 6))
        try judge(ended, source, limits)
    }

    private func judge(_ ended: TrialProcess.Ending, _ source: ModelSource, _ limits: Limits) throws(InferenceError) {
        let fault: (InferenceError.Code, String)
        switch ended {
        case .said(let text):
            let lines = text.split(separator: "\n").map(String.init)
            // A program of that name that is another, or an older one, is no trial.
            guard lines.first == Self.greeting, lines.count == 2, lines[1] != "ok" else { return }
            let parts = lines[1].split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 3 else { return }
            if parts[2].contains("bad_alloc") {
                throw InferenceError(
                    .unsupportedModel, operation: "trying \(source.name)",
                    detail: "preparing it takes more than \(limits.bytes >> 30) GB of memory, too much for its size")
            }
            let codes: [InferenceError.Code] = [.invalidModel, .unsupportedModel, .compileFailed, .inferenceFailed]
            throw InferenceError(
                codes.first { $0.description == parts[0] } ?? .compileFailed, operation: parts[1], detail: parts[2])
        case .overdue, .signal(SIGXCPU, _):
            fault = (
                .unsupportedModel,
                "preparing it takes more than \(limits.seconds) s of processor time, which is too much for a file of its size"
            )
        case .signal(_, let said) where said != Self.greeting: return
        case .signal(SIGKILL, _):
            fault = (.unsupportedModel, "preparing it takes more memory than there is")
        case .signal(let number, _):
            let name = [SIGSEGV: "SIGSEGV", SIGFPE: "SIGFPE", SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGILL: "SIGILL"]
            fault = (
                .invalidModel,
                "the engine crashes on this file (\(name[number] ?? "signal \(number)")), which is damaged or made to do harm"
            )
        // Nobody to try it: as before there was a trial.
        case .silent, .notStarted: return
        }
        throw InferenceError(fault.0, operation: "trying \(source.name)", detail: fault.1)
    }
}
