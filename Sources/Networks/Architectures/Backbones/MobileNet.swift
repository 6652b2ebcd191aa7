// SPDX-License-Identifier: Apache-2.0

/// MobileNetV1's body at a width: what the light detectors read their features from.
///
/// - Note: Paper: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications",
///   2017: every layer's channels times the width multiplier; the resolution multiplier is the input size itself.
/// - Note: Keys: `body.stageS.I.{0,1}` depthwise (the stem: plain) convolution and batch norm, `.{3,4}` the pointwise ones.
/// - Note: Shape: strides 8, 16 and 32 with 256, 512 and 1024 channels times `width`.
public struct MobileNet: Sendable, Hashable {
    /// Multiplies the channels of every layer.
    public let width: Double

    /// The widths that can be built: eighths, so that every layer has whole channels in groups of four.
    public static let widths: ClosedRange<Double> = 0.125...2
    private static let step = 0.125

    /// The published width of the light detectors.
    public static let quarter = MobileNet(checked: 0.25)

    /// A body of a width.
    ///
    /// - Throws: `NetworkError.Code.unknown` naming the nearest widths that can be built.
    public init(width: Double) throws(NetworkError) {
        guard Self.widths.contains(width), (width / Self.step).rounded() * Self.step == width else {
            throw NetworkError(
                .unknown, path: "mobilenet",
                "a width of \(width) is not possible: it must be a multiple of \(Self.step) from "
                    + "\(Self.widths.lowerBound) to \(Self.widths.upperBound); nearest: \(Self.nearest(to: width))")
        }
        self.init(checked: width)
    }

    private init(checked width: Double) { self.width = width }

    /// Reads `mobilenet0.25`; nil for names of other backbones.
    ///
    /// - Throws: `NetworkError.Code.unknown` for widths that cannot be built.
    public init?(name: some StringProtocol) throws(NetworkError) {
        guard name.hasPrefix(Self.prefix), let width = Double(name.dropFirst(Self.prefix.count)) else { return nil }
        try self.init(width: width)
    }

    /// `mobilenet0.25`: the name catalogue variants start with.
    public var name: String { "\(Self.prefix)\(width)" }

    private static let prefix = "mobilenet"

    /// The widths that the light detectors' users choose from; every other one works, too, where its weights are named.
    static let usualWidths = [0.25, 0.5, 0.75, 1].map { NetworkFamily.Variant(MobileNet(checked: $0).name) }

    /// The channels that `channels` of width 1 become.
    func scaled(_ channels: Int) -> Int { Int(Double(channels) * width) }

    /// Appends the body; its outputs at strides 8, 16 and 32.
    func stages(_ b: NetworkBuilder, _ image: Value, _ activation: Activation) throws(NetworkError) -> [Value] {
        var x = image
        var stages: [Value] = []
        for (stage, entries) in Self.table.enumerated() {
            for (index, entry) in entries.enumerated() {
                let path = "body.stage\(stage + 1).\(index)"
                if stage == 0, index == 0 {
                    x = try b.convolutionBlock(
                        path, x, inputChannels: 3, outputChannels: scaled(entry.channels), kernel: 3,
                        stride: entry.stride, activation)
                    continue
                }
                x = try b.convolutionBlock(
                    path, x, outputChannels: x.channels, kernel: 3, stride: entry.stride, groups: x.channels,
                    activation)
                x = try b.convolutionBlock(path, first: 3, x, outputChannels: scaled(entry.channels), activation)
            }
            stages.append(x)
        }
        return stages
    }

    /// Output channels at width 1 and stride, per stage; entry 0 of stage 1 is the plain stem.
    private static let table: [[(channels: Int, stride: Int)]] = [
        [(32, 2), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1)],
        [(512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1)],
        [(1024, 2), (1024, 1)],
    ]

    private static func nearest(to width: Double) -> String {
        guard width > widths.lowerBound else { return "\(widths.lowerBound)" }  // also for a NaN
        guard width < widths.upperBound else { return "\(widths.upperBound)" }
        let below = (width / step).rounded(.down) * step
        return "\(below) or \(below + step)"
    }
}
