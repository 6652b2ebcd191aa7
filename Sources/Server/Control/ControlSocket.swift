// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Glibc

/// A Unix socket by which a running pipeline is asked and told things, and the way to it.
///
///     client: one line, the command      server: {"ok":true,"text":"..","bytes":n} and n bytes, then the end
package enum ControlSocket {
    /// The longest command, in bytes.
    static let limit = 4096

    /// Where the socket of a pipeline lies: in the user's own folder of the session, or one in /tmp that only the user enters.
    package static func path(of name: String) -> String {
        let safe = String(name.map { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" || $0 == "." ? $0 : "_" })
        return folder + "/" + (safe.isEmpty ? "pipeline" : safe) + ".sock"
    }

    /// The folder that the sockets lie in.
    package static var folder: String {
        Folders.variable("XDG_RUNTIME_DIR").flatMap { $0.hasPrefix("/") ? $0 + "/vpipe" : nil }
            ?? "/tmp/vpipe-\(getuid())"
    }

    /// Makes the folder, readable by its owner alone; false when somebody else has it.
    static func makeFolder(_ path: String) -> Bool {
        mkdir(path, 0o700)
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR && status.st_uid == getuid()
            && status.st_mode & 0o077 == 0
    }

    /// Calls `body` with the address of a path; nil when the path is too long for one.
    static func withAddress<Value>(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Value) -> Value? {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array(path.utf8)
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        return withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    /// A socket that is connected to `path`; nil where nobody listens.
    static func connected(to path: String) -> Int32? {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        if withAddress(path, { connect(descriptor, $0, $1) }) == 0 { return descriptor }
        close(descriptor)
        return nil
    }

    /// Has reads and writes of a socket give up after so many seconds.
    static func limit(_ descriptor: Int32, seconds: Int) {
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
    }

    /// Sends all bytes; false when the other end takes no more.
    @discardableResult
    static func send(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// Bytes up to and without a newline, or to the end; nil when there are more than `limit` or none come.
    static func line(from descriptor: Int32, limit: Int = limit) -> [UInt8]? {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while line.count <= limit {
            let count = recv(descriptor, &byte, 1, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return count == 0 && !line.isEmpty ? line : nil }
            if byte == 0x0A { return line }
            line.append(byte)
        }
        return nil
    }
}
