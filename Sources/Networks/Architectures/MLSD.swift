// SPDX-License-Identifier: Apache-2.0

/// M-LSD, a light line segment detector: MobileNetV2 encoder, fusing decoder, centre and displacement maps.
///
/// - Note: Paper: Gu et al., "Towards Light-weight and Real-time Line Segment Detection", AAAI 2022.
/// - Note: Reference: navervision/mlsd, the TensorFlow graph of the published `.tflite` files (Apache-2.0).
///   Resizes use half-pixel centres and come before the 1x1 convolution of the deep path; stride-2 convolutions pad at
///   the bottom and right only.
/// - Note: Weights: the published files, Apache-2.0, different ones for 320 and 512; keys are those of the PyTorch port
///   (`backbone.features.*`, `block12` and up), so port-named files load as they are.
/// - Note: Shape: `image` `[1, 3, S, S]` f32, RGB, `byte / 127.5 - 1`; sizes are multiples of 16.
///   `centre` `[1, 1, S/2, S/2]` and `displacement` `[1, 4, S/2, S/2]` (start x, start y, end x, end y, in map pixels).
/// - Note: Size: tiny 619,280 parameters, 4.203 G MACs at 512; large 1,531,984 and 25.711 G (16-channel head).
public struct MLSD: Sendable, Hashable {
    /// The two published sizes.
    public enum Variant: String, Sendable, Hashable, CaseIterable { case tiny, large }

    /// What the last convolution computes and which outputs the network has.
    public enum Head: Sendable, Hashable {
        /// Only what decoding needs: `centre` as scores 0...1 after the sigmoid, and `displacement`.
        case lines
        /// The same with `centre` before the sigmoid.
        case lineLogits
        /// One output `logits` `[1, 16, S/2, S/2]`: everything that training supervises.
        case full
    }

    /// Which of the two.
    public let variant: Variant
    /// Which outputs the network has.
    public let head: Head
    /// Whether the graph itself turns byte values (as floats) into normalised ones.
    public let normalisesInput: Bool

    /// The network for finding lines by default, taking normalised input.
    public init(_ variant: Variant, head: Head = .lines, normalisesInput: Bool = false) {
        self.variant = variant
        self.head = head
        self.normalisesInput = normalisesInput
    }

    /// Multiples of the encoder's stride.
    public static let sizes = SizeRule(multiple: 16, minimum: 32, maximum: 4096)
    /// RGB bytes to -1...1, the image stretched.
    public static let normalisation = InputNormalisation(
        channelOrder: .rgb, mean: [127.5, 127.5, 127.5], scale: [Float](repeating: 1 / 127.5, count: 3), fit: .stretch)
    /// The head's channel that scores line centres, and those that hold the four displacements.
    public static let centreChannel = 7
    /// The head's channels with start x, start y, end x and end y relative to the centre.
    public static let displacementChannels = 8..<12

