// SPDX-License-Identifier: Apache-2.0

/// VGG-16's thirteen convolutions, without the classifier.
///
/// - Note: Paper: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
///   ICLR 2015; configuration D.
/// - Note: Keys: the Caffe release's layer names, `conv1_1` to `conv5_3`. 14,714,688 parameters.
enum VGG16 {
    private static let blocks: [(channels: Int, convolutions: Int)] = [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]

    /// Appends the body; `conv4_3` (stride 8) and `conv5_3` (stride 16).
    ///
    /// Pooling rounds up, as Caffe's does: no row of an odd map is lost.
    static func stages(_ b: NetworkBuilder, _ image: Value) throws(NetworkError) -> (fine: Value, coarse: Value) {
        var x = image
        var stages: [Value] = []
        for (index, block) in blocks.enumerated() {
            if index > 0 { x = try halve(b, "pool\(index)", x) }
            for number in 1...block.convolutions {
                let path = "conv\(index + 1)_\(number)"
                x = try b.convolution(path, x, outputChannels: block.channels, kernel: 3, bias: true)
                x = try b.activate("relu\(index + 1)_\(number)", x, .relu)
            }
            stages.append(x)
        }
        return (stages[3], stages[4])
    }

    /// Half the size, rounded up.
    static func halve(_ b: NetworkBuilder, _ path: String, _ x: Value) throws(NetworkError) -> Value {
        try b.apply(path, .maxPool(Pooling(kernel: 2, stride: 2, roundsUp: true)), x)
    }
}
