// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Foundation
internal import Server

/// `vpipe ctl`.
struct CtlCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ctl", abstract: "Ask or tell a running pipeline, started with --control.",
        discussion: """
            status                      rates, latency, the node that binds
            set node.parameter=value    as a reload would; the file is not written
            why FRAME [SOURCE]          what became of a frame
            trace FILE                  what happened lately, for Perfetto and `vpipe why`
            snapshot FILE [NODE]        the next picture of a node, as JPEG
            stop                        delivers what is under way and ends
            """)

    @Argument(help: "status, set, why, trace, snapshot or stop.") var command: String
    @Argument(help: "What the command is about.") var arguments: [String] = []
    @Option(help: "The pipeline's name; needed where several run.") var name: String?
    @Option(help: "The socket, where it is not the usual one.", completion: .file()) var socket: String?
    @Flag(help: "Print the answer as JSON.") var json = false

    private static let commands = ["status", "set", "why", "trace", "snapshot", "stop"]

    func validate() throws {
        guard Self.commands.contains(command) else {
            throw ValidationError(
                "there is no command \"\(command)\"; there are \(Self.commands.joined(separator: ", "))")
        }
        if ["trace", "snapshot"].contains(command), arguments.isEmpty {
            throw ValidationError("\(command) needs a file to write")
        }
    }

    func run() throws {
        let isFile = ["trace", "snapshot"].contains(command)
        let answer: ControlClient.Answer
        do {
            let words = [command] + (isFile ? Array(arguments.dropFirst()) : arguments)
            answer = try ControlClient(path: path()).ask(words.joined(separator: " "))
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.failed, "vpipe: \(error)")
        }
        if isFile, answer.isDone {
            do {
                try Data(answer.bytes).write(to: URL(fileURLWithPath: arguments[0]))
            } catch {
                throw Failure(.failed, "vpipe: \(arguments[0]): cannot be written")
            }
        }
        if json {
            Console.line(answer.json)
        } else if answer.isDone {
            Console.line(isFile ? "\(arguments[0]): \(answer.text), \(answer.bytes.count) bytes" : answer.text)
        } else {
            throw Failure(.failed, "vpipe: \(answer.text)")
        }
        if !answer.isDone { throw ExitCode(ExitStatus.failed.rawValue) }
    }

    private func path() throws -> String {
        if let socket { return socket }
        if let name { return ControlSocket.path(of: name) }
        let running = ControlClient.running
        guard running.count == 1 else {
            throw Failure(
                .usage,
                running.isEmpty
                    ? "vpipe: no pipeline runs with --control"
                    : "vpipe: several run, name one with --name: \(running.joined(separator: ", "))")
        }
        return ControlSocket.path(of: running[0])
    }
}
