// SPDX-License-Identifier: Apache-2.0

/// One entry of the catalogue: an architecture in one variant, buildable at any size it allows.
///
/// - Note: Thread-safety: an immutable value.
public struct Architecture: Sendable {
    /// The network's name: `mlsd`, `retinaface`.
    public let network: String
    /// The variant's name, unique within the network.
    public let variant: String
    /// What it finds, in one line.
    public let summary: String
    /// Authors, title, venue.
    public let paper: String
    /// Where the reference code is and under which licence.
    public let reference: String
    /// The size used when none is asked for.
    public let defaultSize: InputSize
    /// The sizes it can be built at.
    public let sizes: SizeRule
    /// How an image becomes its input.
    public let normalisation: InputNormalisation
    private let make: @Sendable (InputSize) throws(NetworkError) -> Network
    /// Builds what weights are for, where they decide more than the numbers: how many classes there are.
    private var makeFor: (@Sendable (InputSize, Weights) throws(NetworkError) -> Network)?
    /// Builds what training supervises, where that is more than inference needs.
    private var makeSupervised: (@Sendable (InputSize) throws(NetworkError) -> Network)?

    /// Builds the network at a size, at the default one when nil.
    ///
    /// - Parameters:
    ///   - weights: what the network is going to hold; where it is trained for any number of classes, they tell it.
    /// - Throws: `NetworkError.Code.size` naming the nearest possible sizes.
    public func build(at size: InputSize? = nil, for weights: Weights? = nil) throws(NetworkError) -> Network {
        guard let makeFor, let weights else { return try make(size ?? defaultSize) }
        return try makeFor(size ?? defaultSize, weights)
    }

    /// The ONNX model at a size with weights inside: the one call from weights to an engine.
    ///
    /// - Parameter metadata: written into the model for readers; engines ignore it.
    /// - Throws: `NetworkError` with code `.size` or `.weights`.
    public func onnx(
        at size: InputSize? = nil, weights: Weights, metadata: [String: String] = [:]
    ) throws(NetworkError) -> [UInt8] {
        try build(at: size, for: weights).onnx(weights: weights, metadata: metadata)
    }

    /// The ONNX model to train: every head, and batch normalisations as layers of their own.
    ///
    /// Weights whose normalisations are folded already, such as a teacher's, give the folded network.
    ///
    /// - Parameter metadata: written into the model for readers; engines ignore it.
    /// - Throws: `NetworkError` with code `.size` or `.weights`.
    public func trainingONNX(
        at size: InputSize? = nil, weights: Weights, metadata: [String: String] = [:]
    ) throws(NetworkError) -> [UInt8] {
        let network: Network
        if let makeSupervised {
            network = try makeSupervised(size ?? defaultSize)
        } else {
            network = try build(at: size, for: weights)
        }
        let folded = network.folded
        return try folded.check(weights).isComplete
            ? folded.onnxAsIs(weights: weights, metadata: metadata)
            : network.onnxAsIs(weights: weights, metadata: metadata)
    }

    /// All architectures, in the order `vpipe models list` shows them.
    ///
    /// The light detectors are listed at their usual width; `find` builds entries of other widths.
    public static let all: [Architecture] = {
        let families: [[Architecture]] = [
            MLSD.Variant.allCases.map(mlsd), RetinaFace.Family.allCases.map { retinaFace(RetinaFace($0)) },
            [retinaFace(RetinaFace(.leaky, backbone: .resNet50)), ssh(SSH()), ssh(SSH(.vgg16))],
            DDRNet.Variant.allCases.map(ddrnet), DWTANet.Variant.allCases.map(dwtaNet),
        ]
        return Array(families.joined())
    }()

    /// Finds an entry; `mobilenet` variants exist in every width that can be built.
    ///
    /// - Throws: `NetworkError.Code.unknown` naming the choices.
    public static func find(_ network: String, _ variant: String) throws(NetworkError) -> Architecture {
        if let match = all.first(where: { $0.network == network && $0.variant == variant }) { return match }
        switch network {
        case "retinaface": return retinaFace(try RetinaFace(variant: variant))
        case "ssh": return ssh(try SSH(variant: variant))
        default: break
        }
        let variants = all.filter { $0.network == network }.map(\.variant)
        guard variants.isEmpty else {
            throw NetworkError(
                .unknown, path: network, "no variant \"\(variant)\"; there are " + variants.joined(separator: ", "))
        }
        var names: [String] = []
        for entry in all where !names.contains(entry.network) { names.append(entry.network) }
        throw NetworkError(.unknown, "no network \"\(network)\"; there are " + names.joined(separator: ", "))
    }

