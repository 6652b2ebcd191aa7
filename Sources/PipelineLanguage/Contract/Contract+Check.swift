// SPDX-License-Identifier: Apache-2.0

extension Contract {
    /// Reads one parameter as a flag or a control message would give it, such as `"0.5"`.
    ///
    /// - Throws: `PipelineFileError` with one diagnostic, whose path is the parameter's name.
    public func value(_ name: String, from text: String) throws(PipelineFileError) -> ParamValue {
        guard let parameter = parameter(name) else {
            throw PipelineFileError([
                Diagnostic(
                    file: type, path: name, message: "\"\(type)\" has no such parameter",
                    fix: suggestion(for: name, among: parameters.map(\.name), noun: "parameters"))
            ])
        }
        var node = JSONNode(.string(text))
        node.isLoose = true
        if parameter.kind == .object, let root = JSONTree(bytes: Array(text.utf8)).root { node = root }
        do throws(ParamMistake) {
            if let value = try parameter.decode(node) { return value }
            throw ParamMistake(message: "must be \(parameter.expectation)", expected: parameter.expectation)
        } catch {
            throw PipelineFileError([
                Diagnostic(
                    file: type, path: name, message: error.message, found: error.found, expected: error.expected,
                    fix: error.fix)
            ])
        }
    }

    /// What is wrong with the examples of the declaration: their parameters are checked, their links are not.
    public var exampleProblems: [Diagnostic] {
        examples.flatMap { example -> [Diagnostic] in
            let source = SourceText(file: "example \"\(example.title)\" of \(type)", bytes: Array(example.json.utf8))
            let tree = JSONTree(bytes: source.bytes)
            var problems = ProblemList()
            for problem in tree.problems { problems.add(problem) }
            guard let root = tree.root, tree.isComplete else { return problems.diagnostics(in: source) }
            var validator = PipelineValidator(source: source, contracts: ContractTable([self]), problems: problems)
            _ = validator.readNode(JSONMember(key: "example", keyRange: root.range, value: root))
            return validator.problems.diagnostics(in: source)
        }
    }
}
