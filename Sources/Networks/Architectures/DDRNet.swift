// SPDX-License-Identifier: Apache-2.0

/// DDRNet, a real-time segmentation network: two branches of different resolution that exchange features twice, and a
/// pyramid of pooled contexts (DAPPM) at the end of the coarse one.
///
/// - Note: Paper: Hong et al., "Deep Dual-resolution Networks for Real-time and Accurate Semantic Segmentation of Road
///   Scenes", 2021 (arXiv 2101.06085).
/// - Note: Reference: ydhongHIT/DDRNet (MIT). The last block of a stage returns the bare sum: its consumers apply the
///   ReLU, and the fine branch receives the coarse one as it was before the fine one was added to it. Average pools
///   divide by the whole window, padding included. Resizes use half-pixel centres.
/// - Note: Weights: keys are those of the reference; the head that only training uses (`seghead_extra`) is left out.
/// - Note: Shape: `image` `[1, 3, H, W]` f32, RGB, `(byte / 255 - mean) / deviation` of ImageNet; H and W are multiples
///   of 8. `logits` `[1, classes, H/8, W/8]`.
/// - Note: Size with 19 classes: 23-slim 5,695,987 parameters, 36.281 G MACs at 2048x1024; 23 20,148,947 and 143.061 G;
///   39 32,360,275 and 281.116 G.
public struct DDRNet: Sendable, Hashable {
    /// The three published depths and widths.
    public enum Variant: String, Sendable, Hashable, CaseIterable {
        case slim23 = "23-slim"
        case plain23 = "23"
        case deep39 = "39"

        /// Channels of the stem.
        var planes: Int { self == .slim23 ? 32 : 64 }
        /// Channels of the segmentation head.
        var headPlanes: Int {
            switch self {
            case .slim23: 64
            case .plain23: 128
            case .deep39: 256
            }
        }
        /// Blocks of the four residual stages.
        var blocks: [Int] { self == .deep39 ? [3, 4, 6, 3] : [2, 2, 2, 2] }
        /// Names the third stage's parts are stored under: the deepest variant exchanges features in its middle, too.
        var thirdStage: [String] { self == .deep39 ? ["3_1", "3_2"] : ["3"] }
    }

    /// Which of the three.
    public let variant: Variant
    /// Channels of the output.
    public let classes: Int

    /// The network for Cityscapes' 19 classes by default.
    public init(_ variant: Variant, classes: Int = 19) {
        self.variant = variant
        self.classes = classes
    }

    /// Multiples of the fine branch's stride: others would not add up with the coarse branch.
    public static let sizes = SizeRule(multiple: stride, minimum: stride, maximum: 8192)
    /// RGB bytes by ImageNet's mean and deviation, the image stretched.
    public static let normalisation = InputNormalisation(
        channelOrder: .rgb, mean: [Float]([0.485, 0.456, 0.406]).map { $0 * 255 },
        scale: [Float]([0.229, 0.224, 0.225]).map { 1 / ($0 * 255) }, fit: .stretch)
    /// Input pixels per output cell, in both axes.
    public static let stride = 8
    /// How many classes weights can have.
    public static let classLimits = 2...254

    private static let poolChannels = 128

    /// The variant and the number of classes that weights are for; nil where they are no DDRNet's.
    public init?(weights: Weights) {
        guard let stem = weights["conv1.0.weight"]?.shape, let head = weights["final_layer.conv2.weight"]?.shape,
            stem.count == 4, head.count == 4, Self.classLimits.contains(head[0])
        else { return nil }
        let isDeep = weights["layer3_1.0.conv1.weight"] != nil
        self.init(isDeep ? .deep39 : stem[0] == Variant.slim23.planes ? .slim23 : .plain23, classes: head[0])
    }

