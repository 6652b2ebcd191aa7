// SPDX-License-Identifier: Apache-2.0
package import Annotations
package import Networks

/// How the networks of a family find something in pictures: what is common to nodes, evaluations and tests.
///
/// A new family states its definition, its usual options, and how its detector is put together from a setup.
/// - Note: Thread-safety: an immutable value.
package struct PictureFamily<Options: Sendable, Output: Sendable>: Sendable {
    /// Its architectures.
    package let networks: NetworkFamily
    /// What is used unless something else is asked for.
    package let options: Options
    /// What quality is measured with: weak results are kept, so that every threshold can be tried on them.
    package let measuringOptions: Options
    private let assemble: @Sendable (NetworkSetup, Options) throws -> any PictureNetwork<Output>

    /// Describes a family by the type of its networks.
    package init<Definition: NetworkDefinition>(
        _ type: Definition.Type, options: Options, measuring: Options? = nil,
        assemble: @escaping @Sendable (Definition, NetworkSetup, Options) throws -> any PictureNetwork<Output>
    ) {
        let networks = type.family
        self.networks = networks
        self.options = options
        measuringOptions = measuring ?? options
        self.assemble = { setup, options in
            guard let definition = setup.architecture.definition as? Definition else {
                let other = "\(setup.architecture.network) \(setup.architecture.variant)"
                throw VisionError(.architecture, "this detector is for \"\(networks.name)\", not for \"\(other)\"")
            }
            return try assemble(definition, setup, options)
        }
    }

    /// Builds a network, compiles it, and prepares requests.
    ///
    /// - Throws: `VisionError` (also for another family's architecture), `NetworkError` (size, weights), `InferenceError`.
    package func network(_ setup: NetworkSetup, options: Options? = nil) throws -> any PictureNetwork<Output> {
        try assemble(setup, options ?? self.options)
    }
}

// MARK: - Lines

/// Families that find line segments.
package typealias LineFamily = PictureFamily<LineDecoder.Options, [LineSegment]>

extension LineFamily {
    /// M-LSD.
    package static var mlsd: LineFamily {
        LineFamily(MLSD.self, options: LineDecoder.Options()) { _, setup, options in
            try setup.detector(filter: .area) { try LineDecoder(outputs: $0, size: $1, options: options) }
        }
    }
}

// MARK: - Faces

/// Families that find faces.
package typealias FaceFamily = PictureFamily<FaceOptions, [Face]>

/// What faces are kept, and how they are looked for.
package struct FaceOptions: Sendable {
    /// The boxes that are kept.
    package var selection: BoxSelection
    /// Whether each picture is looked at in several sizes, where the family can.
    package var pyramid: Bool

    /// One size unless stated otherwise.
    package init(_ selection: BoxSelection, pyramid: Bool = false) {
        self.selection = selection
        self.pyramid = pyramid
    }

    /// For measuring: more boxes than any picture holds, from the score that the reference's evaluation begins at.
    fileprivate static func measuring(_ selection: BoxSelection, from score: Float) -> FaceOptions {
        FaceOptions(selection.with(scoreThreshold: score, candidates: 5000, limit: 5000))
    }
}

extension FaceFamily {
    /// Every one of them.
    package static var all: [FaceFamily] { [retinaFace, ssh] }

    /// RetinaFace.
    package static var retinaFace: FaceFamily {
        FaceFamily(
            RetinaFace.self, options: FaceOptions(.retinaFace), measuring: .measuring(.retinaFace, from: 0.02)
        ) { network, setup, options in
            try setup.detector(filter: .bilinear) {
                try FaceDecoder(outputs: $0, size: $1, family: network.family, options: options.selection)
            }
        }
    }

    /// SSH.
    package static var ssh: FaceFamily {
        FaceFamily(
            SSH.self, options: FaceOptions(.ssh), measuring: .measuring(.ssh, from: 0.05)
        ) { _, setup, options in
            guard !options.pyramid else { return try PyramidDetector(setup, options: options.selection) }
            return try setup.detector(filter: .bilinear) {
                try SSHDecoder(outputs: $0, size: $1, options: options.selection)
            }
        }
    }
}

// MARK: - Classes

/// Families that give every part of a picture a class.
package typealias SegmentationFamily = PictureFamily<SegmentationOptions, ClassMap>

/// What the classes are called, how fine the map is, and how sure a class must be.
package struct SegmentationOptions: Sendable {
    /// Names and colours, in the order of the weights.
    package var classes: ClassSet
    /// Where the largest logit is looked for.
    package var resolution: SegmentationDecoder.Resolution
    /// The lowest probability of a class; what has none is void.
    package var threshold: Float
    /// What logits are divided by for probabilities.
    package var temperature: Float

    /// One class for each cell, however unsure, unless stated otherwise.
    package init(
        _ classes: ClassSet, resolution: SegmentationDecoder.Resolution = .cells, threshold: Float = 0,
        temperature: Float = 1
    ) {
        self.classes = classes
        self.resolution = resolution
        self.threshold = threshold
        self.temperature = temperature
    }
}

extension SegmentationFamily {
    /// Every one of them.
    package static var all: [SegmentationFamily] { [ddrnet] }

    /// DDRNet.
    package static var ddrnet: SegmentationFamily {
        SegmentationFamily(
            DDRNet.self, options: SegmentationOptions(.cityscapes)
        ) { _, setup, options in
            try setup.detector(filter: .area) {
                try SegmentationDecoder(
                    outputs: $0, size: $1, classes: options.classes, resolution: options.resolution,
                    threshold: options.threshold, temperature: options.temperature)
            }
        }
    }
}
