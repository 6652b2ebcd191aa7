// SPDX-License-Identifier: Apache-2.0
import Pipeline
internal import PipelineLanguage

/// What the process says at its end.
enum ExitStatus: Int32 {
    /// All went well.
    case success = 0
    /// Something in the world failed: a device, a file, a library.
    case failed = 1
    /// The command line or the pipeline file is wrong.
    case usage = 2
    /// Everything worked, but not as fast as the target asks.
    case targetMissed = 3
}

/// An error with its exit status, printed once, by `main`.
struct Failure: Error {
    let status: ExitStatus
    /// What is wrong, each in one or more lines.
    let messages: [[String]]

    init(_ status: ExitStatus, _ lines: String...) {
        self.status = status
        messages = lines.map { [$0] }
    }

    init(_ error: PipelineFileError) {
        status = .usage
        messages = error.diagnostics.map(\.lines)
    }

    /// What kept a run from starting: what is a mistake in a file's text is the user's.
    init(starting error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case let error as PipelineFileError: self.init(error)
        // A file that the pipeline names is as much the user's text as the pipeline.
        case let error as PipelineRunError:
            if let mistake = error.cause as? PipelineFileError {
                self.init(mistake)
            } else {
                self.init(.failed, error.located)
            }
        default: self.init(.failed, "vpipe: \(error)")
        }
    }

    func report() {
        for line in messages.joined() { Console.line(line, to: .errors) }
    }
}
