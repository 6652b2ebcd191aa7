// SPDX-License-Identifier: Apache-2.0

/// What went wrong while building a network, reading weights or importing a model file.
///
/// - Note: Thread-safety: a plain value.
public struct NetworkError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of failure, for programs; `description` is for people.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// The code's name.
        public let description: String

        /// A layer received a shape it cannot take.
        public static let shape = Code(description: "shape")
        /// The network cannot be built at the requested input size.
        public static let size = Code(description: "size")
        /// No architecture of that name or variant is known.
        public static let unknown = Code(description: "unknown")
        /// The weights do not fit the network.
        public static let weights = Code(description: "weights")
        /// A model file is damaged or is not what it claims to be.
        public static let format = Code(description: "format")
        /// A model file is sound but uses something that is not read here.
        public static let unsupported = Code(description: "unsupported")
        /// A file could not be read or written.
        public static let file = Code(description: "file")
    }

    /// The kind of failure.
    public let code: Code
    /// The layer path, tensor name or file the failure belongs to.
    public let path: String?
    /// What is wrong, in words, without the path.
    public let detail: String

    /// An error about a layer, tensor or file, where one is to blame.
    public init(_ code: Code, path: String? = nil, _ detail: String) {
        self.code = code
        self.path = path
        self.detail = detail
    }

    /// The path and the detail.
    public var description: String {
        guard let path else { return detail }
        return "\(path): \(detail)"
    }
}

/// A shape as people read it: `1x3x512x512`.
func dimensions(_ shape: [Int]) -> String {
    shape.isEmpty ? "scalar" : shape.map(String.init).joined(separator: "x")
}

/// The product of a shape's extents, or nil when one is negative or the product overflows.
func elementCount(_ shape: [Int]) -> Int? {
    var count = 1
    for extent in shape {
        guard extent >= 0 else { return nil }
        let (product, overflow) = count.multipliedReportingOverflow(by: extent)
        guard !overflow else { return nil }
        count = product
    }
    return count
}
