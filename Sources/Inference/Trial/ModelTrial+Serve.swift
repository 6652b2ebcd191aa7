// SPDX-License-Identifier: Apache-2.0
internal import Glibc

extension ModelTrial {
    /// The other side of a trial, in the process that is there for it: reads a model from the standard input, prepares it
    /// and runs it once as compiled and once as restored from the cache, and prints a line.
    ///
    /// - Parameter arguments: of the process, from its name on.
    /// - Returns: the exit status.
    public static func serve(_ arguments: [String]) -> Int32 {
        guard arguments.count >= 11, let cores = Int(arguments[4]),
            let goal = CompileOptions.Goal(rawValue: arguments[3]),
            let precision = Precision(rawValue: arguments[5]), let seconds = UInt64(arguments[9]),
            let bytes = UInt64(arguments[10])
        else { return 2 }
        confine(seconds: seconds, bytes: bytes)
        say(greeting)
        let cache: CompileOptions.Cache =
            switch arguments[6] {
            case "standard": .standard
            case "off": .off
            case let path: .directory(String(path.dropFirst()))
            }
        var shapes: [String: [Int]] = [:]
        for text in arguments[11...] {
            guard let sign = text.firstIndex(of: "=") else { return 2 }
            shapes[String(text[text.index(after: sign)...])] = text[..<sign].split(separator: ",").compactMap {
                Int($0)
            }
        }
        let source = ModelSource(
            name: arguments[2], onnx: readAll(), inputShapes: shapes, path: arguments[7].isEmpty ? nil : arguments[7],
            external: arguments[8].isEmpty ? nil : ContentHash(arguments[8]))
        do throws(InferenceError) {
            let engine = try OpenVINOEngine.shared()
            let options = CompileOptions(goal, cores: cores, precision: precision, cache: cache)
            for _ in 0..<2 {
                // The first is gone by the second round, which finds it in the cache.
                let model = try engine.compile(source, options: options)
                try model.makeRequest().run()
            }
            say("ok")
        } catch {
            say("\(error.code)\t\(oneLine(error.operation))\t\(oneLine(error.detail))")
        }
        // Nothing of what a hostile model left behind is taken down in order.
        _exit(0)
    }

    private static func say(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = bytes.withUnsafeBytes { write(1, $0.baseAddress, $0.count) }
    }

    private static func oneLine(_ text: String) -> String {
        String(text.map { $0.isNewline || $0 == "\t" ? " " : $0 })
    }

    /// Limits this process, before it has seen anything.
    private static func confine(seconds: UInt64, bytes: UInt64) {
        for descriptor in 3..<Int32(1024) { close(descriptor) }
        func limit(_ resource: __rlimit_resource, _ value: UInt64) {
            // At the first the kernel sends a signal that says why, at the second one that nothing stops.
            var limits = rlimit(rlim_cur: rlim_t(value), rlim_max: rlim_t(value == 0 ? 0 : value + 2))
            setrlimit(__rlimit_resource_t(resource.rawValue), &limits)
        }
        limit(RLIMIT_CPU, seconds)
        // What is written to, not what is reserved: threads reserve much.
        limit(RLIMIT_DATA, bytes)
        limit(RLIMIT_CORE, 0)
        // Where memory is short, this process goes first.
        let file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC)
        if file >= 0 {
            _ = write(file, "1000", 4)
            close(file)
        }
    }

    private static func readAll() -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(0, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return bytes }
            bytes += buffer[..<count]
        }
    }
}
