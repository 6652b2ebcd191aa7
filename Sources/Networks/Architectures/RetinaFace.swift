// SPDX-License-Identifier: Apache-2.0

/// RetinaFace, a single-stage face detector with five landmarks: backbone, feature pyramid, context modules, heads.
///
/// - Note: Paper: Deng et al., "RetinaFace: Single-stage Dense Face Localisation in the Wild", CVPR 2020.
/// - Note: Reference: biubug6/Pytorch_Retinaface (family `.leaky`) and biubug6/Face-Detector-1MB-with-landmark
///   (families `.relu` and `.first`), both MIT. Their checkpoints have the same keys and shapes: only the family tells
///   them apart, and a wrong one gives wrong boxes without any error.
/// - Note: Weights: the published `.pth` files (MIT code; trained on WIDER FACE, a research data set).
/// - Note: Shape: `image` `[1, 3, H, W]` f32, BGR, byte values minus (104, 117, 123); any size.
///   `loc` `[1, A, 4]`, `conf` `[1, A, 2]` (background, face; after the softmax), `landms` `[1, A, 10]`, with
///   `A = 2 * sum over strides s of ceil(H/s) * ceil(W/s)`; row `((y * columns) + x) * 2 + anchor`, strides 8, 16, 32.
/// - Note: Size: mobilenet0.25 has 426,608 parameters and 981.1 M MACs at 640x640.
public struct RetinaFace: Sendable, Hashable {
    /// The published trainings of the same layout.
    public enum Family: String, Sendable, Hashable, CaseIterable {
        /// ReLU everywhere, anchors 10/20, 32/64, 128/256.
        case relu
        /// Leaky ReLU with slope 0.1 in backbone, pyramid and context modules; anchors 16/32, 64/128, 256/512.
        case leaky
        /// The first release of the small detector: ReLU like `.relu`, anchors like `.leaky`. Measured: of its boxes on
        /// 60 WIDER FACE photos 89 % hit a face this way, 45 % and 6 % as the other families.
        case first

        /// Square anchor sizes in input pixels, per stride of `RetinaFace.strides`.
        public var anchorSizes: [[Int]] {
            switch self {
            case .relu: [[10, 20], [32, 64], [128, 256]]
            case .leaky, .first: [[16, 32], [64, 128], [256, 512]]
            }
        }

        var activation: Activation { self == .leaky ? .leakyRelu(slope: 0.1) : .relu }
    }

    /// What feeds the pyramid.
    public enum Backbone: Sendable, Hashable {
        /// MobileNetV1 with its channels scaled; published at 0.25.
        case mobileNet(width: Double)
    }

    /// What feeds the pyramid.
    public let backbone: Backbone
    /// Which training's activations and anchors are used.
    public let family: Family
    /// Whether the graph itself turns byte values (as floats) into normalised ones.
    public let normalisesInput: Bool

    /// The published network by default, taking normalised input.
    public init(_ family: Family, backbone: Backbone = .mobileNet(width: 0.25), normalisesInput: Bool = false) {
        self.family = family
        self.backbone = backbone
        self.normalisesInput = normalisesInput
    }

    /// Any size from one stride-32 cell up.
    public static let sizes = SizeRule(multiple: 1, minimum: 32, maximum: 8192)
    /// BGR bytes minus the training mean.
    public static let normalisation = InputNormalisation(
        channelOrder: .bgr, mean: [104, 117, 123], scale: [1, 1, 1], fit: .letterbox)
    /// Pixels between anchor centres, per pyramid level.
    public static let strides = [8, 16, 32]
    /// Square anchors at every cell of every level.
    public static let anchorsPerCell = 2
    /// Decoding multiplies centre offsets by the first and log sizes by the second.
    public static let variances: (centre: Float, size: Float) = (0.1, 0.2)

    /// Rows of every output at an input size.
    public static func anchorCount(at size: InputSize) -> Int {
        strides.reduce(0) { sum, stride in
            sum + anchorsPerCell * ((size.width + stride - 1) / stride) * ((size.height + stride - 1) / stride)
        }
    }

    /// `mobilenet0.25` for the ReLU family, `mobilenet0.25-leaky` and `mobilenet0.25-first` for the others.
    public var variant: String {
        switch backbone {
        case .mobileNet(let width): "mobilenet\(width)" + (family == .relu ? "" : "-\(family.rawValue)")
        }
    }

    /// The family of a catalogue variant; nil for names that are not RetinaFace's.
    public static func family(variant: String) -> Family? {
        Family.allCases.first { RetinaFace($0).variant == variant }
    }

