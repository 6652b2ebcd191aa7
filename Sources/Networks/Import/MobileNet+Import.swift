// SPDX-License-Identifier: Apache-2.0

extension MobileNet {
    private static let stem = "body.stage1.0.0.weight"

    /// Whether weights hold a body of this kind.
    static func isIn(_ weights: Weights) -> Bool { weights[stem] != nil }

    /// The body whose stem is in `weights`: its channels tell the width.
    ///
    /// - Throws: `NetworkError.Code.weights`, or `.unknown` for a width that cannot be built.
    init(stemOf weights: Weights) throws(NetworkError) {
        guard let shape = weights[Self.stem]?.shape, shape.count == 4 else {
            throw NetworkError(.weights, path: Self.stem, "is missing or no convolution")
        }
        try self.init(width: Double(shape[0]) / 32)
    }

    /// Whether batch normalisations are already inside the convolutions.
    static func isFolded(_ weights: Weights) -> Bool {
        weights["body.stage1.0.0.bias"] != nil && weights["body.stage1.0.1.weight"] == nil
    }
}

extension ImportReport.Mapping {
    /// Tensors that keep their names, but for wrappers.
    static func identity(_ weights: Weights, _ origin: [String: String]) -> [Self] {
        weights.names.map {
            Self(source: origin[$0] ?? $0, target: $0, shape: weights[$0]?.shape ?? [], note: "")
        }
    }
}
