// SPDX-License-Identifier: Apache-2.0
package import Inference

/// For runs of pipelines without networks: asking for it fails.
@Sendable package func noEngine() throws -> any InferenceEngine {
    throw InferenceError(.libraryMissing, operation: "test", detail: "a pipeline without networks opens no engine")
}
