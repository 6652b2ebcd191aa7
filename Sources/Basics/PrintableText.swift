// SPDX-License-Identifier: Apache-2.0

/// One line of text for people, of words from outside: what would move a terminal's cursor, forge a line of a log or turn
/// the direction of writing is written as `\\u{1b}`.
package func printable(_ text: some StringProtocol) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return String(text) }
    var result = ""
    for scalar in text.unicodeScalars {
        if scalar.value >= 0x10FF80, scalar.value <= 0x10FFFF {
            // A byte of a file's name that is no character.
            result += "\\x" + String(scalar.value - 0x10FF00, radix: 16)
        } else if isControl(scalar) {
            result += "\\u{" + String(scalar.value, radix: 16) + "}"
        } else {
            result.unicodeScalars.append(scalar)
        }
    }
    return result
}

private func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    // C0, DELETE, C1; the separators of lines and paragraphs; marks that override the direction.
    case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069, 0x10FF80...0x10FFFF:
        true
    default: false
    }
}