    /// Builds the network at an input size.
    ///
    /// - Throws: `NetworkError.Code.size` naming the nearest possible sizes.
    public func network(at size: InputSize) throws(NetworkError) -> Network {
        try Self.sizes.check(size, for: "retinaface \(variant)")
        let b = NetworkBuilder(name: "retinaface", variant: variant)
        var image = try b.input("image", shape: [1, 3, size.height, size.width])
        if normalisesInput { image = try b.apply("normalisation", Self.normalisation.operation, image) }

        let stages: [Value]
        let channels: Int
        switch backbone {
        case .mobileNet(let width):
            stages = try mobileNet(b, image, width: width)
            channels = 64
        }
        var levels = try pyramid(b, stages, channels: channels)
        for index in levels.indices {
            levels[index] = try context(b, "ssh\(index + 1)", levels[index])
        }
        try b.output("loc", head(b, "BboxHead", levels, components: 4))
        let logits = try head(b, "ClassHead", levels, components: 2)
        try b.output("conf", b.apply("ClassHead.softmax", .softmax(axis: 2), logits))
        try b.output("landms", head(b, "LandmarkHead", levels, components: 10))
        return b.build()
    }

    // MARK: - Backbone

    /// Outputs of `body.stage1`, `.stage2` and `.stage3`: strides 8, 16 and 32.
    private func mobileNet(_ b: NetworkBuilder, _ image: Value, width: Double) throws(NetworkError) -> [Value] {
        func scaled(_ channels: Int) -> Int { max(1, Int((Double(channels) * width).rounded())) }
        // Output channels at width 1 and stride, per stage; entry 0 of stage 1 is the plain stem.
        let table: [[(channels: Int, stride: Int)]] = [
            [(32, 2), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1)],
            [(512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1)],
            [(1024, 2), (1024, 1)],
        ]
        var x = image
        var stages: [Value] = []
        for (stage, entries) in table.enumerated() {
            for (index, entry) in entries.enumerated() {
                let path = "body.stage\(stage + 1).\(index)"
                if stage == 0, index == 0 {
                    x = try b.convolutionBlock(
                        path, x, inputChannels: 3, outputChannels: scaled(entry.channels), kernel: 3,
                        stride: entry.stride, family.activation)
                    continue
                }
                x = try b.convolutionBlock(
                    path, x, outputChannels: x.channels, kernel: 3, stride: entry.stride, groups: x.channels,
                    family.activation)
                x = try b.convolutionBlock(
                    path, first: 3, x, outputChannels: scaled(entry.channels), family.activation)
            }
            stages.append(x)
        }
        return stages
    }

    // MARK: - Neck

    /// Lateral 1x1 on every level; the coarser merged map is added to the next finer one.
    ///
    /// The coarsest stays as is.
    private func pyramid(_ b: NetworkBuilder, _ stages: [Value], channels: Int) throws(NetworkError) -> [Value] {
        var levels: [Value] = []
        for (index, stage) in stages.enumerated() {
            levels.append(
                try b.convolutionBlock("fpn.output\(index + 1)", stage, outputChannels: channels, family.activation))
        }
        for index in levels.indices.dropLast().reversed() {
            let size = levels[index]
            let up = try b.resize(
                "fpn.up\(index + 2)", levels[index + 1], .nearest, height: size.height, width: size.width)
            let sum = try b.add("fpn.add\(index + 1)", size, up)
            levels[index] = try b.convolutionBlock(
                "fpn.merge\(index + 1)", sum, outputChannels: channels, kernel: 3, family.activation)
        }
        return levels
    }

    /// Receptive fields of 3, 5 and 7 side by side; plain ReLU after joining, in both families.
    private func context(_ b: NetworkBuilder, _ path: String, _ x: Value) throws(NetworkError) -> Value {
        let half = x.channels / 2
        let quarter = x.channels / 4
        let three = try b.convolutionBlock("\(path).conv3X3", x, outputChannels: half, kernel: 3, .none)
        let shared = try b.convolutionBlock(
            "\(path).conv5X5_1", x, outputChannels: quarter, kernel: 3, family.activation)
        let five = try b.convolutionBlock("\(path).conv5X5_2", shared, outputChannels: quarter, kernel: 3, .none)
        let deeper = try b.convolutionBlock(
            "\(path).conv7X7_2", shared, outputChannels: quarter, kernel: 3, family.activation)
        // The checkpoints spell this one with a small x.
        let seven = try b.convolutionBlock("\(path).conv7x7_3", deeper, outputChannels: quarter, kernel: 3, .none)
        let joined = try b.concat("\(path).concat", [three, five, seven])
        return try b.activate("\(path).relu", joined, .relu)
    }

    // MARK: - Heads

    /// One 1x1 convolution per level, flattened to rows of one anchor each, levels one after another.
    private func head(
        _ b: NetworkBuilder, _ name: String, _ levels: [Value], components: Int
    ) throws(NetworkError) -> Value {
        var rows: [Value] = []
        for (index, level) in levels.enumerated() {
            let path = "\(name).\(index)"
            var x = try b.convolution(
                "\(path).conv1x1", level, outputChannels: components * Self.anchorsPerCell, bias: true)
            x = try b.apply("\(path).transpose", .transpose([0, 2, 3, 1]), x)
            rows.append(try b.apply("\(path).rows", .reshape([1, -1, components]), x))
        }
        return try b.concat("\(name).concat", rows, axis: 1)
    }
}
