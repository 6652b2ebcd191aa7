// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Media

/// What a camera offers: formats, their sizes, their rates.
public struct CameraFormat: Sendable, Hashable, Encodable {
    /// A size, or a range of them, with the rates there.
    public struct Size: Sendable, Hashable, Encodable, CustomStringConvertible {
        /// Smallest width and height; the only one where the size is fixed.
        public var width, height: Int
        /// Largest width and height.
        public var maxWidth, maxHeight: Int
        /// Steps between sizes of a range; 1 for a fixed size.
        public var stepWidth, stepHeight: Int
        /// Frames per second, highest first; empty where the driver does not say.
        public var rates: [Double]
        /// Whether every rate between the lowest and the highest is offered.
        public var isAnyRate: Bool

        /// Whether it is one size only.
        public var isFixed: Bool { width == maxWidth && height == maxHeight }

        /// `640x480 at 30, 25 fps`.
        public var description: String {
            var result = "\(width)x\(height)"
            if !isFixed {
                result += " to \(maxWidth)x\(maxHeight)"
                if stepWidth > 1 || stepHeight > 1 { result += " in steps of \(stepWidth)x\(stepHeight)" }
            }
            guard let highest = rates.first, let lowest = rates.last else { return result }
            let listed = rates.map { NumberText.decimal($0) }
            return result + " at "
                + (isAnyRate
                    ? "\(NumberText.decimal(lowest)) to \(NumberText.decimal(highest))"
                    : listed.joined(separator: ", "))
                + " fps"
        }

        /// The offered size nearest to a wish.
        func nearest(to wish: (width: Int, height: Int)) -> (width: Int, height: Int) {
            func near(_ value: Int, _ least: Int, _ most: Int, _ step: Int) -> Int {
                guard value > least else { return least }
                guard value < most else { return most }
                let step = max(1, step)
                return min(most, least + (value - least + step / 2) / step * step)
            }
            return (near(wish.width, width, maxWidth, stepWidth), near(wish.height, height, maxHeight, stepHeight))
        }

        /// The offered rate nearest to a wish; the wish itself where the driver does not say.
        func nearest(to wish: Double) -> Double {
            guard let highest = rates.first, let lowest = rates.last else { return wish }
            if isAnyRate { return min(highest, max(lowest, wish)) }
            return rates.min { abs($0 - wish) < abs($1 - wish) } ?? wish
        }
    }

    /// The formats that vpipe reads, cheapest first.
    public static var readable: [String] { CaptureFormat.all.map(\.code.description) }

    /// The four letters.
    public var code: String
    /// The driver's words.
    public var name: String
    /// Whether vpipe can use it.
    public var isReadable: Bool
    /// In the driver's order; empty where it does not say.
    public var sizes: [Size]
}

/// What is asked of a camera; what is nil is left to it.
struct CameraWish: Sendable, Hashable {
    var size: (width: Int, height: Int)? {
        get { width.flatMap { width in height.map { (width, $0) } } }
        set { (width, height) = (newValue?.width, newValue?.height) }
    }
    private var width: Int?
    private var height: Int?
    var rate: Double?
    var format: FourCC?
    /// Whether the nearest is not good enough.
    var isExact = false

    init(size: (width: Int, height: Int)? = nil, rate: Double? = nil, format: FourCC? = nil, isExact: Bool = false) {
        self.size = size
        self.rate = rate
        self.format = format
        self.isExact = isExact
    }

    /// What nobody's wish comes to.
    static let usualSize = (width: 1280, height: 720)
    static let usualRate = 30.0
}

/// What will be asked of the driver.
struct CameraChoice: Hashable {
    var format: FourCC
    var width: Int
    var height: Int
    /// Frames per second.
    var rate: Double
}

extension CameraWish {
    /// The nearest offer: by format if one is named, then size, then a rate that is not too low, then cost.
    ///
    /// - Throws: `unsuited` with the list of what there is.
    func choose(from formats: [CameraFormat]) throws(CameraError) -> CameraChoice {
        let readable = formats.filter(\.isReadable)
        guard !readable.isEmpty else {
            let names = formats.map(\.code).joined(separator: ", ")
            throw CameraError(
                .unsuited, formats.isEmpty ? "offers no format" : "offers no format that vpipe reads (it has \(names))")
        }
        let allowed = format.map { wanted in readable.filter { $0.code == wanted.description } } ?? readable
        guard !allowed.isEmpty else {
            throw CameraError(
                .unsuited, "has no format \(format?.description ?? ""); it offers:\n" + Self.list(readable))
        }
        var best: (cost: [Double], choice: CameraChoice)?
        for offer in allowed {
            guard let code = FourCC(offer.code), let rank = CaptureFormat.rank(of: code) else { continue }
            for size in offer.sizes.isEmpty ? [Self.anySize] : offer.sizes {
                let (cost, choice) = weigh(size, code, rank: rank)
                if best.map({ cost.lexicographicallyPrecedes($0.cost) }) ?? true { best = (cost, choice) }
            }
        }
        guard let choice = best?.choice else { throw CameraError(.unsuited, "offers no format that vpipe reads") }
        if isExact, let lacking = lacking(choice.width, choice.height, choice.rate) {
            throw CameraError(.unsuited, "\(lacking); it offers:\n" + Self.list(allowed))
        }
        return choice
    }

    /// What is not as wished, in words; nil when all is.
    func lacking(_ width: Int, _ height: Int, _ rate: Double?) -> String? {
        if let size, size != (width, height) {
            return "has no size \(size.width)x\(size.height), the nearest is \(width)x\(height)"
        }
        if let wanted = self.rate, let rate, abs(rate - wanted) > Self.tolerance * wanted {
            return "has no \(NumberText.decimal(wanted)) frames per second at \(width)x\(height), the nearest is "
                + NumberText.decimal(rate)
        }
        return nil
    }

    private func weigh(_ size: CameraFormat.Size, _ code: FourCC, rank: Int) -> ([Double], CameraChoice) {
        let wanted = self.size ?? Self.usualSize
        let wantedRate = rate ?? Self.usualRate
        let (width, height) = size.nearest(to: wanted)
        let rate = size.nearest(to: wantedRate)
        let distance = abs(width - wanted.width) + abs(height - wanted.height)
        let lack = max(0, wantedRate - rate)
        let cost = [
            Double(distance), lack > Self.tolerance * wantedRate ? lack : 0, Double(rank), abs(rate - wantedRate),
        ]
        return (cost, CameraChoice(format: code, width: width, height: height, rate: rate))
    }

    /// 29.97 is 30.
    private static let tolerance = 0.02
    /// Stands for the sizes of a driver that does not list them.
    private static let anySize = CameraFormat.Size(
        width: 1, height: 1, maxWidth: 1 << 15, maxHeight: 1 << 15, stepWidth: 1, stepHeight: 1, rates: [],
        isAnyRate: true)

    // MARK: Words

    /// The offers, a line for each format and size.
    static func list(_ formats: [CameraFormat]) -> String {
        formats.flatMap { format in
            format.sizes.isEmpty
                ? ["  \(format.code)"] : format.sizes.map { "  \(format.code) \($0)" }
        }.joined(separator: "\n")
    }
}
