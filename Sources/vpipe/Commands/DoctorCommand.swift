// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Foundation
import Pipeline
internal import Workbench

/// `vpipe doctor`.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check libraries, processor, cameras and models, and say what to do.")

    func run() throws {
        let checkup = Checkup(engine: try Installation.engine)
        for finding in checkup.findings {
            let mark =
                switch finding.state {
                case .good: "ok  "
                case .note: "note"
                case .bad: "BAD "
                }
            Console.line("\(mark)  \(finding.subject): \(finding.text)")
            if let remedy = finding.remedy { Console.line("      fix: \(remedy)") }
        }
        if checkup.findings.contains(where: { $0.state == .bad }) { throw ExitCode(ExitStatus.failed.rawValue) }
    }
}
