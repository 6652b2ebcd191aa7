// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import COpenVINO
internal import Glibc

/// OpenVINO's shared library, opened when first needed: a program that never infers runs without it.
///
/// - Note: Thread-safety: thread-safe. The library is never closed: its threads and caches outlive every model.
final class OpenVINOLibrary: Sendable {
    /// The release this build's headers belong to, as its files are named (2026.4.1).
    static let soname = "libopenvino_c.so.2641"
    static let fallbackName = "libopenvino_c.so"

    let functions: OpenVINOFunctions
    /// The file, or the bare name when the loader's own path had it.
    let path: String
    /// The library's own words: `2026.4.1-...`.
    let version: String
    /// Whether compiled models can be read back.
    ///
    /// They are stored as OpenVINO's own format around packed weights, whose reader is a file of its own. Without it
    /// every blob is written and none is ever accepted.
    let readsCompiledModels: Bool

    /// Opens the first of `candidates` that can be used.
    /// - Throws: `libraryMissing` when none exists; `libraryUnsuitable` when one exists and cannot be used.
    init(candidates: [String]) throws(InferenceError) {
        var problems: [String] = []
        for path in candidates {
            if path.contains("/"), access(path, F_OK) != 0 { continue }
            // Local: nothing else in the process may bind to the symbols of an engine by accident.
            guard let handle = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
                let reason = dlerror().map { String(cString: $0) } ?? "unknown reason"
                // A bare name that is nowhere on the loader's path is absent, not broken.
                if path.contains("/") { problems.append("\(path) cannot be opened: \(reason)") }
                continue
            }
            let functions = try OpenVINOFunctions(library: handle, path: path)
            self.functions = functions
            self.path = path
            readsCompiledModels = Self.hasFormatReader(beside: path)
            var version = ov_version_t()
            try functions.check(functions.getVersion(&version), "ov_get_openvino_version", .libraryUnsuitable)
            defer { functions.versionFree(&version) }
            self.version = version.buildNumber.map { String(cString: $0) } ?? ""
            return
        }
        if let first = problems.first {
            throw InferenceError(.libraryUnsuitable, operation: "dlopen", detail: first + "; run `make deps`")
        }
        throw InferenceError(
            .libraryMissing, operation: "OpenVINO",
            detail: "the OpenVINO runtime is not installed; run `make deps`, or set VPIPE_OPENVINO to its folder "
                + "(looked for \(candidates.joined(separator: ", ")))")
    }

    /// Looks for the format's reader where the library came from: its folder, or the loader's own path.
    private static func hasFormatReader(beside path: String) -> Bool {
        guard let slash = path.lastIndex(of: "/") else {
            return dlopen("libopenvino_ir_frontend.so.2641", RTLD_LAZY | RTLD_LOCAL) != nil
        }
        let names = (try? CacheFiles.names(in: String(path[..<slash]))) ?? []
        return names.contains { $0.hasPrefix("libopenvino_ir_frontend.so") }
    }

    /// Where the library may be, best first: the user's word, beside the program, the system, the loader's path.
    static func candidates(override: String?, executable: String?) -> [String] {
        var folders: [String] = []
        if let override, !override.isEmpty { folders.append(override + "/lib") }
        if let executable, let slash = executable.lastIndex(of: "/") {
            folders.append(executable[..<slash] + "/../lib/vpipe/openvino/lib")
        }
        folders.append("/usr/local/lib/vpipe/openvino/lib")
        return folders.flatMap { ["\($0)/\(soname)", "\($0)/\(fallbackName)"] } + [soname, fallbackName]
    }

    /// The candidates of this process.
    static func candidates() -> [String] {
        candidates(override: Folders.variable("VPIPE_OPENVINO"), executable: Folders.executable)
    }
}

extension OpenVINOFunctions {
    /// Turns a status other than OK into an error with the library's own words.
    func check(_ status: ov_status_e, _ operation: String, _ code: InferenceError.Code) throws(InferenceError) {
        guard status != OK else { return }
        let name = errorInfo(status).map { String(cString: $0) } ?? "unknown status"
        var detail = "\(name) (status \(status.rawValue))"
        // A wrong argument is refused before the library has words for it: those it still holds are older.
        if status != INVALID_C_PARAM, let message = takeString(lastErrorMessage()) {
            let cleaned = Self.condensed(message)
            if !cleaned.isEmpty { detail = cleaned }
        }
        throw InferenceError(code, operation: operation, detail: detail)
    }

    /// Copies a string that the library allocated, and frees it.
    func takeString(_ pointer: UnsafePointer<CChar>?) -> String? {
        guard let pointer else { return nil }
        defer { free(pointer) }
        return String(cString: pointer)
    }

    /// One line without the places in the library's source that its exceptions begin with.
    static func condensed(_ message: String) -> String {
        let limit = 1000
        let lines = message.split(whereSeparator: \.isNewline)
            .map { $0.drop(while: \.isWhitespace) }
            .filter { !$0.isEmpty && !$0.hasPrefix("Exception from ") }
        let text = lines.joined(separator: " ")
        return text.count > limit ? text.prefix(limit) + "..." : text
    }
}
