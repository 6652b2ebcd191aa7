// SPDX-License-Identifier: Apache-2.0

/// Why an output cannot be made or written, in one sentence.
package struct OutputError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
