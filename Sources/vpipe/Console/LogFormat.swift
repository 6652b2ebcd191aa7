// SPDX-License-Identifier: Apache-2.0
import ArgumentParser

/// How a run is told on standard error: to people, or to programs as one JSON object per line and nothing else.
enum LogFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json

    /// Says `message`; programs also get the kind of event it is.
    func say(_ event: String, _ message: String) {
        switch self {
        case .text: Console.line(message, to: .errors)
        case .json: Console.line(RunJSON.message(message, event: event), to: .errors)
        }
    }
}
