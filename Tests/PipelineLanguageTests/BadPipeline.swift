// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import PipelineLanguage

/// A pipeline text with faults, and exactly what must be said about it.
struct BadPipeline: Sendable, CustomTestStringConvertible {
    let name: String
    let text: String
    let overrides: [String]
    let environment: [String: String]
    let expected: String

    init(
        _ name: String, set overrides: [String] = [], environment: [String: String] = [:], _ text: String,
        expect expected: String
    ) {
        self.name = name
        self.text = text
        self.overrides = overrides
        self.environment = environment
        self.expected = expected
    }

    var testDescription: String { name }

    /// What the checker says, one diagnostic after the other.
    var messages: String {
        Sample.messages(text, set: overrides, environment: environment).joined(separator: "\n")
    }
}
