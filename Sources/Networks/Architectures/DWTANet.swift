// SPDX-License-Identifier: Apache-2.0

/// A light DWTA-Net, low-light video enhancement in two stages around a native aggregation over time.
///
/// ```
///  frame, features of the two frames before (warped)  --enhance-->  estimate, features
///  estimate, history (warped)                         --native---->  blend, omega
///  estimate, blend, omega                             --refine--->  refined
/// ```
/// All heavy layers run on 4x4 squares of pixels turned into channels. The state-space blocks scan rows and columns in
/// both directions with one state per channel: `g = sigmoid(z)`, `h = (1 - g) h + g B u`, the exact solution for a
/// decay of -1, so that exponentials cannot overflow.
///
/// - Note: Paper: Lin, Huang, Anantrasirichai, "DWTA-Net", arXiv 2510.09450 (2025), whose code is not published: the
///   two stages and the aggregation are the paper's idea, sizes and layers are ours. Blocks after VMamba (MIT).
/// - Note: Weights: our own trainings; keys are `E0`, `F`, `D`, `V.N`, `U`, `R0`, `R1` (enhance) and `S0` to `S3` (refine).
/// - Note: Shape: images `[1, 3, H, W]` f32, RGB 0...1, exposed; `features` `[1, ce, H/4, W/4]`; `omega` `[1, 1, H, W]`.
///   Sizes are multiples of 4.
/// - Note: Size: S has 138,248 parameters and 1.091 G MACs at 640x360; T 70,056 and 0.660 G; M 240,432 and 1.842 G.
public struct DWTANet: Sendable, Hashable {
    /// How wide and deep.
    public enum Variant: String, Sendable, Hashable, CaseIterable {
        case tiny = "T"
        case small = "S"
        case medium = "M"
    }

    /// Which of the two networks; both load from one weights file.
    public enum Stage: Sendable, Hashable {
        case enhance, refine
        /// The two side by side in one graph: what a weights file holds.
        case both
    }

    /// How wide and deep.
    public let variant: Variant
    /// Which of the two networks.
    public let stage: Stage

    /// Both stages by default.
    public init(_ variant: Variant, stage: Stage = .both) {
        self.variant = variant
        self.stage = stage
    }

    /// Multiples of 4; what is odd after that is handled inside.
    public static let sizes = SizeRule(multiple: 4, minimum: 32, maximum: 4096)
    /// RGB in 0...1, stretched: geometry does not matter to the network.
    public static let normalisation = InputNormalisation(
        channelOrder: .rgb, mean: [0, 0, 0], scale: [Float](repeating: 1 / 255, count: 3), fit: .stretch)
    /// Pixels per cell of the feature maps.
    public static let cell = 4

    /// Channels of `features`.
    public var featureChannels: Int { widths.encoder }

    private struct Widths {
        var encoder, fused, block, blocks, restorer: Int
    }

    private var widths: Widths {
        switch variant {
        case .tiny: Widths(encoder: 16, fused: 24, block: 32, blocks: 3, restorer: 24)
        case .small: Widths(encoder: 24, fused: 32, block: 48, blocks: 4, restorer: 32)
        case .medium: Widths(encoder: 32, fused: 48, block: 64, blocks: 4, restorer: 48)
        }
    }

    /// Builds the network at an input size.
    ///
    /// - Throws: `NetworkError.Code.size` naming the nearest possible sizes.
    public func network(at size: InputSize) throws(NetworkError) -> Network {
        try Self.sizes.check(size, for: "dwtanet \(variant.rawValue)")
        let b = NetworkBuilder(name: Self.family.name, variant: variant.rawValue)
        if stage != .refine { try enhance(b, size) }
        if stage != .enhance { try refine(b, size) }
        return b.build()
    }

    // MARK: - Stage I

    private func enhance(_ b: NetworkBuilder, _ size: InputSize) throws(NetworkError) {
        let widths = self.widths
        let frame = try b.input("frame", shape: [1, 3, size.height, size.width])
        let cells = [1, widths.encoder, size.height / Self.cell, size.width / Self.cell]
        let before = [try b.input("features1", shape: cells), try b.input("features2", shape: cells)]

        let squares = try b.apply("unshuffle", .spaceToDepth(block: Self.cell), frame)
        let features = try convolution(b, "E0", squares, widths.encoder, kernel: 3)
        let joined = try b.concat("join", [features] + before)
        let skip = try convolution(b, "F", joined, widths.fused)
        var x = try convolution(b, "D", skip, widths.block, kernel: 3, stride: 2)
        x = try b.apply("V.in", .transpose([0, 2, 3, 1]), x)
        for index in 0..<widths.blocks { x = try block(b, "V.\(index)", x) }
        x = try b.apply("V.out", .transpose([0, 3, 1, 2]), x)
        x = try b.convolution("U", x, outputChannels: 4 * widths.fused, bias: true)
        x = try b.apply("U.shuffle", .depthToSpace(block: 2), x)
        // Of an odd number of cells the coarse grid covers one more.
        if x.height > skip.height { x = try b.apply("U.rows", .slice(axis: 2, range: 0..<skip.height), x) }
        if x.width > skip.width { x = try b.apply("U.columns", .slice(axis: 3, range: 0..<skip.width), x) }
        x = try b.add("skip", x, skip)
        x = try convolution(b, "R0", x, widths.restorer, kernel: 3)
        x = try b.convolution("R1", x, outputChannels: 3 * Self.cell * Self.cell, kernel: 3, bias: true)
        x = try b.apply("R1.shuffle", .depthToSpace(block: Self.cell), x)
        try b.output("estimate", b.add("residual", frame, x))
        try b.output("features", features)
    }

