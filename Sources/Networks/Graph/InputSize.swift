// SPDX-License-Identifier: Apache-2.0

/// The size of a network's input image.
///
/// - Note: Units: pixels of the network's input.
public struct InputSize: Sendable, Hashable, CustomStringConvertible {
    /// Columns.
    public var width: Int
    /// Rows.
    public var height: Int

    /// A size in pixels, unchecked until a network is built.
    public init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }

    /// Reads `512x512` (width first); nil when the text is anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: "x", omittingEmptySubsequences: false)
        guard parts.count == 2, let width = Int(parts[0]), let height = Int(parts[1]), width > 0, height > 0 else {
            return nil
        }
        self.init(width: width, height: height)
    }

    /// Width first: `640x480`.
    public var description: String { "\(width)x\(height)" }
}

/// Which input sizes an architecture can be built at.
public struct SizeRule: Sendable, Hashable, CustomStringConvertible {
    /// Width and height must be multiples of this.
    public let multiple: Int
    /// Smallest width and height.
    public let minimum: Int
    /// Largest width and height.
    public let maximum: Int

    /// A rule for both axes.
    public init(multiple: Int, minimum: Int, maximum: Int) {
        self.multiple = multiple
        self.minimum = minimum
        self.maximum = maximum
    }

    /// The rule in words, for width and height: `multiples of 16 from 32 to 4096`.
    public var description: String {
        (multiple > 1 ? "multiples of \(multiple) " : "") + "from \(minimum) to \(maximum)"
    }

    /// Whether the rule accepts a size.
    public func allows(_ size: InputSize) -> Bool {
        [size.width, size.height].allSatisfy { $0 >= minimum && $0 <= maximum && $0 % multiple == 0 }
    }

    /// The allowed sizes around a refused one: the next smaller, then the next larger.
    public func nearest(to size: InputSize) -> [InputSize] {
        func floor(_ extent: Int) -> Int {
            let clamped = min(max(extent, minimum), maximum)
            return max(clamped / multiple * multiple, (minimum + multiple - 1) / multiple * multiple)
        }
        func ceiling(_ extent: Int) -> Int {
            let lower = floor(extent)
            return lower >= extent || lower + multiple > maximum ? lower : lower + multiple
        }
        let smaller = InputSize(width: floor(size.width), height: floor(size.height))
        let larger = InputSize(width: ceiling(size.width), height: ceiling(size.height))
        return smaller == larger ? [smaller] : [smaller, larger]
    }

    /// Refuses a size that the rule does not allow and names the nearest ones that it does.
    ///
    /// - Throws: `NetworkError.Code.size`.
    public func check(_ size: InputSize, for network: String) throws(NetworkError) {
        guard !allows(size) else { return }
        let choices = nearest(to: size).map(\.description).joined(separator: " or ")
        throw NetworkError(
            .size, path: network,
            "input size \(size) is not possible: width and height must be \(self); nearest: \(choices)")
    }
}
