// SPDX-License-Identifier: Apache-2.0
package import Inference
package import Media
internal import Networks

/// Fills a model's picture input from pictures, whatever its numbers are: f32 at once, f16, u8 or a single grey channel by
/// way of a tensor of f32.
///
/// - Note: Shape: `[n, 3, H, W]`, `[n, H, W, 3]`, or 1 in place of 3; of a batch the first place is filled, the others stay
///   as they are.
/// - Note: Thread-safety: confined. Allocates when made.
package final class PictureTensor {
    package let preprocessor: Preprocessor
    /// Places of the batch, of which one is used.
    package let batch: Int
    private let isGray: Bool
    private let staging: UnsafeMutableBufferPointer<Float>

    /// Checks that `input` is what `preprocessor` makes pictures for.
    ///
    /// - Throws: `VisionError.Code.input`; `name` is the model's, for messages.
    package init(_ preprocessor: Preprocessor, for input: TensorInfo, of name: String) throws(VisionError) {
        self.preprocessor = preprocessor
        let wanted = preprocessor.shape
        let rest = Array(input.shape.dropFirst())
        isGray = rest != Array(wanted.dropFirst())
        guard input.shape.count == 4, [.f32, .f16, .u8].contains(input.element),
            !isGray || rest == preprocessor.grayShape
        else {
            let made = TensorInfo(name: "image", shape: wanted, element: .f32)
            throw VisionError(.input, "the model \"\(name)\" takes \(input) where \(made) is made")
        }
        batch = input.shape[0]
        staging = .allocate(capacity: isGray || input.element != .f32 ? preprocessor.count : 0)
        staging.initialize(repeating: 0)
    }

    deinit { staging.deallocate() }

    /// Writes a picture and says where it lies.
    package func fill(_ tensor: TensorBuffer, from picture: Picture) -> Placement {
        let count = preprocessor.count
        guard staging.baseAddress != nil, staging.count == count else {
            return preprocessor.fill(UnsafeMutableBufferPointer(rebasing: tensor.floats[..<count]), from: picture)
        }
        let placement = preprocessor.fill(staging, from: picture)
        let area = count / 3
        let used = isGray ? mixGray(area) : count
        switch tensor.info.element {
        case .f32:
            let floats = tensor.base.assumingMemoryBound(to: Float.self)
            for index in 0..<used { floats[index] = staging[index] }
        case .f16:
            let halves = tensor.base.assumingMemoryBound(to: UInt16.self)
            for index in 0..<used { halves[index] = HalfFloat.bits(staging[index]) }
        default:
            let bytes = tensor.base.assumingMemoryBound(to: UInt8.self)
            for index in 0..<used { bytes[index] = UInt8(max(0, min(255, staging[index].rounded()))) }
        }
        return placement
    }

    /// Leaves the luma of three colours, by ITU-R BT.601, where the first was.
    private func mixGray(_ area: Int) -> Int {
        let isPlanar = preprocessor.layout == .nchw
        let isRGB = preprocessor.normalisation.channelOrder == .rgb
        for pixel in 0..<area {
            let (a, b, c) =
                isPlanar
                ? (staging[pixel], staging[area + pixel], staging[2 * area + pixel])
                : (staging[3 * pixel], staging[3 * pixel + 1], staging[3 * pixel + 2])
            staging[pixel] = 0.299 * (isRGB ? a : c) + 0.587 * b + 0.114 * (isRGB ? c : a)
        }
        return area
    }
}

extension Preprocessor {
    /// The shape behind the batch of a tensor with one channel in place of three.
    fileprivate var grayShape: [Int] {
        layout == .nchw ? [1, size.height, size.width] : [size.height, size.width, 1]
    }
}
