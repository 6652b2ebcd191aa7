// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// A folder that lives as long as its owner.
public final class Scratch: Sendable {
    /// Its path.
    public let path: String

    /// Makes it.
    public init() throws {
        path = NSTemporaryDirectory() + "/vpipe-test-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The path of a file in it.
    public func file(_ name: String) -> String { path + "/" + name }

    /// The lines of a text file in it, empty ones left out.
    public func lines(_ name: String) throws -> [String] {
        try String(contentsOfFile: file(name), encoding: .utf8).split(separator: "\n").map(String.init)
    }

    /// The lines of a record that are of frames: all but those that describe the run.
    public func records(_ name: String) throws -> [String] {
        try lines(name).filter { !$0.hasPrefix("{\"vpipe\":") }
    }
}

/// The package's root folder.
public let packageRoot = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path
