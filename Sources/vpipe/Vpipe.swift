// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Basics
internal import Foundation
internal import Inference
import Pipeline
internal import PipelineLanguage
internal import Workbench

/// The command line.
@main
struct Vpipe: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vpipe",
        abstract: "Real-time video pipelines with light-weight neural networks, from one JSON file.",
        discussion: "Exit status: 0 ok, 1 failed, 2 bad usage or pipeline file, 3 target missed.",
        version: Product.version,
        subcommands: [
            RunCommand.self, ValidateCommand.self, NodesCommand.self, SchemaCommand.self, GraphCommand.self,
            DevicesCommand.self, ModelsCommand.self, BenchCommand.self, PlanCommand.self, DoctorCommand.self,
            G2GCommand.self, WhyCommand.self, CtlCommand.self, BatchCommand.self, ExportCommand.self,
        ])

    /// Says which command was meant, where one is nearly named.
    private static func checkCommand() throws {
        guard let word = CommandLine.arguments.dropFirst().first, !word.hasPrefix("-") else { return }
        let names = configuration.subcommands.compactMap { $0.configuration.commandName } + ["help"]
        guard !names.contains(word), let meant = closest(to: word, among: names) else { return }
        throw Failure(.usage, "vpipe: there is no command \"\(word)\"; did you mean \"\(meant)\"?")
    }

    /// As the shell gave them, also names of files that are not UTF-8.
    private static var arguments: [String] {
        (1..<max(1, Int(CommandLine.argc))).compactMap { CommandLine.unsafeArgv[$0].map { FileName.text($0) } }
    }

    static func main() {
        // A reader that goes away is an error of one write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        // Not a command for people: see `ModelTrial`.
        if CommandLine.arguments.dropFirst().first == ModelTrial.argument {
            Foundation.exit(ModelTrial.serve(CommandLine.arguments))
        }
        if CommandLine.arguments.dropFirst().first == BatchWorker.argument {
            Heap.limitArenas(to: 2)
            Foundation.exit(BatchWorker.serve(registry: Installation.registry, engine: { try Installation.engine }))
        }
        // Few arenas: threads that come and go each kept one, which cost 10 MB and gained nothing.
        Heap.limitArenas(to: 2)
        do {
            try checkCommand()
            var command = try parseAsRoot(arguments)
            try command.run()
        } catch let failure as Failure {
            failure.report()
            Foundation.exit(failure.status.rawValue)
        } catch {
            let isHelp = exitCode(for: error).isSuccess
            let text = fullMessage(for: error)
            if isHelp {
                if !text.isEmpty { Console.print(text + "\n") }
            } else if !text.isEmpty {
                // Arguments stand in it as they were given.
                for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
                    Console.line(redacted(String(line)), to: .errors)
                }
            }
            let isStatus = error is ExitCode
            Foundation.exit(isHelp ? 0 : isStatus ? exitCode(for: error).rawValue : ExitStatus.usage.rawValue)
        }
    }
}
