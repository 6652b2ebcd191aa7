// SPDX-License-Identifier: Apache-2.0
#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The folders of this program, by the XDG Base Directory Specification: a relative path in a variable is ignored.
package struct Folders: Sendable {
    private let home: String?
    private let cacheHome: String?
    private let dataHome: String?

    /// Reads `HOME`, `XDG_CACHE_HOME` and `XDG_DATA_HOME`.
    package init(environment: (String) -> String? = Folders.variable) {
        func folder(_ name: String) -> String? { environment(name).flatMap { $0.hasPrefix("/") ? $0 : nil } }
        home = folder("HOME")
        cacheHome = folder("XDG_CACHE_HOME")
        dataHome = folder("XDG_DATA_HOME")
    }

    /// What can be made again, `~/.cache/vpipe`; nil where no variable names a folder.
    package var cache: String? { (cacheHome ?? home.map { $0 + "/.cache" }).map { $0 + "/vpipe" } }

    /// What the user keeps, `~/.local/share/vpipe`; nil where no variable names a folder.
    package var data: String? { (dataHome ?? home.map { $0 + "/.local/share" }).map { $0 + "/vpipe" } }

    /// The file that this process runs, links followed; nil where the system does not say.
    package static var executable: String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        guard count > 0 else { return nil }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// A variable of the process's environment.
    package static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
