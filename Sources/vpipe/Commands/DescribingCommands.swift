// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Pipeline
internal import PipelineLanguage

/// `vpipe validate`.
struct ValidateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate", abstract: "Check a pipeline file and say everything that is wrong with it.")

    @OptionGroup var file: PipelineArguments
    @Flag(help: "Print the problems as JSON, one per line.") var json = false

    func run() throws {
        let check: PipelineFile.Check
        do {
            check = try PipelineFile(path: file.pipeline).check(
                against: Installation.registry.contracts, overrides: file.overrides)
        } catch {
            throw Failure(error)
        }
        for problem in check.diagnostics {
            if json { Console.line(problem.json) }
            for line in json ? [] : problem.lines { Console.line(line, to: .errors) }
        }
        guard let pipeline = check.pipeline else { throw ExitCode(ExitStatus.usage.rawValue) }
        if !json { Console.line("\(file.pipeline): ok, \(pipeline.nodes.count) nodes, \(pipeline.links.count) links") }
    }
}

/// `vpipe nodes`.
struct NodesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nodes", abstract: "List the node types, or describe one with its ports and parameters.")

    @Argument(help: "The node type to describe.") var type: String?
    @Flag(help: "Print the whole reference page as Markdown.") var markdown = false

    func run() throws {
        let reference = NodeReference(Installation.registry.contracts)
        if markdown { return Console.print(reference.markdown) }
        guard let type else { return Console.print(reference.list) }
        guard let text = reference.text(for: type) else {
            let nearest = Installation.registry.contracts.nearest(to: type).map { "; did you mean \"\($0)\"?" } ?? ""
            throw Failure(.usage, "vpipe: there is no node type \"\(type)\"\(nearest)")
        }
        Console.print(text)
    }
}

/// `vpipe schema`.
struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema", abstract: "Print the JSON Schema of pipeline files, for editors.")

    func run() { Console.print(PipelineSchema(Installation.registry.contracts).text) }
}

/// `vpipe graph`.
struct GraphCommand: ParsableCommand {
    /// The languages a graph is drawn in.
    enum Format: String, ExpressibleByArgument, CaseIterable { case dot, mermaid }

    static let configuration = CommandConfiguration(
        commandName: "graph", abstract: "Draw a pipeline as Graphviz DOT or Mermaid text.")

    @OptionGroup var file: PipelineArguments
    @Option(help: "The language: dot or mermaid.") var format = Format.dot

    func run() throws {
        let text = PipelineGraphText(try file.validated())
        Console.print(format == .dot ? text.dot : text.mermaid)
    }
}
