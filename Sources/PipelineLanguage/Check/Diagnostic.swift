// SPDX-License-Identifier: Apache-2.0
internal import Basics

/// One thing wrong, or doubtful, in a pipeline: where, what was found, what was expected, and how to mend it.
public struct Diagnostic: Sendable, Hashable, Encodable, CustomStringConvertible {
    /// Whether the pipeline can run all the same.
    public enum Severity: String, Sendable, Hashable, Encodable {
        case error
        case warning
    }

    /// An error keeps the pipeline from running; a warning does not.
    public var severity: Severity
    /// The file as it was named by the user.
    public var file: String
    /// nil when the problem is not in the file's text (it comes from a flag, or the file is unreadable).
    public var line: Int?
    /// Counts characters from 1.
    public var column: Int?
    /// The `--set` that brought the value in, when one did.
    public var flag: String?
    /// JSON path such as `nodes.detect.threshold`; empty for the whole file.
    public var path: String
    /// What is wrong, without what was found.
    public var message: String
    /// What stands there, shortened, passwords hidden.
    public var found: String?
    /// What should stand there, as a phrase.
    public var expected: String?
    /// What to do, often a suggestion of what was meant.
    public var fix: String?

    /// Makes a diagnostic; most come from checking a `PipelineFile`.
    public init(
        severity: Severity = .error, file: String, line: Int? = nil, column: Int? = nil, flag: String? = nil,
        path: String = "", message: String, found: String? = nil, expected: String? = nil, fix: String? = nil
    ) {
        self.severity = severity
        self.file = file
        self.line = line
        self.column = column
        self.flag = flag
        self.path = path
        self.message = message
        self.found = found
        self.expected = expected
        self.fix = fix
    }

    /// The printed form: `file:line:column: error: path: message (found X)` and a line for the fix.
    public var description: String { lines.joined(separator: "\n") }

    /// The printed form by lines; nothing that was found anywhere adds others.
    public var lines: [String] {
        var text = redacted(file)
        if let flag {
            text = flag
        } else if let line, let column {
            text += ":\(line):\(column)"
        }
        text += ": \(severity.rawValue): "
        if !path.isEmpty { text += path + ": " }
        text += message
        if let found { text += " (found \(found))" }
        return [printable(text)] + (fix.map { [printable("  fix: " + $0)] } ?? [])
    }

    /// The same as one line of JSON, for tools.
    public var json: String { document.compact }

    package var document: JSONDocument {
        var members: [(String, JSONDocument)] = [
            ("severity", .string(severity.rawValue)), ("file", .string(redacted(file))),
        ]
        if let line { members.append(("line", .integer(line))) }
        if let column { members.append(("column", .integer(column))) }
        if let flag { members.append(("flag", .string(flag))) }
        members.append(("path", .string(path)))
        members.append(("message", .string(message)))
        if let found { members.append(("found", .string(found))) }
        if let expected { members.append(("expected", .string(expected))) }
        if let fix { members.append(("fix", .string(fix))) }
        return .object(members)
    }
}

/// Every diagnostic of a file that cannot be run, thrown as one error.
public struct PipelineFileError: Error, Sendable, CustomStringConvertible {
    /// Errors and warnings in the order of the file.
    public let diagnostics: [Diagnostic]

    /// Makes the error that carries these diagnostics.
    public init(_ diagnostics: [Diagnostic]) {
        self.diagnostics = diagnostics
    }

    /// Every diagnostic as it is printed.
    public var description: String {
        diagnostics.map(\.description).joined(separator: "\n")
    }
}

/// A diagnostic before its offset has been turned into line and column.
package struct Problem: Sendable {
    package var severity = Diagnostic.Severity.error
    package var location: SourceLocation
    package var path: String
    package var message: String
    package var found: String?
    package var expected: String?
    package var fix: String?

    package init(
        severity: Diagnostic.Severity = .error, location: SourceLocation, path: String, message: String,
        found: String? = nil, expected: String? = nil, fix: String? = nil
    ) {
        self.severity = severity
        self.location = location
        self.path = path
        self.message = message
        self.found = found
        self.expected = expected
        self.fix = fix
    }
}

/// Collects problems of one file and turns them into diagnostics in the order of the text, flags last.
package struct ProblemList: Sendable {
    package private(set) var problems: [Problem] = []
    package private(set) var errorCount = 0
    private var hiddenCount = 0

    package init() {}

    package var hasErrors: Bool { errorCount > 0 }

    /// More than this helps nobody.
    package static let limit = 100

    package var isFull: Bool { problems.count >= Self.limit }

    package mutating func add(_ problem: Problem) {
        if problem.severity == .error { errorCount += 1 }
        if isFull { hiddenCount += 1 } else { problems.append(problem) }
    }

    package func diagnostics(in source: SourceText) -> [Diagnostic] {
        let order = problems.indices.sorted { a, b in
            let (first, second) = (Self.rank(problems[a].location), Self.rank(problems[b].location))
            return first == second ? a < b : first < second
        }
        var diagnostics = order.map { index in
            let problem = problems[index]
            var diagnostic = Diagnostic(
                severity: problem.severity, file: source.file, path: problem.path, message: problem.message,
                found: problem.found, expected: problem.expected, fix: problem.fix)
            switch problem.location.origin {
            case .file:
                let position = source.position(of: problem.location.offset)
                diagnostic.line = position.line
                diagnostic.column = position.column
            case .flag(_, let text):
                diagnostic.flag = "--set " + redacted(text)
            }
            return diagnostic
        }
        if hiddenCount > 0 {
            let severity = hasErrors ? Diagnostic.Severity.error : .warning
            let message = "\(hiddenCount) more problems are not shown"
            diagnostics.append(Diagnostic(severity: severity, file: source.file, message: message))
        }
        return diagnostics
    }

    private static func rank(_ location: SourceLocation) -> (Int, Int) {
        switch location.origin {
        case .file: (0, location.offset)
        case .flag(let number, _): (1, number)
        }
    }
}
