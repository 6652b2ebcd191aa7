// SPDX-License-Identifier: Apache-2.0

/// Numbers as messages and reports write them.
package enum NumberText {
    /// At most `places` decimals, and none that are zero: `25`, `29.97`, `7.5`.
    ///
    /// - Parameter places: 0 to 9.
    package static func decimal(_ value: Double, places: Int = 2) -> String {
        let text = fixed(value, places: places)
        guard text.contains(".") else { return text }
        let cut = text.reversed().drop { $0 == "0" }.drop { $0 == "." }
        return String(cut.reversed())
    }

    /// Exactly `places` decimals: `25.00`; `-` for what is no number, or larger than anything that is counted.
    ///
    /// - Parameter places: 0 to 9.
    package static func fixed(_ value: Double, places: Int) -> String {
        guard value.isFinite, value.magnitude < 1e9 else { return "-" }
        var scale = 1
        for _ in 0..<places { scale *= 10 }
        let scaled = Int((value.magnitude * Double(scale)).rounded())
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard places > 0 else { return sign + String(scaled) }
        let part = String(scaled % scale)
        return sign + String(scaled / scale) + "." + String(repeating: "0", count: places - part.count) + part
    }

    /// How often: `once`, `twice`, `3 times`.
    package static func times(_ count: Int) -> String {
        switch count {
        case 1: "once"
        case 2: "twice"
        default: "\(count) times"
        }
    }
}
