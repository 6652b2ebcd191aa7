// SPDX-License-Identifier: Apache-2.0

/// What the program calls itself.
package enum Product {
    /// The version, as the changelog has it.
    package static let version = "0.2.0"
}
