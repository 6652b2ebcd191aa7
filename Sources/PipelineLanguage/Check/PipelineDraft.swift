// SPDX-License-Identifier: Apache-2.0

/// A node whose own object has been read, before its links are resolved.
struct DraftNode {
    let id: String
    let path: JSONPath
    /// The id in the file.
    let location: SourceLocation
    /// Where to point for what concerns the type or something missing.
    var typeLocation: SourceLocation
    /// nil when the type is missing or unknown, which has been reported.
    var contract: Contract?
    /// nil when a parameter was wrong, which has been reported.
    var settings: Settings?
    var onError = FailureScope.isolate
    /// Whether what the source sees must not be given away as it is.
    var isSensitive = false
    /// Why the sink may give away what a sensitive source sees.
    var allowRaw: String?
    var inputs: [DraftInput] = []
    /// Whether all inputs could be read, so that counting them makes sense.
    var inputsAreKnown = true
    /// Where inputs are written; nil without any.
    var inputsLocation: SourceLocation?
    /// Values of parameters that name what the node reads.
    var read: [(spec: ParamSpec, value: String, location: SourceLocation)] = []
    /// Values of parameters that name what the node writes or feeds.
    var written: [(spec: ParamSpec, value: String, location: SourceLocation)] = []
}

/// One entry of `input` or `inputs`.
struct DraftInput {
    let from: String
    let port: String?
    let path: JSONPath
    let location: SourceLocation
    var policy: LinkPolicy?
    var capacity: Int?
}
