// SPDX-License-Identifier: Apache-2.0
import Foundation

/// The program as built, run as a user runs it.
struct Program {
    /// What a run left behind.
    struct Outcome {
        let status: Int32
        let output: String
        let errors: String
    }

    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    /// Beside the test bundle.
    static let path: String = {
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        var folder = URL(fileURLWithPath: tests).deletingLastPathComponent()
        for argument in CommandLine.arguments where argument.contains(".xctest") {
            folder = URL(fileURLWithPath: argument).deletingLastPathComponent()
        }
        return folder.path + "/vpipe"
    }()

    /// Starts it in `folder`; `interruptWhen` is polled, and true sends SIGINT once.
    static func run(
        _ arguments: [String], in folder: String = root, environment: [String: String] = [:],
        interruptWhen: (() -> Bool)? = nil
    ) throws -> Outcome {
        var isSent = false
        return try run(
            arguments, in: folder, environment: environment,
            signalWhen: interruptWhen.map { isDue in
                {
                    guard !isSent, isDue() else { return nil }
                    isSent = true
                    return SIGINT
                }
            })
    }

    /// Starts it in `folder`; `signalWhen` is polled, and the process is sent what it returns.
    static func run(
        _ arguments: [String], in folder: String = root, environment: [String: String] = [:],
        signalWhen: (() -> Int32?)?
    ) throws -> Outcome {
        try run(arguments, in: folder, environment: environment, signalOn: signalWhen.map { body in { _ in body() } })
    }

    /// The same; `signalOn` is handed what the process has said on standard error so far.
    static func run(
        _ arguments: [String], in folder: String = root, environment: [String: String] = [:],
        signalOn: ((_ errors: String) -> Int32?)?
    ) throws -> Outcome {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        // Files rather than pipes: nothing can block on a full one.
        let name = NSTemporaryDirectory() + "/vpipe-program-" + UUID().uuidString
        let files = [name + ".out", name + ".err"]
        defer { for file in files { try? FileManager.default.removeItem(atPath: file) } }
        for file in files { _ = FileManager.default.createFile(atPath: file, contents: nil) }
        process.standardOutput = FileHandle(forWritingAtPath: files[0])
        process.standardError = FileHandle(forWritingAtPath: files[1])
        process.standardInput = FileHandle.nullDevice
        try process.run()
        while let signalOn, process.isRunning {
            let errors = (try? String(contentsOfFile: files[1], encoding: .utf8)) ?? ""
            if let number = signalOn(errors) { kill(process.processIdentifier, number) }
            usleep(20_000)
        }
        process.waitUntilExit()
        func text(_ file: String) throws -> String { try String(contentsOfFile: file, encoding: .utf8) }
        return Outcome(status: process.terminationStatus, output: try text(files[0]), errors: try text(files[1]))
    }
}
