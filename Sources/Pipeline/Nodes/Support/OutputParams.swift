// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Media
internal import PipelineLanguage

/// The parameters of sinks that write files: what happens to what is there, how files are named, and what is kept.
enum OutputParams {
    static let ifExists = Param.choice(
        "ifExists", of: IfExists.allCases.map { .init($0.rawValue, docs[$0] ?? "") },
        doc: "What happens to a file that is there; fail when absent, number where the name holds a date"
    ).optional
    static let overwrite = Param.boolean(
        "overwrite", default: false, doc: "The same as \"ifExists\": \"replace\"")
    static let timeZone = Param.choice(
        "timeZone", default: TimeZoneChoice.local,
        docs: ["local": "the machine's", "utc": "coordinated universal time"],
        doc: "Which clock dates in names, and boundaries on the clock, follow")
    static let keepFor = Param.duration(
        "keepFor", seconds: 1...315_360_000, doc: "Files last written longer ago are deleted; all are kept when absent"
    ).optional
    static let keepBytes = Param.bytes(
        "keepBytes", doc: "Bytes that the files may hold together; the oldest are deleted"
    ).optional
    static let keepFree = Param.bytes(
        "keepFree", doc: "Bytes of the disk that stay free; the oldest files are deleted for it"
    ).optional
    static let keepAtLeast = Param.duration(
        "keepAtLeast", seconds: 1...315_360_000,
        doc: "Younger files stay, whatever keepBytes and keepFree say"
    ).optional

    /// How files that are there are treated.
    static let existing: [any ParamDeclaration] = [ifExists, overwrite]
    /// How many files are kept.
    static let retention: [any ParamDeclaration] = [keepFor, keepBytes, keepFree, keepAtLeast]

    private static let docs: [IfExists: String] = [
        .fail: "the pipeline does not start", .append: "go on behind it; where the format cannot, as number",
        .number: "leave it and take the next free number: door-2.mp4", .replace: "replace it",
    ]

    /// The rule in force: what the command line says, what the file says, or what the name calls for.
    static func rule(_ settings: Settings, _ context: BuildContext, isDated: Bool = false) -> IfExists {
        if let rule = context.options.ifExists { return rule }
        if settings[overwrite] { return .replace }
        return settings[ifExists].flatMap { IfExists(rawValue: $0) } ?? (isDated ? .number : .fail)
    }

    static func rules(_ settings: Settings) -> RetentionRules {
        var rules = RetentionRules()
        rules.seconds = settings[keepFor]?.inSeconds
        rules.bytes = settings[keepBytes].map { Int64($0) }
        rules.freeBytes = settings[keepFree].map { Int64($0) }
        rules.sparedSeconds = settings[keepAtLeast]?.inSeconds
        return rules
    }

    /// How a sink of whole lines stores them; a dated name is gone on with unless something else is said.
    static func lines(
        _ path: String, _ settings: Settings, in context: BuildContext, flushesAlways: Bool
    ) throws -> LineFile.Settings {
        var lines = LineFile.Settings(name: try pattern(path, settings))
        let isGiven = context.options.ifExists != nil || settings[ifExists] != nil
        lines.ifExists = rule(settings, context)
        if lines.name.isDated, !isGiven, lines.ifExists == .fail { lines.ifExists = .append }
        lines.flushesAlways = flushesAlways
        lines.segments = SegmentParams.rules(settings)
        lines.retention = rules(settings)
        return lines
    }

    /// The pattern that a path is.
    static func pattern(_ path: String, _ settings: Settings) throws -> FileNamePattern {
        try FileNamePattern(path, zone: settings[timeZone])
    }

    /// What is wrong with the parameters above together.
    static func problems(_ settings: Settings, name: Param<String>) -> [SettingsProblem] {
        problems(in: settings[name], parameter: name.spec.name) + conflicts(settings)
    }

    /// What is wrong with the date in a name.
    static func problems(in name: String, parameter: String) -> [SettingsProblem] {
        if name.contains("://"), FilePath.local(name) == nil {
            return [
                SettingsProblem(
                    parameter: parameter, message: "is an address, where files have a path",
                    fix: "\"stream\" sends video to servers, \"mqtt\" and \"webhook\" events")
            ]
        }
        do throws(MediaError) {
            _ = try FileNamePattern(name)
            return []
        } catch {
            return [SettingsProblem(parameter: parameter, message: error.detail, fix: "write %% for a percent sign")]
        }
    }

    /// Rules about existing files that contradict each other.
    static func conflicts(_ settings: Settings) -> [SettingsProblem] {
        guard settings[overwrite], let rule = settings[ifExists], rule != IfExists.replace.rawValue else { return [] }
        return [
            SettingsProblem(
                parameter: "ifExists", message: "says \"\(rule)\", but \"overwrite\" says replace",
                fix: "remove one of the two")
        ]
    }

    /// The same error with its remedy, where it says that a file may not be touched.
    static func explained(_ error: any Error) -> any Error {
        guard let cause = error as? MediaError, cause.code == .alreadyExists, cause.operation != "lock" else {
            return error
        }
        return OutputError(cause.detail + "; " + remedy)
    }

    /// What helps where a file is in the way.
    static let remedy =
        "allow replacing it with \"ifExists\": \"replace\" or --overwrite, or keep both with \"ifExists\": \"number\""
}
