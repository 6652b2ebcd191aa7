// SPDX-License-Identifier: Apache-2.0

/// ResNet-50's body: bottleneck blocks with the stride in the 3x3 convolution.
///
/// - Note: Paper: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016.
/// - Note: Reference: torchvision's `resnet50` (BSD-3-Clause), from which keys and strides are.
/// - Note: Keys: `body.conv1`, `body.bn1`, `body.layerL.B.{conv,bn}{1,2,3}`, `body.layerL.0.downsample.{0,1}`.
/// - Note: Shape: strides 8, 16 and 32 with 512, 1024 and 2048 channels. 23,508,032 parameters.
enum ResNet50 {
    /// Channels inside the bottleneck, blocks, stride of the first block.
    private static let layers = [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)]
    /// A block's output has this many times the channels of its inside.
    private static let expansion = 4

    /// Appends the body; its outputs at strides 8, 16 and 32.
    static func stages(_ b: NetworkBuilder, _ image: Value) throws(NetworkError) -> [Value] {
        var x = try convolution(b, "body", 1, image, outputChannels: 64, kernel: 7, stride: 2, .relu)
        x = try b.apply("body.maxpool", .maxPool(Pooling(kernel: 3, stride: 2, padding: .all(1))), x)
        var stages: [Value] = []
        for (index, (channels, blocks, stride)) in layers.enumerated() {
            for number in 0..<blocks {
                x = try block(
                    b, "body.layer\(index + 1).\(number)", x, channels: channels, stride: number == 0 ? stride : 1,
                    hasDownsample: number == 0)
            }
            stages.append(x)
        }
        return Array(stages.dropFirst())
    }

    private static func block(
        _ b: NetworkBuilder, _ path: String, _ x: Value, channels: Int, stride: Int, hasDownsample: Bool
    ) throws(NetworkError) -> Value {
        let outputChannels = channels * expansion
        var y = try convolution(b, path, 1, x, outputChannels: channels, .relu)
        y = try convolution(b, path, 2, y, outputChannels: channels, kernel: 3, stride: stride, .relu)
        y = try convolution(b, path, 3, y, outputChannels: outputChannels, .none)
        let shortcut =
            hasDownsample
            ? try b.convolutionBlock(
                "\(path).downsample", x, outputChannels: outputChannels, stride: stride, .none)
            : x
        return try b.activate("\(path).relu", b.add("\(path).add", y, shortcut), .relu)
    }

    private static func convolution(
        _ b: NetworkBuilder, _ path: String, _ number: Int, _ x: Value, outputChannels: Int, kernel: Int = 1,
        stride: Int = 1, _ activation: Activation
    ) throws(NetworkError) -> Value {
        let y = try b.convolution(
            "\(path).conv\(number)", x, outputChannels: outputChannels, kernel: kernel, stride: stride)
        let z = try b.batchNorm("\(path).bn\(number)", y)
        return try b.activate("\(path).relu\(number)", z, activation)
    }
}
