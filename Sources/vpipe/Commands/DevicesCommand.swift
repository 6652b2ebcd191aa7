// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Foundation
internal import Pipeline
internal import Workbench

/// `vpipe devices`.
struct DevicesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "devices", abstract: "List cameras with formats, sizes, rates and controls.")

    @Argument(help: "Only this device.") var device: String?
    @Flag(help: "Print everything as JSON.") var json = false
    @Flag(help: "Also list formats that vpipe does not read, and control values.") var all = false

    func run() throws {
        let devices = DeviceReport(device: device)
        if json { return Console.print(try devices.json()) }
        for line in devices.lines(all: all) { Console.line(line) }
        if let device, devices.isEmpty { throw Failure(.failed, "vpipe: \(device): no such video device") }
    }
}
