// SPDX-License-Identifier: Apache-2.0

/// SSH, a single-stage headless face detector: three detection modules on two maps of a backbone.
///
/// ```
///              stride 8            stride 16           stride 32
///   VGG-16     conv4_3             conv5_3             pooled conv5_3
///   MobileNet  stage 1             stage 2             stage 3
///                 | reduced           |   | reduced       |
///                 + <--- twice the size --+               |
///                 | 3x3               |                   |
///                 M1                  M2                  M3       faces of 16, 32 | 64, 128 | 256, 512 pixels
/// ```
/// - Note: Paper: Najibi et al., "SSH: Single Stage Headless Face Detector", ICCV 2017.
/// - Note: Reference: mahyarnajibi/SSH (MIT), its Caffe graph, for `.vgg16`. `.mobileNet` is the same detector on a light
///   body: SSH's modules with every width times the body's multiplier, batch normalisation, bilinear resizing.
/// - Note: Keys: `.vgg16` the Caffe layer names (`conv1_1`, `m3@ssh_3x3`, ...). `.mobileNet` `body.*` as in RetinaFace,
///   `m1.{fine,coarse,fuse}.{0,1}`, `mK.{3x3,dimred,5x5,7x7-1,7x7}.{0,1}` and `mK.{cls_score,bbox_pred}`.
/// - Note: Shape: `image` `[1, 3, H, W]` f32, BGR, byte values minus the mean; any size. For module K of stride s, with
///   h = ceil(H/s) and w = ceil(W/s): `mK.score` `[1, 4, h, w]`, logits: two of background, then two of face; `mK.box`
///   `[1, 8, h, w]`, (dx, dy, dw, dh) per anchor.
/// - Note: Size: vgg16 19,766,372 parameters and 100.0 G MACs at 640x480; mobilenet0.25 689,076 and 0.87 G.
public struct SSH: Sendable, Hashable {
    /// What the modules read.
    public enum Backbone: Sendable, Hashable {
        /// The published network.
        case vgg16
        /// The light one.
        case mobileNet(MobileNet)
    }

    /// What the modules read.
    public let backbone: Backbone

    /// The light network at the light detectors' usual width by default.
    public init(_ backbone: Backbone = .mobileNet(.quarter)) { self.backbone = backbone }

    /// The network of a catalogue variant: `vgg16`, or `mobilenet` and a width.
    ///
    /// - Throws: `NetworkError.Code.unknown`.
    public init(variant: String) throws(NetworkError) {
        if variant == "vgg16" {
            self.init(.vgg16)
        } else if let body = try MobileNet(name: variant) {
            self.init(.mobileNet(body))
        } else {
            throw NetworkError(
                .unknown, path: "ssh", "no variant \"\(variant)\"; there are mobilenet0.25 (and other widths), vgg16")
        }
    }

    /// `vgg16` or `mobilenet0.25`.
    public var variant: String {
        switch backbone {
        case .vgg16: "vgg16"
        case .mobileNet(let body): body.name
        }
    }

    /// Any size from one stride-32 cell up.
    public static let sizes = SizeRule(multiple: 1, minimum: 32, maximum: 8192)
    /// BGR bytes minus the training mean.
    public static let normalisation = InputNormalisation(
        channelOrder: .bgr, mean: [102.9801, 115.9465, 122.7717], scale: [1, 1, 1], fit: .letterbox)
    /// Pixels between anchor centres, per module.
    public static let strides = [8, 16, 32]
    /// Square anchors in input pixels, per module.
    public static let anchorSizes = [[16, 32], [64, 128], [256, 512]]
    /// The centre of the first cell's anchors in every module, whatever its stride; widths count whole pixels.
    public static let anchorCentre: Float = 8

    /// Rows and columns of a module's maps.
    public static func cells(at size: InputSize, stride: Int) -> (rows: Int, columns: Int) {
        ((size.height + stride - 1) / stride, (size.width + stride - 1) / stride)
    }

    /// Builds the network at an input size.
    ///
    /// - Throws: `NetworkError.Code.size` naming the nearest possible sizes.
    public func network(at size: InputSize) throws(NetworkError) -> Network {
        try Self.sizes.check(size, for: "ssh \(variant)")
        let b = NetworkBuilder(name: Self.family.name, variant: variant)
        let image = try b.input("image", shape: [1, 3, size.height, size.width])
        let features: [Value]
        switch backbone {
        case .vgg16: features = try vggFeatures(b, image)
        case .mobileNet(let body): features = try mobileNetFeatures(b, body, image)
        }
        // As the reference's file has them: the coarsest first.
        var heads: [(score: Value, box: Value)] = []
        for index in features.indices.reversed() {
            heads.insert(try detection(b, "m\(index + 1)", features[index], width: widths[index]), at: 0)
        }
        for (index, head) in heads.enumerated() {
            try b.output("m\(index + 1).score", head.score)
            try b.output("m\(index + 1).box", head.box)
        }
        return b.build()
    }

    // MARK: - Features