    private static let encoderEpsilon: Float = 1e-3
    private static let decoderEpsilon: Float = 1e-5
    /// Encoder stages: expansion, output channels, blocks, stride of the first block.
    private static let stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1)]

    /// Encoder stages used and the decoder's levels from deep to shallow: the encoder block whose output is the skip,
    /// and the channels after fusing each branch.
    private var plan: (stages: Int, deepest: Int, firstBlock: Int, levels: [(skip: Int, channels: Int)]) {
        switch variant {
        case .tiny: (4, 10, 12, [(6, 64), (3, 32)])
        case .large: (5, 13, 15, [(10, 64), (6, 64), (3, 64), (1, 64)])
        }
    }

    /// Builds the network at an input size.
    ///
    /// - Throws: `NetworkError.Code.size` naming the nearest possible sizes.
    public func network(at size: InputSize) throws(NetworkError) -> Network {
        try Self.sizes.check(size, for: "mlsd \(variant.rawValue)")
        let b = NetworkBuilder(name: Self.family.name, variant: variant.rawValue)
        var x = try b.input("image", shape: [1, 3, size.height, size.width])
        if normalisesInput { x = try b.apply("normalisation", Self.normalisation.operation, x) }

        let features = try encoder(b, x)
        let plan = self.plan
        var block = plan.firstBlock
        x = features[plan.deepest]
        for level in plan.levels {
            x = try fuse(b, block, deep: x, skip: features[level.skip], channels: level.channels)
            x = try refine(b, block + 1, x, outputChannels: 64)
            block += 2
        }
        try outputs(b, block, x, size)
        return b.build()
    }

    // MARK: - Encoder

    /// Outputs of `backbone.features.N`, N = 0 for the stem.
    private func encoder(_ b: NetworkBuilder, _ image: Value) throws(NetworkError) -> [Value] {
        var x = try b.convolutionBlock(
            "backbone.features.0", image, inputChannels: 3, outputChannels: 32, kernel: 3, stride: 2,
            padding: Padding(bottom: 1, right: 1), epsilon: Self.encoderEpsilon, .relu6)
        var features = [x]
        for (expansion, channels, count, stride) in Self.stages.prefix(plan.stages) {
            for index in 0..<count {
                x = try invertedResidual(
                    b, "backbone.features.\(features.count)", x, expansion: expansion, outputChannels: channels,
                    stride: index == 0 ? stride : 1)
                features.append(x)
            }
        }
        return features
    }

    private func invertedResidual(
        _ b: NetworkBuilder, _ path: String, _ x: Value, expansion: Int, outputChannels: Int, stride: Int
    ) throws(NetworkError) -> Value {
        let hidden = x.channels * expansion
        var y = x
        var member = 0
        if expansion != 1 {
            y = try b.convolutionBlock(
                "\(path).conv.0", y, outputChannels: hidden, epsilon: Self.encoderEpsilon, .relu6)
            member = 1
        }
        y = try b.convolutionBlock(
            "\(path).conv.\(member)", y, outputChannels: hidden, kernel: 3, stride: stride,
            padding: stride == 2 ? Padding(bottom: 1, right: 1) : .all(1), groups: hidden,
            epsilon: Self.encoderEpsilon, .relu6)
        y = try b.convolutionBlock(
            "\(path).conv", first: member + 1, y, outputChannels: outputChannels, epsilon: Self.encoderEpsilon, .none)
        return stride == 1 && x.channels == outputChannels ? try b.add("\(path).add", x, y) : y
    }

    // MARK: - Decoder

    /// Brings the deep path to the skip's size, evens the channels of both and joins them, skip first.
    private func fuse(
        _ b: NetworkBuilder, _ block: Int, deep: Value, skip: Value, channels: Int
    ) throws(NetworkError) -> Value {
        let path = "block\(block)"
        let large = try b.resize("\(path).resize", deep, .bilinear, height: skip.height, width: skip.width)
        let left = try b.convolutionBlock(
            "\(path).conv1", large, outputChannels: channels, epsilon: Self.decoderEpsilon, .relu)
        let right = try b.convolutionBlock(
            "\(path).conv2", skip, outputChannels: channels, epsilon: Self.decoderEpsilon, .relu)
        return try b.concat("\(path).concat", [right, left])
    }

    private func refine(
        _ b: NetworkBuilder, _ block: Int, _ x: Value, outputChannels: Int
    ) throws(NetworkError) -> Value {
        let path = "block\(block)"
        let y = try b.convolutionBlock(
            "\(path).conv1", x, outputChannels: x.channels, kernel: 3, epsilon: Self.decoderEpsilon, .relu)
        let sum = try b.add("\(path).add", y, x)
        return try b.convolutionBlock(
            "\(path).conv2", sum, outputChannels: outputChannels, kernel: 3, epsilon: Self.decoderEpsilon, .relu)
    }

    private func outputs(
        _ b: NetworkBuilder, _ block: Int, _ features: Value, _ size: InputSize
    ) throws(NetworkError) {
        let path = "block\(block)"
        var x = try b.convolutionBlock(
            "\(path).conv1", features, outputChannels: 64, kernel: 3, dilation: 5, epsilon: Self.decoderEpsilon, .relu)
        x = try b.convolutionBlock(
            "\(path).conv2", x, outputChannels: 64, kernel: 3, epsilon: Self.decoderEpsilon, .relu)
        let kept = Self.centreChannel..<Self.displacementChannels.upperBound
        x = try b.convolution(
            "\(path).conv3", x, outputChannels: 16, bias: true, rows: head == .full ? nil : kept)
        // The tiny decoder ends at a quarter of the input; its maps are enlarged, the large one's already fit.
        x = try b.resize("\(path).resize", x, .bilinear, height: size.height / 2, width: size.width / 2)
        guard head != .full else { return try b.output("logits", x) }
        var centre = try b.apply("\(path).centre", .slice(axis: 1, range: 0..<1), x)
        if head == .lines { centre = try b.apply("\(path).score", .sigmoid, centre) }
        try b.output("centre", centre)
        try b.output("displacement", b.apply("\(path).displacement", .slice(axis: 1, range: 1..<5), x))
    }
}

extension MLSD: NetworkDefinition {
    /// M-LSD.
    public static var family: NetworkFamily { .mlsd }
    /// `tiny` or `large`.
    public var variantName: String { variant.rawValue }
    /// The authors'.
    public var reference: String { "navervision/mlsd (Apache-2.0)" }
    /// With every head.
    public var supervised: MLSD { MLSD(variant, head: .full, normalisesInput: normalisesInput) }
}

extension NetworkFamily {
    /// Line segments.
    public static let mlsd = NetworkFamily(
        name: "mlsd", summary: "line segments",
        paper: "Gu et al., Towards Light-weight and Real-time Line Segment Detection, AAAI 2022",
        defaultSize: InputSize(width: 512, height: 512), sizes: MLSD.sizes, normalisation: MLSD.normalisation,
        variants: MLSD.Variant.allCases.map { Variant($0.rawValue) }, listed: MLSD.Variant.allCases.map { MLSD($0) },
        importer: { (file) throws(NetworkError) in try MLSDImport.draft(of: file) })
}
