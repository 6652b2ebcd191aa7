// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// What this processor offers neural networks: its name and the vector units that matter to precision.
public struct CPUFeatures: Sendable, Hashable, CustomStringConvertible {
    /// The name the kernel has for it, or words that say that it has none.
    public let model: String
    /// Processors the system lists; a container may be allowed fewer.
    public let cores: Int
    /// Feature flags that change speed or precision, in the kernel's spelling, sorted.
    public let flags: [String]

    /// bfloat16 arithmetic: AVX-512 BF16 or AMX on x86-64, the BF16 extension on arm64.
    public var hasBF16: Bool { !Set(flags).isDisjoint(with: ["avx512_bf16", "amx_bf16", "bf16"]) }
    /// 8-bit dot products: VNNI or AMX on x86-64, DotProd or I8MM on arm64.
    public var hasInt8DotProduct: Bool {
        !Set(flags).isDisjoint(with: ["avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"])
    }

    /// One line for a report.
    public var description: String { "\(model), \(cores) cores, \(flags.joined(separator: " "))" }

    /// Flags worth reporting; everything else in the kernel's list is noise here.
    static let known: Set<String> = [
        "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx_vnni", "avx512_bf16",
        "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "asimd", "asimdhp", "asimddp", "bf16", "i8mm", "sve",
    ]

    /// The processor this process runs on, read once.
    public static let current = CPUFeatures(cpuinfo: readText("/proc/cpuinfo"))

    /// Reads the format of Linux' `/proc/cpuinfo`, x86-64 or arm64.
    public init(cpuinfo text: String) {
        var model = ""
        var cores = 0
        var flags: Set<String> = []
        for line in text.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let key = line[..<colon].trimmingBlanks
            let value = line[line.index(after: colon)...].trimmingBlanks
            switch key {
            case "processor": cores += 1
            case "model name", "Model": if model.isEmpty { model = String(value) }
            case "CPU part": if model.isEmpty { model = "arm64 part \(value)" }
            case "flags", "Features":
                if flags.isEmpty {
                    flags = Set(value.split(separator: " ").map(String.init)).intersection(CPUFeatures.known)
                }
            default: break
            }
        }
        self.model = model.isEmpty ? "unknown processor" : model
        self.cores = max(1, cores)
        self.flags = flags.sorted()
    }

    /// A file's text, in steps, since files under /proc report no size; empty when it cannot be read.
    private static func readText(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension Substring {
    fileprivate var trimmingBlanks: Substring {
        var text = drop(while: { $0 == " " || $0 == "\t" })
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }
}
