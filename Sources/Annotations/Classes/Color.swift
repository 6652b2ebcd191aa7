// SPDX-License-Identifier: Apache-2.0

/// An sRGB colour with straight alpha, as people write it.
public struct Color: Sendable, Hashable {
    /// Red, 0...255.
    public var red: UInt8
    /// Green, 0...255.
    public var green: UInt8
    /// Blue, 0...255.
    public var blue: UInt8
    /// Opacity, from 0, where nothing shows, to 255, which hides what is under it.
    public var alpha: UInt8

    /// Makes a colour from its parts.
    public init(red: UInt8, green: UInt8, blue: UInt8, alpha: UInt8 = 255) {
        self.red = red
        self.green = green
        self.blue = blue
        self.alpha = alpha
    }

    /// Makes an opaque colour from `0xRRGGBB`; higher bits are ignored.
    public init(hex: UInt32) {
        self.init(
            red: UInt8(truncatingIfNeeded: hex >> 16), green: UInt8(truncatingIfNeeded: hex >> 8),
            blue: UInt8(truncatingIfNeeded: hex))
    }

    /// Reads `#RGB`, `#RRGGBB` or `#RRGGBBAA` (the `#` may be left out); nil for anything else.
    public init?(_ text: some StringProtocol) {
        let digits = text.utf8.first == UInt8(ascii: "#") ? Substring(text.dropFirst()) : Substring(text)
        guard digits.utf8.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }) else { return nil }
        guard let value = UInt32(digits, radix: 16) else { return nil }
        switch digits.utf8.count {
        case 3:
            let (red, green, blue) = (value >> 8 & 15, value >> 4 & 15, value & 15)
            self.init(hex: red * 17 << 16 | green * 17 << 8 | blue * 17)
        case 6: self.init(hex: value)
        case 8:
            self.init(hex: value >> 8)
            alpha = UInt8(truncatingIfNeeded: value)
        default: return nil
        }
    }

    /// White.
    public static let white = Color(hex: 0xFFFFFF)
    /// Black.
    public static let black = Color(hex: 0x000000)

    /// The same colour with another opacity, 0...1; outside values are clamped, NaN is opaque.
    public func opacity(_ value: Float) -> Color {
        var color = self
        color.alpha = value.isNaN ? 255 : UInt8((max(0, min(1, value)) * 255).rounded())
        return color
    }

    /// The colour on its way to white, 0...1 of it.
    package func lightened(by share: Float) -> Color {
        func mixed(_ value: UInt8) -> UInt8 { UInt8((Float(value) + (255 - Float(value)) * share).rounded()) }
        return Color(red: mixed(red), green: mixed(green), blue: mixed(blue), alpha: alpha)
    }

    /// Black or white, whichever reads better on a plate of this colour (WCAG relative luminance, crossing at 0.179).
    public var contrasting: Color {
        func linear(_ value: UInt8) -> Float {
            // The square stands for the exact sRGB curve; the crossing point moves by less than one per cent.
            let part = Float(value) / 255
            return part * part
        }
        let luminance = 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
        return luminance > 0.179 ? .black : .white
    }
}

extension Color {
    /// One of a row of saturated hues, each far from the ones before: turns by the golden angle.
    public static func distinct(_ index: Int) -> Color {
        let turn = Double(index) * 0.381966
        let hue = (turn - turn.rounded(.down)) * 6
        let value = index % 2 == 0 ? 230.0 : 170.0
        func channel(_ offset: Double) -> UInt8 {
            let place = (hue + offset).truncatingRemainder(dividingBy: 6)
            return UInt8(value * (1 - 0.75 * max(0, min(1, min(place, 4 - place)))))
        }
        return Color(red: channel(5), green: channel(3), blue: channel(1))
    }
}
