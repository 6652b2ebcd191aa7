// SPDX-License-Identifier: Apache-2.0

/// Why a detector could not be made.
public struct VisionError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure, for programs to tell apart.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// The code's own name.
        public let description: String

        /// The model's inputs are not what pre-processing makes.
        public static let input = Code(description: "input")
        /// The model's outputs are not what the decoder reads.
        public static let outputs = Code(description: "outputs")
        /// The architecture is not one this detector decodes.
        public static let architecture = Code(description: "architecture")
    }

    /// What kind of failure it is.
    public let code: Code
    /// One sentence for people.
    public let detail: String

    /// Makes an error.
    public init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    /// The detail alone: it is a whole sentence.
    public var description: String { detail }
}
