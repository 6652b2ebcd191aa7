// SPDX-License-Identifier: Apache-2.0
internal import Pipeline
internal import PipelineLanguage

extension PipelineRun {
    /// Puts a new value of a parameter into force, through the controller, as a reload would; the file is not written.
    ///
    /// - Parameters:
    ///   - value: as after the `=` of `--set node.parameter=value`.
    ///   - author: what the change came through, for the event and the report.
    /// - Returns: whether it is in force, and what changed or why not.
    func change(
        _ parameter: String, of node: String, to value: String, by author: String
    ) -> (isDone: Bool, text: String) {
        let pipeline = pipeline
        guard pipeline[node]?.contract.parameters.contains(where: { $0.name == parameter && $0.isChangeable }) == true
        else { return (false, "\(node).\(parameter) cannot be changed while running") }
        do {
            let lines = try adjust(pipeline.setting(parameter, of: node, to: value), by: author)
            return (true, lines.isEmpty ? "nothing has changed" : lines.joined(separator: "\n"))
        } catch let error as PipelineFileError {
            return (false, error.diagnostics.map(\.message).joined(separator: "\n"))
        } catch {
            return (false, "\(error)")
        }
    }
}
