// SPDX-License-Identifier: Apache-2.0
internal import Inference
internal import Pipeline
internal import Server

/// What the command line runs pipelines with; everything below it is handed these.
enum Installation {
    /// The node types that pipeline files can use.
    static let registry = NodeRegistry.complete

    /// The engine that networks run on, opened once.
    ///
    /// - Throws: `InferenceError` saying what to install.
    static var engine: any InferenceEngine { get throws { try OpenVINOEngine.shared() } }
}
