// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Glibc

/// The right to work on one item, held by one process on one of the machines that share a folder.
///
/// A file that only one process can make, whose time is renewed while the work goes on. A lease whose time has stood still for
/// `expiry`, by the clock of the file system that holds it, or whose process is known to be gone, is taken over. Files are opened before
/// their time is read, which is when NFS asks its server.
///
/// - Note: Thread-safety: confined.
final class BatchLease {
    /// Who holds leases.
    struct Holder: Sendable {
        /// The machine, and on it what process numbers belong to.
        let machine: String
        let process: Int32
        /// When the process began, in clock ticks since the machine did: numbers are given again.
        let began: String

        /// This process.
        static let own = Holder(
            machine: machineName, process: getpid(), began: startTime(of: getpid()) ?? "?")

        var text: String { "\(machine) \(process) \(began)" }

        /// Whether it is a process of this machine that is no more.
        var isGone: Bool {
            guard machine == Self.own.machine else { return false }
            return Self.startTime(of: process) != began
        }

        init?(_ text: String) {
            let parts = text.split(whereSeparator: { $0 == " " || $0 == "\n" })
            guard parts.count >= 3, let process = Int32(parts[1]) else { return nil }
            (machine, self.process, began) = (String(parts[0]), process, String(parts[2]))
        }

        private init(machine: String, process: Int32, began: String) {
            (self.machine, self.process, self.began) = (machine, process, began)
        }

        private static let machineName: String = {
            var name = [CChar](repeating: 0, count: 256)
            gethostname(&name, name.count - 1)
            let host = name.withUnsafeBufferPointer { String(cString: $0.baseAddress.unsafelyUnwrapped) }
            // Containers may share a name, but no process numbers; a machine that was started anew has none of its old ones.
            let boot = contents(of: "/proc/sys/kernel/random/boot_id")?.prefix(8) ?? "?"
            var link = [CChar](repeating: 0, count: 64)
            let count = readlink("/proc/self/ns/pid", &link, link.count - 1)
            let space = link.prefix(max(0, count)).filter { (48...57).contains($0) }.map {
                Character(Unicode.Scalar(UInt8($0)))
            }
            return "\(host.isEmpty ? "host" : host)-\(boot)-\(String(space))"
        }()

        private static func startTime(of process: Int32) -> String? {
            // The name in brackets may hold anything; the 20th word behind it is the time.
            guard let text = contents(of: "/proc/\(process)/stat"), let end = text.lastIndex(of: ")") else {
                return nil
            }
            let words = text[text.index(after: end)...].split(separator: " ")
            return words.count > 19 ? String(words[19]) : nil
        }

        private static func contents(of path: String) -> String? {
            let file = open(path, O_RDONLY | O_CLOEXEC)
            guard file >= 0 else { return nil }
            defer { close(file) }
            var buffer = [UInt8](repeating: 0, count: 1024)
            let count = read(file, &buffer, buffer.count)
            return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
        }
    }

    private let path: String
    /// What stands in the file: inode numbers are given again at once.
    private let text: String
    private var isHeld = true

    private init(path: String, text: String) {
        self.path = path
        self.text = text
    }

    /// Takes the lease at `path`; nil where somebody else holds it.
    ///
    /// - Parameters:
    ///   - expiry: seconds after which a lease that is not renewed is nobody's.
    ///   - clock: a file beside it of this process's own, for the time of the file system.
    /// - Throws: `BatchError` where the folder cannot be written.
    static func take(_ path: String, expiry: Double, clock: String) throws(BatchError) -> BatchLease? {
        // Each turn either ends or has removed a lease of nobody's.
        for _ in 0..<4 {
            let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
            if file >= 0 {
                defer { close(file) }
                let text = "\(Holder.own.text) \(UInt64.random(in: 0...UInt64.max))\n"
                let bytes = Array(text.utf8)
                guard write(file, bytes, bytes.count) == bytes.count else {
                    let reason = String(cString: strerror(errno))
                    unlink(path)
                    throw BatchError("\(path): \(reason)")
                }
                return BatchLease(path: path, text: text)
            }
            guard errno == EEXIST else { throw BatchError("\(path): \(String(cString: strerror(errno)))") }
            guard let seen = look(path) else { continue }
            let isNobodys = Holder(seen.text)?.isGone ?? false
            guard isNobodys || age(of: seen.time, clock: clock) > expiry else { return nil }
            remove(path, if: seen.text)
        }
        return nil
    }

    /// Whether somebody holds the lease at `path` now.
    static func isTaken(_ path: String, expiry: Double, clock: String) -> Bool {
        guard let seen = look(path) else { return false }
        return !(Holder(seen.text)?.isGone ?? false) && age(of: seen.time, clock: clock) <= expiry
    }

    /// Renews it; false where another process has it by now.
    func renew() -> Bool {
        guard isHeld else { return false }
        guard Self.look(path)?.text == text, utimensat(AT_FDCWD, path, nil, 0) == 0 else {
            isHeld = false
            return false
        }
        return true
    }

    /// Gives it back.
    func release() {
        if isHeld { Self.remove(path, if: text) }
        isHeld = false
    }

    private static func look(_ path: String) -> (text: String, time: timespec)? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { return nil }
        var buffer = [UInt8](repeating: 0, count: 512)
        let count = read(file, &buffer, buffer.count)
        return (String(decoding: buffer[..<max(0, count)], as: UTF8.self), status.st_mtim)
    }

    /// Seconds since `time`, as the file system's clock has it.
    private static func age(of time: timespec, clock: String) -> Double {
        let file = open(clock, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        var now = stat()
        guard file >= 0 else {
            return 0
        }
        defer { close(file) }
        guard futimens(file, nil) == 0, fstat(file, &now) == 0 else { return 0 }
        return Double(now.st_mtim.tv_sec - time.tv_sec) + Double(now.st_mtim.tv_nsec - time.tv_nsec) / 1e9
    }

    /// Removes the file if it is the one that was looked at; one that another process has just made is put back.
    private static func remove(_ path: String, if text: String) {
        let aside = path + ".\(Holder.own.machine).\(getpid())"
        guard rename(path, aside) == 0 else { return }
        if look(aside)?.text != text { _ = link(aside, path) }
        unlink(aside)
    }
}
