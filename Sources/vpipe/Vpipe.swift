// SPDX-License-Identifier: Apache-2.0
import ArgumentParser

@main
struct Vpipe: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "vpipe")
}