    /// Whether weights of variant `given` serve who asks for `wanted`: the same one, or a release of it.
    ///
    /// The releases are RetinaFace's families: `mobilenet0.25-first` is one of `mobilenet0.25`.
    public static func serves(_ given: String, for wanted: String, of network: String) -> Bool {
        given == wanted
            || network == "retinaface" && RetinaFace.Family.allCases.contains { given == "\(wanted)-\($0.rawValue)" }
    }

    private static func mlsd(_ variant: MLSD.Variant) -> Architecture {
        Architecture(
            network: "mlsd", variant: variant.rawValue, summary: "line segments",
            paper: "Gu et al., Towards Light-weight and Real-time Line Segment Detection, AAAI 2022",
            reference: "navervision/mlsd (Apache-2.0)", defaultSize: InputSize(width: 512, height: 512),
            sizes: MLSD.sizes, normalisation: MLSD.normalisation,
            make: { size throws(NetworkError) in try MLSD(variant).network(at: size) },
            makeSupervised: { size throws(NetworkError) in try MLSD(variant, head: .full).network(at: size) })
    }

    private static func retinaFace(_ network: RetinaFace) -> Architecture {
        Architecture(
            network: "retinaface", variant: network.variant, summary: "faces with five landmarks",
            paper: "Deng et al., RetinaFace: Single-stage Dense Face Localisation in the Wild, CVPR 2020",
            reference: network.family == .leaky
                ? "biubug6/Pytorch_Retinaface (MIT)" : "biubug6/Face-Detector-1MB-with-landmark (MIT)",
            defaultSize: InputSize(width: 640, height: 480), sizes: RetinaFace.sizes,
            normalisation: RetinaFace.normalisation,
            make: { size throws(NetworkError) in try network.network(at: size) })
    }

    private static func ssh(_ network: SSH) -> Architecture {
        Architecture(
            network: "ssh", variant: network.variant, summary: "faces",
            paper: "Najibi et al., SSH: Single Stage Headless Face Detector, ICCV 2017",
            reference: "mahyarnajibi/SSH (MIT)", defaultSize: InputSize(width: 640, height: 480), sizes: SSH.sizes,
            normalisation: SSH.normalisation,
            make: { size throws(NetworkError) in try network.network(at: size) })
    }

    private static func ddrnet(_ variant: DDRNet.Variant) -> Architecture {
        Architecture(
            network: "ddrnet", variant: variant.rawValue, summary: "a class for every pixel of a road scene",
            paper: "Hong et al., Deep Dual-resolution Networks for Real-time and Accurate Semantic Segmentation of "
                + "Road Scenes, 2021",
            reference: "ydhongHIT/DDRNet (MIT)", defaultSize: InputSize(width: 2048, height: 1024),
            sizes: DDRNet.sizes, normalisation: DDRNet.normalisation,
            make: { size throws(NetworkError) in try DDRNet(variant).network(at: size) },
            makeFor: { size, weights throws(NetworkError) in
                try DDRNet(variant, classes: DDRNet(weights: weights)?.classes ?? 19).network(at: size)
            })
    }

    private static func dwtaNet(_ variant: DWTANet.Variant) -> Architecture {
        Architecture(
            network: "dwtanet", variant: variant.rawValue, summary: "brighter, cleaner video of dark scenes",
            paper: "Lin et al., DWTA-Net, arXiv 2510.09450, 2025 (the idea; layers and sizes are our own)",
            reference: "none published; blocks after VMamba (MIT)",
            defaultSize: InputSize(width: 640, height: 360), sizes: DWTANet.sizes,
            normalisation: DWTANet.normalisation,
            make: { size throws(NetworkError) in try DWTANet(variant).network(at: size) })
    }
}
