// SPDX-License-Identifier: Apache-2.0

/// What went wrong in an inference engine, where, and what the engine itself said.
public struct InferenceError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure, for programs to tell apart.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// The code's name.
        public let description: String

        /// The engine's shared library is not installed.
        public static let libraryMissing = Code(description: "libraryMissing")
        /// A library was found, but not one this build can use.
        public static let libraryUnsuitable = Code(description: "libraryUnsuitable")
        /// The bytes are not a model the engine can read.
        public static let invalidModel = Code(description: "invalidModel")
        /// A readable model with something vpipe does not run (dynamic shapes, unknown element types).
        public static let unsupportedModel = Code(description: "unsupportedModel")
        /// The engine could not prepare the model for this processor.
        public static let compileFailed = Code(description: "compileFailed")
        /// An inference failed while running.
        public static let inferenceFailed = Code(description: "inferenceFailed")
    }

    /// What kind of failure it is.
    public let code: Code
    /// The engine's function or the phase that failed.
    public let operation: String
    /// One or more sentences for people, with the engine's own words where it gave any.
    public let detail: String

    /// Makes an error from its kind, what failed, and why.
    public init(_ code: Code, operation: String, detail: String) {
        self.code = code
        self.operation = operation
        self.detail = detail
    }

    /// The operation and the detail, in one line.
    public var description: String { "\(operation): \(detail)" }
}
