// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// A folder that lives as long as a test.
public final class Scratch: Sendable {
    /// Its path.
    public let folder: String

    /// Makes it.
    public init() throws {
        folder = NSTemporaryDirectory() + "/vpipe-test-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// The path of a file in it.
    public func path(_ name: String) -> String { folder + "/" + name }
}
