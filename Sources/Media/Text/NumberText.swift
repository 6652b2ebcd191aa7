// SPDX-License-Identifier: Apache-2.0

/// Numbers as messages and reports write them.
package enum NumberText {
    /// At most two decimals, and none where there are none: `25`, `29.97`, `7.5`.
    ///
    /// Negative numbers read as 0, numbers above a million as a million.
    package static func decimal(_ value: Double) -> String {
        let hundredths = Int((min(max(value, 0), 1e6) * 100).rounded())
        if hundredths % 100 == 0 { return "\(hundredths / 100)" }
        let rest = hundredths % 100
        return "\(hundredths / 100)." + (rest % 10 == 0 ? "\(rest / 10)" : rest < 10 ? "0\(rest)" : "\(rest)")
    }
}
