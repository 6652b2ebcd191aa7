// SPDX-License-Identifier: Apache-2.0

/// Why a detector could not be made.
public struct VisionError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure, for programs to tell apart.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        public let description: String

        /// The model's inputs are not what pre-processing makes.
        public static let input = Code(description: "input")
        /// The model's outputs are not what the decoder reads.
        public static let outputs = Code(description: "outputs")
        /// The architecture is not one this detector decodes.
        public static let architecture = Code(description: "architecture")
    }

    public let code: Code
    /// One sentence for people.
    public let detail: String

    public init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    public var description: String { detail }
}
