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
                ["network", "variant", "parameters", "G MACs", "at", "default weights", "measured", "in 8 bits"],
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
                    entry.map(Self.int8) ?? "",
                ])
            }
            for line in table.lines { Console.line(line) }
        }

        /// What the record beside the weights says; the weights' checksum is taken from their metadata.
        private static func int8(_ entry: ModelStore.Entry) -> String {
            let path = QuantisationRecord.path(besides: entry.path)
            guard let bytes = try? ModelFile.read(path) else { return "" }
            guard let record = try? QuantisationRecord.parse(bytes),
                record.weights == entry.metadata[Weights.MetadataKey.checksum]
            else { return "unusable record: see \"vpipe models info \(entry.path)\"" }
            guard let figure = record.figures["int8"], let reference = record.figures["f32"], reference > 0 else {
                return "not measured"
            }
            return "\(Figures.fixed(figure / reference * 100, 1)) % of f32's \(record.measure)"
                + (record.isEqual("int8") ? "" : ": too little")
        }
    }
}
