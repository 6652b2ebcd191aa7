// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import PipelineLanguage

/// Asks a running pipeline over its control socket.
package struct ControlClient: Sendable {
    /// What it answers.
    package struct Answer: Sendable {
        /// Whether it was done.
        package let isDone: Bool
        /// In words, for people.
        package let text: String
        /// For programs, one line of JSON.
        package let json: String
        /// A picture or a trace, where that was asked for.
        package let bytes: [UInt8]
    }

    /// The most bytes that are taken of an answer.
    private static let limit = 1 << 28

    private let path: String

    /// Asks at a path.
    package init(path: String) { self.path = path }

    /// The sockets of the pipelines that run, by name.
    package static var running: [String] {
        guard let folder = opendir(ControlSocket.folder) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name.hasSuffix(".sock") else { continue }
            guard let socket = ControlSocket.connected(to: ControlSocket.folder + "/" + name) else { continue }
            close(socket)
            names.append(String(name.dropLast(5)))
        }
        return names.sorted()
    }

    /// Sends a command and waits for the answer.
    ///
    /// - Throws: `ControlError` when nobody answers.
    package func ask(_ command: String) throws(ControlError) -> Answer {
        guard let socket = ControlSocket.connected(to: path) else {
            throw ControlError(path: path, text: "no pipeline answers there; start it with --control")
        }
        defer { close(socket) }
        ControlSocket.limit(socket, seconds: 30)
        ControlSocket.send(Array((command + "\n").utf8), to: socket)
        guard let head = ControlSocket.line(from: socket, limit: 1 << 20), let root = JSONTree(bytes: head).root,
            let isDone = root["ok"]?.boolean, let count = root["bytes"]?.number.flatMap({ Int(exactly: $0) }),
            (0...Self.limit).contains(count)
        else { throw ControlError(path: path, text: "the pipeline gave no answer") }
        var bytes = [UInt8](repeating: 0, count: count)
        var got = 0
        while got < count {
            let more = bytes.withUnsafeMutableBytes { recv(socket, $0.baseAddress.map { $0 + got }, count - got, 0) }
            if more < 0, errno == EINTR { continue }
            guard more > 0 else { throw ControlError(path: path, text: "the answer is cut short") }
            got += more
        }
        return Answer(
            isDone: isDone, text: root["text"]?.string ?? "", json: String(decoding: head, as: UTF8.self), bytes: bytes)
    }
}