    /// Builds the network at an input size.
    ///
    /// - Throws: `NetworkError.Code.size` naming the nearest possible sizes, `.weights` for an impossible class count.
    public func network(at size: InputSize) throws(NetworkError) -> Network {
        let name = "ddrnet \(variant.rawValue)"
        try Self.sizes.check(size, for: name)
        guard Self.classLimits.contains(classes) else {
            throw NetworkError(.weights, path: name, "\(classes) classes; there can be \(Self.classLimits)")
        }
        let b = NetworkBuilder(name: Self.family.name, variant: variant.rawValue)
        let image = try b.input("image", shape: [1, 3, size.height, size.width])
        let planes = variant.planes
        let blocks = variant.blocks

        var x = try stem(b, image)
        x = try stage(b, "layer1", x, planes, blocks: blocks[0])
        x = try stage(b, "layer2", b.relu("layer1.relu", x), planes * 2, blocks: blocks[1], stride: 2)

        // From here on two branches; `low` is the coarse one.
        var (low, high) = (x, x)
        for (index, part) in variant.thirdStage.enumerated() {
            (low, high) = try exchange(
                b, part, low, high, lowPlanes: planes * 4, highPlanes: planes * 2,
                blocks: blocks[2] / variant.thirdStage.count, stride: index == 0 ? 2 : 1)
        }
        (low, high) = try exchange(
            b, "4", low, high, lowPlanes: planes * 8, highPlanes: planes * 2, blocks: blocks[3], stride: 2)

        high = try bottleneck(b, "layer5_.0", b.relu("high4.relu", high), planes * 2)
        low = try bottleneck(b, "layer5.0", b.relu("low4.relu", low), planes * 8, stride: 2)
        low = try pyramid(b, "spp", low, outputChannels: planes * 4)
        let up = try b.resize("spp.up", low, .bilinear, height: high.height, width: high.width)
        try b.output("logits", head(b, "final_layer", b.add("fused", up, high)))
        return b.build()
    }

    // MARK: - Residual stages

    private func stem(_ b: NetworkBuilder, _ image: Value) throws(NetworkError) -> Value {
        var x = image
        for first in [0, 3] {
            x = try b.convolution(
                "conv1.\(first)", x, outputChannels: variant.planes, kernel: 3, stride: 2, bias: true)
            x = try b.relu("conv1.\(first + 2)", b.batchNorm("conv1.\(first + 1)", x))
        }
        return x
    }

    /// Basic blocks one after the other; the sum of the last one is returned as it is.
    private func stage(
        _ b: NetworkBuilder, _ path: String, _ input: Value, _ channels: Int, blocks: Int, stride: Int = 1
    ) throws(NetworkError) -> Value {
        var x = input
        for index in 0..<blocks {
            let block = "\(path).\(index)"
            if index > 0 { x = try b.relu("\(path).\(index - 1).relu", x) }
            let stride = index == 0 ? stride : 1
            var y = try unit(b, block, 1, x, channels, kernel: 3, stride: stride)
            y = try unit(b, block, 2, y, channels, kernel: 3, hasRelu: false)
            x = try b.add("\(block).add", y, shortcut(b, block, x, channels, stride: stride))
        }
        return x
    }

    /// 1x1, 3x3, and 1x1 to twice the channels; the sum is returned as it is.
    private func bottleneck(
        _ b: NetworkBuilder, _ path: String, _ x: Value, _ channels: Int, stride: Int = 1
    ) throws(NetworkError) -> Value {
        var y = try unit(b, path, 1, x, channels)
        y = try unit(b, path, 2, y, channels, kernel: 3, stride: stride)
        y = try unit(b, path, 3, y, channels * 2, hasRelu: false)
        return try b.add("\(path).add", y, shortcut(b, path, x, channels * 2, stride: stride))
    }

    /// The n-th convolution of a block with its normalisation: `path.convN`, `path.bnN`.
    private func unit(
        _ b: NetworkBuilder, _ path: String, _ number: Int, _ x: Value, _ channels: Int, kernel: Int = 1,
        stride: Int = 1, hasRelu: Bool = true
    ) throws(NetworkError) -> Value {
        let y = try b.convolution(
            "\(path).conv\(number)", x, outputChannels: channels, kernel: kernel, stride: stride)
        let z = try b.batchNorm("\(path).bn\(number)", y)
        return hasRelu ? try b.relu("\(path).relu\(number)", z) : z
    }

    /// The block's input itself, or brought to the sum's shape.
    private func shortcut(
        _ b: NetworkBuilder, _ path: String, _ x: Value, _ channels: Int, stride: Int
    ) throws(NetworkError) -> Value {
        guard stride != 1 || x.channels != channels else { return x }
        return try b.convolutionBlock(
            "\(path).downsample", x, outputChannels: channels, stride: stride, .none)
    }

    // MARK: - Two branches

    /// A stage of both branches, and what each hands to the other: `layerN`, `layerN_`, `downN`, `compressionN`.
    private func exchange(
        _ b: NetworkBuilder, _ part: String, _ low: Value, _ high: Value, lowPlanes: Int, highPlanes: Int,
        blocks: Int, stride: Int
    ) throws(NetworkError) -> (low: Value, high: Value) {
        let lowInput = try b.relu("layer\(part).input", low)
        let highInput = low == high ? lowInput : try b.relu("layer\(part)_.input", high)
        let coarse = try stage(b, "layer\(part)", lowInput, lowPlanes, blocks: blocks, stride: stride)
        let fine = try stage(b, "layer\(part)_", highInput, highPlanes, blocks: blocks)

        var down = try b.relu("down\(part).input", fine)
        // Every halving doubles the channels until those of the coarse branch are reached.
        var member = 0
        while down.channels < lowPlanes {
            let channels = down.channels * 2
            down = try b.convolutionBlock(
                "down\(part)", first: member, down, outputChannels: channels, kernel: 3, stride: 2,
                channels < lowPlanes ? .relu : .none)
            member += 3
        }
        var up = try b.convolutionBlock(
            "compression\(part)", b.relu("compression\(part).input", coarse), outputChannels: highPlanes, .none)
        up = try b.resize("compression\(part).up", up, .bilinear, height: fine.height, width: fine.width)
        return (try b.add("low\(part)", coarse, down), try b.add("high\(part)", fine, up))
    }

