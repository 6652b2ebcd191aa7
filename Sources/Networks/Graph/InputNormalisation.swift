// SPDX-License-Identifier: Apache-2.0

/// What turns an 8-bit image into the tensor a network was trained on: `(byte - mean) * scale` per channel.
///
/// - Note: Shape: the tensor is `[1, 3, H, W]` float32, channels in `channelOrder`.
public struct InputNormalisation: Sendable, Hashable, CustomStringConvertible {
    /// Which colour comes first.
    public enum ChannelOrder: Sendable, Hashable { case rgb, bgr }

    /// How an image of another aspect ratio reaches the network's size.
    public enum Fit: Sendable, Hashable {
        /// Both axes scaled on their own.
        case stretch
        /// One scale for both axes, the rest filled with `mean` (tensor value 0).
        case letterbox
    }

    /// Order of the three channels.
    public let channelOrder: ChannelOrder
    /// Subtracted from the byte value, in channel order.
    public let mean: [Float]
    /// Multiplied after the subtraction, in channel order.
    public let scale: [Float]
    /// How other aspect ratios are treated.
    public let fit: Fit

    /// States all four; means and scales are in channel order.
    public init(channelOrder: ChannelOrder, mean: [Float], scale: [Float], fit: Fit) {
        self.channelOrder = channelOrder
        self.mean = mean
        self.scale = scale
        self.fit = fit
    }

    /// The four in words: `RGB, (byte - [127.5, 127.5, 127.5]) * [0.5, 0.5, 0.5], NCHW, stretched`.
    public var description: String {
        "\(channelOrder == .rgb ? "RGB" : "BGR"), (byte - \(mean)) * \(scale), NCHW, "
            + (fit == .stretch ? "stretched" : "letterboxed")
    }

    /// The same arithmetic as a layer, for networks that take byte values as floats.
    var operation: LayerOperation {
        .affine(scale: scale, offset: zip(mean, scale).map { -$0 * $1 })
    }
}