    /// Conv4_3 with conv5_3 added, conv5_3, and pooled conv5_3.
    private func vggFeatures(_ b: NetworkBuilder, _ image: Value) throws(NetworkError) -> [Value] {
        let (fine, coarse) = try VGG16.stages(b, image)
        let reduced = try convolution(b, "conv5_128", coarse, outputChannels: 128, .relu)
        var up = try b.apply("conv5_128_up", .bilinearDeconvolution, reduced)
        let lateral = try convolution(b, "conv4_128", fine, outputChannels: 128, .relu)
        // Where conv4_3 has an odd extent, doubling conv5_3 gives one too many: cut off, not resized.
        if up.height > lateral.height {
            up = try b.apply("conv5_128_crop.rows", .slice(axis: 2, range: 0..<lateral.height), up)
        }
        if up.width > lateral.width {
            up = try b.apply("conv5_128_crop.columns", .slice(axis: 3, range: 0..<lateral.width), up)
        }
        let sum = try b.add("conv4_fuse", lateral, up)
        let fused = try convolution(b, "conv4_fuse_final", sum, outputChannels: 128, kernel: 3, .relu)
        return [fused, coarse, try VGG16.halve(b, "pool6", coarse)]
    }

    private func mobileNetFeatures(
        _ b: NetworkBuilder, _ body: MobileNet, _ image: Value
    ) throws(NetworkError) -> [Value] {
        let stages = try body.stages(b, image, .relu)
        let channels = body.scaled(256)
        let lateral = try b.convolutionBlock("m1.fine", stages[0], outputChannels: channels, .relu)
        let reduced = try b.convolutionBlock("m1.coarse", stages[1], outputChannels: channels, .relu)
        let up = try b.resize("m1.up", reduced, .bilinear, height: lateral.height, width: lateral.width)
        let sum = try b.add("m1.add", lateral, up)
        return [try b.convolutionBlock("m1.fuse", sum, outputChannels: channels, kernel: 3, .relu)] + stages.dropFirst()
    }

    // MARK: - Detection modules

    /// A quarter of what each module joins: context branches have this many channels, the first branch twice as many.
    private var widths: [Int] {
        switch backbone {
        case .vgg16: [64, 128, 128]
        case .mobileNet(let body): [64, 128, 128].map(body.scaled)
        }
    }

    /// Windows of 3, 5 and 7 side by side, the last two on reduced channels; then scores and boxes.
    private func detection(
        _ b: NetworkBuilder, _ module: String, _ x: Value, width: Int
    ) throws(NetworkError) -> (score: Value, box: Value) {
        let isVGG = backbone == .vgg16
        func path(_ part: String) -> String { isVGG ? "\(module)@ssh_\(part)" : "\(module).\(part)" }
        func branch(
            _ part: String, _ x: Value, _ channels: Int, _ activation: Activation
        ) throws(NetworkError) -> Value {
            isVGG
                ? try convolution(b, path(part), x, outputChannels: channels, kernel: 3, activation)
                : try b.convolutionBlock(path(part), x, outputChannels: channels, kernel: 3, activation)
        }
        let three = try branch("3x3", x, 2 * width, .none)
        let reduced = try branch("dimred", x, width, .relu)
        let five = try branch("5x5", reduced, width, .none)
        let deeper = try branch("7x7-1", reduced, width, .relu)
        let seven = try branch("7x7", deeper, width, .none)
        let joined = try b.activate(path("output_relu"), b.concat(path("output"), [three, five, seven]), .relu)
        return (
            try b.convolution(path("cls_score"), joined, outputChannels: 4, bias: true),
            try b.convolution(path("bbox_pred"), joined, outputChannels: 8, bias: true)
        )
    }

    /// A convolution with bias, as Caffe has them, and its non-linearity.
    private func convolution(
        _ b: NetworkBuilder, _ path: String, _ x: Value, outputChannels: Int, kernel: Int = 1, _ activation: Activation
    ) throws(NetworkError) -> Value {
        let y = try b.convolution(path, x, outputChannels: outputChannels, kernel: kernel, bias: true)
        return try b.activate("\(path)_relu", y, activation)
    }
}

extension SSH: NetworkDefinition {
    /// SSH.
    public static var family: NetworkFamily { .ssh }
    /// The backbone's name.
    public var variantName: String { variant }
    /// The authors'.
    public var reference: String { "mahyarnajibi/SSH (MIT)" }
}

extension NetworkFamily {
    /// Faces.
    public static let ssh = NetworkFamily(
        name: "ssh", summary: "faces", paper: "Najibi et al., SSH: Single Stage Headless Face Detector, ICCV 2017",
        defaultSize: InputSize(width: 640, height: 480), sizes: SSH.sizes, normalisation: SSH.normalisation,
        variants: MobileNet.usualWidths + [Variant("vgg16", "the paper's: 115 times the arithmetic of mobilenet0.25")],
        listed: [SSH(), SSH(.vgg16)],
        define: { (variant) throws(NetworkError) in try SSH(variant: variant) },
        importer: { (file) throws(NetworkError) in try SSHImport.draft(of: file) })
}
