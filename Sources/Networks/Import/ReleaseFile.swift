// SPDX-License-Identifier: Apache-2.0

/// A published file as the reader of its format gives it to the families' importers.
enum ReleaseFile {
    /// Tensors with names, wrappers of training scripts taken off.
    struct Named {
        let weights: Weights
        /// The names that the tensors have in the file.
        let origin: [String: String]
        /// For reports.
        let format: String
    }

    /// PyTorch and safetensors.
    case named(Named)
    /// Caffe: layers with names and nameless blobs.
    case layers(CaffeReader)
    /// TensorFlow Lite: operators in the order they run.
    case operators(TFLiteReader)
}