    // MARK: - Context and head

    /// DAPPM: the map pooled at four scales, each refined together with the one before, and joined.
    private func pyramid(
        _ b: NetworkBuilder, _ path: String, _ x: Value, outputChannels: Int
    ) throws(NetworkError) -> Value {
        let pools: [LayerOperation] =
            [(5, 2), (9, 4), (17, 8)].map { kernel, stride in
                .averagePool(Pooling(kernel: kernel, stride: stride, padding: .all(stride), countsPadding: true))
            } + [.globalAveragePool]
        var scales = [try activated(b, "\(path).scale0", x, Self.poolChannels)]
        for (index, pool) in pools.enumerated() {
            let scale = "\(path).scale\(index + 1)"
            let y = try activated(b, scale, first: 1, b.apply("\(scale).0", pool, x), Self.poolChannels)
            scales.append(try b.resize("\(scale).up", y, .bilinear, height: x.height, width: x.width))
        }
        for index in pools.indices {
            let process = "\(path).process\(index + 1)"
            let sum = try b.add("\(process).add", scales[index + 1], scales[index])
            scales[index + 1] = try activated(b, process, sum, Self.poolChannels, kernel: 3)
        }
        let joined = try b.concat("\(path).concat", scales)
        return try b.add(
            "\(path).add", activated(b, "\(path).compression", joined, outputChannels),
            activated(b, "\(path).shortcut", x, outputChannels))
    }

    /// Normalisation, ReLU, convolution, in this order: `path.first`, `path.first+1`, `path.first+2`.
    private func activated(
        _ b: NetworkBuilder, _ path: String, first: Int = 0, _ x: Value, _ channels: Int, kernel: Int = 1
    ) throws(NetworkError) -> Value {
        let y = try b.relu("\(path).\(first + 1)", b.batchNorm("\(path).\(first)", x))
        return try b.convolution("\(path).\(first + 2)", y, outputChannels: channels, kernel: kernel)
    }

    private func head(_ b: NetworkBuilder, _ path: String, _ x: Value) throws(NetworkError) -> Value {
        var y = try b.relu("\(path).relu1", b.batchNorm("\(path).bn1", x))
        y = try b.convolution("\(path).conv1", y, outputChannels: variant.headPlanes, kernel: 3)
        y = try b.relu("\(path).relu2", b.batchNorm("\(path).bn2", y))
        return try b.convolution("\(path).conv2", y, outputChannels: classes, bias: true)
    }
}

extension NetworkBuilder {
    fileprivate func relu(_ path: String, _ x: Value) throws(NetworkError) -> Value { try apply(path, .relu, x) }
}

extension DDRNet: NetworkDefinition {
    /// DDRNet.
    public static var family: NetworkFamily { .ddrnet }
    /// Depth and width: `23-slim`.
    public var variantName: String { variant.rawValue }
    /// The authors'.
    public var reference: String { "ydhongHIT/DDRNet (MIT)" }
    /// With as many classes as the weights have.
    public func adapted(to weights: Weights) -> DDRNet {
        DDRNet(variant, classes: DDRNet(weights: weights)?.classes ?? classes)
    }
}

extension NetworkFamily {
    /// A class for every pixel.
    public static let ddrnet = NetworkFamily(
        name: "ddrnet", summary: "a class for every pixel of a road scene",
        paper: "Hong et al., Deep Dual-resolution Networks for Real-time and Accurate Semantic Segmentation of "
            + "Road Scenes, 2021",
        defaultSize: InputSize(width: 2048, height: 1024), sizes: DDRNet.sizes, normalisation: DDRNet.normalisation,
        variants: [
            Variant(DDRNet.Variant.slim23.rawValue, "for CPUs"),
            Variant(DDRNet.Variant.plain23.rawValue, "four times the work"),
            Variant(DDRNet.Variant.deep39.rawValue, "eight times"),
        ],
        listed: DDRNet.Variant.allCases.map { DDRNet($0) },
        importer: { (file) throws(NetworkError) in try DDRNetImport.draft(of: file) })
}
