// SPDX-License-Identifier: Apache-2.0
@preconcurrency internal import Dispatch
internal import Foundation
internal import Pipeline
internal import PipelineLanguage

/// Reloads the pipeline file at SIGHUP; a file with errors changes nothing.
///
/// - Note: Thread-safety: thread-safe; the handler runs on a queue, not in signal context.
final class ReloadSignal: Sendable {
    private let source: any DispatchSourceSignal

    /// Listens as long as it lives.
    init(_ run: PipelineRun, file: String, overrides: [String], log: LogFormat, manager: ServiceManager) {
        signal(SIGHUP, SIG_IGN)
        source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: DispatchQueue(label: "vpipe.reload"))
        source.setEventHandler {
            manager.reloading(isOver: false)
            for line in Self.reload(run, file: file, overrides: overrides) { log.say("reload", line) }
            manager.reloading(isOver: true)
        }
        source.resume()
    }

    deinit { source.cancel() }

    private static func reload(_ run: PipelineRun, file: String, overrides: [String]) -> [String] {
        do {
            let pipeline = try PipelineFile(path: file)
                .validated(against: Installation.registry.contracts, overrides: overrides)
            let changes = try run.reload(pipeline)
            return changes.isEmpty ? ["reloaded: nothing has changed"] : changes.map { "reloaded: \($0)" }
        } catch let error as PipelineFileError {
            return error.diagnostics.map(\.description) + ["nothing was reloaded: the file has errors"]
        } catch {
            return ["\(error)"]
        }
    }
}
