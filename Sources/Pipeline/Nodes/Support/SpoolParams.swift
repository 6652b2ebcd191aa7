// SPDX-License-Identifier: Apache-2.0
internal import PipelineLanguage

/// The parameters of nodes that keep messages while their receiver is away.
enum SpoolParams {
    static let bytes = Param.integer(
        "spoolBytes", default: 16 << 20, range: 1024...1 << 30, unit: "bytes",
        doc: "Room for messages while the receiver is away; the oldest give way, counted")
    static let age = Param.duration(
        "spoolAge", default: .seconds(3600), seconds: 1...31_536_000,
        doc: "Age at which a message is not sent any more")
    static let file = Param.path(
        "spoolFile", role: .output, doc: "File that keeps what waits over a restart; in memory alone when absent"
    ).optional

    /// The spool that `settings` ask for.
    ///
    /// - Throws: `OutputError` where its file cannot be used.
    static func spool(_ settings: Settings) throws -> MessageSpool {
        try MessageSpool(bytes: settings[bytes], age: settings[age].inSeconds, file: settings[file])
    }
}
