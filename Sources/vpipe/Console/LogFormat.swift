// SPDX-License-Identifier: Apache-2.0
import ArgumentParser

/// How a run is told on standard error: to people, or to programs as one JSON object per line and nothing else.
enum LogFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json

    /// Says `message`; programs also get the kind of event it is.
    func say(_ event: String, _ message: String) { say(event, lines: [message]) }

    /// Says a message of several lines.
    func say(_ event: String, lines: [String]) {
        switch self {
        case .text: for line in lines { Console.line(line, to: .errors) }
        case .json: Console.line(RunJSON.message(lines.joined(separator: "\n"), event: event), to: .errors)
        }
    }
}
