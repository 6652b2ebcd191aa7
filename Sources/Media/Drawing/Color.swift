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
    func lightened(by share: Float) -> Color {
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

/// A colour in the values of one picture: what the blending loops read.
struct YUVColor: Equatable {
    var y: Int16
    var u: Int16
    var v: Int16
    /// Opacity in 128ths, 0...128.
    var alpha: Int16

    /// Converts by ITU-T H.273 section 8.3: luma coefficients of the matrix, quantised to the range.
    init(_ color: Color, in spec: ColorSpec) {
        let (kr, kb): (Float, Float) =
            switch spec.matrix {
            case .bt601: (0.299, 0.114)
            case .bt709: (0.2126, 0.0722)
            case .bt2020: (0.2627, 0.0593)
            }
        let red = Float(color.red) / 255
        let green = Float(color.green) / 255
        let blue = Float(color.blue) / 255
        let luma = kr * red + (1 - kr - kb) * green + kb * blue
        let cb = (blue - luma) / (2 * (1 - kb))
        let cr = (red - luma) / (2 * (1 - kr))
        let (offset, excursion, chroma): (Float, Float, Float) =
            switch spec.range {
            case .limited: (16, 219, 224)
            case .full: (0, 255, 255)
            }
        func quantise(_ value: Float) -> Int16 { Int16(max(0, min(255, value.rounded()))) }
        y = quantise(offset + excursion * luma)
        u = quantise(128 + chroma * cb)
        v = quantise(128 + chroma * cr)
        alpha = Int16((Int(color.alpha) * 128 + 127) / 255)
    }
}
