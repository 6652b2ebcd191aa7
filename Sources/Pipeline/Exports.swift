// SPDX-License-Identifier: Apache-2.0

// `import Pipeline` is all that an embedder writes: frames, what they carry, contracts and reports come with it.
@_exported public import Annotations
@_exported public import Dataflow
@_exported public import Media
@_exported public import PipelineLanguage
