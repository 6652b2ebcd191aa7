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
/// - Note: Size: mobilenet0.25 has 426,608 parameters and 981.1 M MACs at 640x640, resnet50 27,293,600 and 44.26 G.
///   Other widths scale the pyramid with the backbone: 256 channels times the width.
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
        /// The light one; published at a width of 0.25.
        case mobileNet(MobileNet)
        /// The exact one; published in family `.leaky`, without a leak.
        case resNet50

        /// `mobilenet0.25` or `resnet50`.
        public var name: String {
            switch self {
            case .mobileNet(let body): body.name
            case .resNet50: "resnet50"
            }
        }

        /// The family that a variant without a suffix means.
        var usualFamily: Family { self == .resNet50 ? .leaky : .relu }
    }

    /// What feeds the pyramid.
    public let backbone: Backbone
    /// Which training's activations and anchors are used.
    public let family: Family
    /// Whether the graph itself turns byte values (as floats) into normalised ones.
    public let normalisesInput: Bool

    /// The published network by default, taking normalised input.
    public init(_ family: Family, backbone: Backbone = .mobileNet(.quarter), normalisesInput: Bool = false) {
        self.family = family
        self.backbone = backbone
        self.normalisesInput = normalisesInput
    }

    /// The network of a catalogue variant: `resnet50`, or `mobilenet`, a width, and `-family` unless it is the usual one.
    ///
    /// - Throws: `NetworkError.Code.unknown`.
    public init(variant: String) throws(NetworkError) {
        let parts = variant.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let name = parts.first ?? ""
        let body = try MobileNet(name: name).map { Backbone.mobileNet($0) }
        let family = parts.count > 1 ? Family(rawValue: String(parts[1])) : (body ?? .resNet50).usualFamily
        guard let backbone = body ?? (name == "resnet50" ? .resNet50 : nil), let family,
            backbone != .resNet50 || parts.count == 1
        else {
            throw NetworkError(
                .unknown, path: "retinaface",
                "no variant \"\(variant)\"; there are mobilenet0.25 (and other widths), mobilenet0.25-leaky, "
                    + "mobilenet0.25-first, resnet50")
        }
        self.init(family, backbone: backbone)
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

    /// `mobilenet0.25` for the ReLU family, `mobilenet0.25-leaky` and `mobilenet0.25-first` for the others; `resnet50`.
    public var variant: String { backbone.name + (family == backbone.usualFamily ? "" : "-\(family.rawValue)") }

    /// Behind every convolution but the plain ones of the context modules.
    ///
    /// The leak is part of the light network only.
    private var activation: Activation { backbone == .resNet50 ? .relu : family.activation }

    /// Builds the network at an input size.
    ///
    /// - Throws: `NetworkError.Code.size` naming the nearest possible sizes.
    public func network(at size: InputSize) throws(NetworkError) -> Network {
        try Self.sizes.check(size, for: "retinaface \(variant)")
        let b = NetworkBuilder(name: Self.family.name, variant: variant)
        var image = try b.input("image", shape: [1, 3, size.height, size.width])
        if normalisesInput { image = try b.apply("normalisation", Self.normalisation.operation, image) }

        let stages: [Value]
        let channels: Int
        switch backbone {
        case .mobileNet(let body):
            stages = try body.stages(b, image, activation)
            channels = body.scaled(256)
        case .resNet50:
            stages = try ResNet50.stages(b, image)
            channels = 256
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

    // MARK: - Neck

    /// Lateral 1x1 on every level; the coarser merged map is added to the next finer one.
    ///
    /// The coarsest stays as is.
    private func pyramid(_ b: NetworkBuilder, _ stages: [Value], channels: Int) throws(NetworkError) -> [Value] {
        var levels: [Value] = []
        for (index, stage) in stages.enumerated() {
            levels.append(
                try b.convolutionBlock("fpn.output\(index + 1)", stage, outputChannels: channels, activation))
        }
        for index in levels.indices.dropLast().reversed() {
            let size = levels[index]
            let up = try b.resize(
                "fpn.up\(index + 2)", levels[index + 1], .nearest, height: size.height, width: size.width)
            let sum = try b.add("fpn.add\(index + 1)", size, up)
            levels[index] = try b.convolutionBlock(
                "fpn.merge\(index + 1)", sum, outputChannels: channels, kernel: 3, activation)
        }
        return levels
    }

    /// Receptive fields of 3, 5 and 7 side by side; plain ReLU after joining, in both families.
    private func context(_ b: NetworkBuilder, _ path: String, _ x: Value) throws(NetworkError) -> Value {
        let half = x.channels / 2
        let quarter = x.channels / 4
        let three = try b.convolutionBlock("\(path).conv3X3", x, outputChannels: half, kernel: 3, .none)
        let shared = try b.convolutionBlock(
            "\(path).conv5X5_1", x, outputChannels: quarter, kernel: 3, activation)
        let five = try b.convolutionBlock("\(path).conv5X5_2", shared, outputChannels: quarter, kernel: 3, .none)
        let deeper = try b.convolutionBlock(
            "\(path).conv7X7_2", shared, outputChannels: quarter, kernel: 3, activation)
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

extension RetinaFace: NetworkDefinition {
    /// RetinaFace.
    public static var family: NetworkFamily { .retinaFace }
    /// Backbone, and release where several are about: `mobilenet0.25-first`.
    public var variantName: String { variant }
    /// The port whose weights it takes.
    public var reference: String {
        family == .leaky ? "biubug6/Pytorch_Retinaface (MIT)" : "biubug6/Face-Detector-1MB-with-landmark (MIT)"
    }
}

extension NetworkFamily {
    /// Faces with five landmarks.
    public static let retinaFace = NetworkFamily(
        name: "retinaface", summary: "faces with five landmarks",
        paper: "Deng et al., RetinaFace: Single-stage Dense Face Localisation in the Wild, CVPR 2020",
        defaultSize: InputSize(width: 640, height: 480), sizes: RetinaFace.sizes,
        normalisation: RetinaFace.normalisation,
        variants: MobileNet.usualWidths + [Variant("resnet50", "45 times the arithmetic of mobilenet0.25, more exact")],
        listed: RetinaFace.Family.allCases.map { RetinaFace($0) } + [RetinaFace(.leaky, backbone: .resNet50)],
        define: { (variant) throws(NetworkError) in try RetinaFace(variant: variant) },
        releases: RetinaFace.Family.allCases.map(\.rawValue),
        importer: { (file) throws(NetworkError) in try RetinaFaceImport.draft(of: file) })
}