    /// Scans of rows and columns, gated, then a small perceptron; channels last.
    private func block(_ b: NetworkBuilder, _ path: String, _ x: Value) throws(NetworkError) -> Value {
        let channels = x.shape[3]
        var u = try b.linear("\(path).inp", b.layerNorm("\(path).ln1", x), outputs: channels)
        u = try b.apply("\(path).first", .transpose([0, 3, 1, 2]), u)
        u = try b.convolution("\(path).dw", u, outputChannels: channels, kernel: 3, groups: channels, bias: true)
        u = try b.apply("\(path).last", .transpose([0, 2, 3, 1]), b.silu("\(path).silu", u))
        let rows = try scan(b, "\(path).row", u, axis: 2)
        let columns = try scan(b, "\(path).col", u, axis: 1)
        var y = try b.add("\(path).sum", b.add("\(path).axes", rows, columns), b.scale("\(path).skip", u))
        y = try b.linear("\(path).out", b.layerNorm("\(path).ln2", y), outputs: channels)
        y = try b.add("\(path).mixed", x, y)
        var z = try b.linear("\(path).w1", b.layerNorm("\(path).ln3", y), outputs: 2 * channels)
        z = try b.linear("\(path).w2", b.apply("\(path).relu", .relu, z), outputs: channels)
        return try b.add(path, y, z)
    }

    /// Along one axis, both directions with shared projections.
    private func scan(_ b: NetworkBuilder, _ path: String, _ u: Value, axis: Int) throws(NetworkError) -> Value {
        let channels = u.shape[3]
        let rank = (channels + 15) / 16
        let projected = try b.linear("\(path).proj", u, outputs: rank + 2)
        let parts = try b.split("\(path).parts", projected, axis: 3, sizes: [rank, 1, 1])
        let gate = try b.apply(
            "\(path).gate", .sigmoid, b.linear("\(path).dt", parts[0], outputs: channels, bias: true))
        let decay = try b.apply("\(path).decay", .complement, gate)
        let drive = try b.apply("\(path).drive", .multiply, b.apply("\(path).gated", .multiply, gate, parts[1]), u)
        let states = try b.apply("\(path).scan", .bidirectionalScan(axis: axis), decay, drive)
        return try b.apply(path, .multiply, states, parts[2])
    }

    // MARK: - Stage II

    private func refine(_ b: NetworkBuilder, _ size: InputSize) throws(NetworkError) {
        let image = [1, 3, size.height, size.width]
        let current = try b.input("current", shape: image)
        let blend = try b.input("blend", shape: image)
        let omega = try b.input("omega", shape: [1, 1, size.height, size.width])

        let joined = try b.concat("S.join", [current, blend, omega])
        let squares = try b.apply("S.unshuffle", .spaceToDepth(block: Self.cell), joined)
        var x = try convolution(b, "S0", squares, widths.restorer)
        for path in ["S1", "S2"] {
            let y = try b.convolution(
                "\(path).0", x, outputChannels: x.channels, kernel: 3, groups: x.channels, bias: true)
            x = try b.add(path, x, convolution(b, "\(path).1", y, x.channels))
        }
        x = try b.convolution("S3", x, outputChannels: 3 * Self.cell * Self.cell, kernel: 3, bias: true)
        x = try b.apply("S3.shuffle", .depthToSpace(block: Self.cell), x)
        try b.output("refined", b.apply("S.clip", .clip(low: 0, high: 1), b.add("S.residual", blend, x)))
    }

    /// Convolution with bias and ReLU.
    private func convolution(
        _ b: NetworkBuilder, _ path: String, _ x: Value, _ channels: Int, kernel: Int = 1, stride: Int = 1
    ) throws(NetworkError) -> Value {
        let y = try b.convolution(path, x, outputChannels: channels, kernel: kernel, stride: stride, bias: true)
        return try b.apply("\(path).relu", .relu, y)
    }
}

extension DWTANet: NetworkDefinition {
    /// DWTA-Net.
    public static var family: NetworkFamily { .dwtaNet }
    /// `T`, `S` or `M`.
    public var variantName: String { variant.rawValue }
    /// What is known of other code.
    public var reference: String { "none published; blocks after VMamba (MIT)" }
}

extension NetworkFamily {
    /// Dark video, brightened and cleaned.
    public static let dwtaNet = NetworkFamily(
        name: "dwtanet", summary: "brighter, cleaner video of dark scenes",
        paper: "Lin et al., DWTA-Net, arXiv 2510.09450, 2025 (the idea; layers and sizes are our own)",
        defaultSize: InputSize(width: 640, height: 360), sizes: DWTANet.sizes, normalisation: DWTANet.normalisation,
        variants: [
            Variant(DWTANet.Variant.small.rawValue, "the usual network"),
            Variant(DWTANet.Variant.tiny.rawValue, "the fastest one"),
            Variant(DWTANet.Variant.medium.rawValue, "the best one"),
        ],
        listed: DWTANet.Variant.allCases.map { DWTANet($0) },
        importer: { (file) throws(NetworkError) in DWTANetImport.draft(of: file) })
}
