// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
internal import Networks
import Pipeline

extension ModelsCommand {
    /// `vpipe models list`.
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "What each network costs, which weights it uses by default, and how good they were measured to be.")

        func run() {
            let store = ModelStore()
            var table = TextTable(
                ["network", "variant", "parameters", "G MACs", "at", "default weights", "measured"],
                rightAligned: [2, 3])
            for architecture in Architecture.all {
                let entry = store.best(architecture.family, variant: architecture.variant)
                let network = try? architecture.build()
                table.add([
                    architecture.network, architecture.variant,
                    network.map { Figures.count(UInt64($0.parameterCount)) } ?? "-",
                    network.map { ModelsCommand.giga($0.multiplyAccumulates) } ?? "-",
                    architecture.defaultSize.description, entry?.path ?? "none",
                    entry.map { $0.accuracy ?? ($0.isPreview ? "preview: weak" : "not measured") } ?? "",
                ])
            }
            for line in table.lines { Console.line(line) }
        }
    }
}
