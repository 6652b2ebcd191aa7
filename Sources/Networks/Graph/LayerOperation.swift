// SPDX-License-Identifier: Apache-2.0

/// Zeros (or minus infinity for max pooling) added around an image before a window slides over it.
public struct Padding: Sendable, Hashable {
    public let top, left, bottom, right: Int

    /// Pads each side by its own amount.
    public init(top: Int = 0, left: Int = 0, bottom: Int = 0, right: Int = 0) {
        self.top = top
        self.left = left
        self.bottom = bottom
        self.right = right
    }

    /// No padding.
    public static let none = Padding()

    /// The same amount on all four sides.
    public static func all(_ amount: Int) -> Padding {
        Padding(top: amount, left: amount, bottom: amount, right: amount)
    }

    /// Keeps the size of a stride-1 window with an odd kernel.
    public static func same(kernel: Int, dilation: Int = 1) -> Padding { .all(dilation * (kernel - 1) / 2) }
}

/// A two-dimensional convolution with a square kernel.
///
/// Weight: `[out, in / groups, kernel, kernel]`.
public struct Convolution: Sendable, Hashable {
    /// Channels of the input.
    public var inputChannels: Int
    /// Channels of the output.
    public var outputChannels: Int
    /// Side of the square window.
    public var kernel: Int
    /// Pixels between windows, in both axes.
    public var stride: Int
    /// Amounts around the image.
    public var padding: Padding
    /// Pixels between the kernel's taps.
    public var dilation: Int
    /// Independent groups of channels; as many as channels when depthwise.
    public var groups: Int
    /// Whether a bias per output channel is added.
    public var hasBias: Bool
}

/// A transposed convolution (deconvolution).
///
/// Weight: `[in, out / groups, kernel, kernel]`.
public struct TransposedConvolution: Sendable, Hashable {
    /// Channels of the input.
    public var inputChannels: Int
    /// Channels of the output.
    public var outputChannels: Int
    /// Side of the square window.
    public var kernel: Int
    /// Pixels between windows, in both axes.
    public var stride: Int
    /// Amounts around the image.
    public var padding: Padding
    /// Rows and columns added at the bottom and right of the output.
    public var outputPadding: Int
    /// Independent groups of channels; as many as channels when depthwise.
    public var groups: Int
    /// Whether a bias per output channel is added.
    public var hasBias: Bool
}

/// A pooling window.
///
/// `roundsUp` is Caffe's ceiling mode: the last window may hang over the edge.
public struct Pooling: Sendable, Hashable {
    /// Side of the square window.
    public var kernel: Int
    /// Pixels between windows, in both axes.
    public var stride: Int
    /// Amounts around the image.
    public var padding: Padding
    /// Caffe's ceiling mode: the last window may hang over the edge.
    public var roundsUp: Bool
    /// Average pooling only: whether padding counts as zeros in the mean.
    public var countsPadding: Bool

    /// Describes a window; no padding and floor mode by default.
    public init(
        kernel: Int, stride: Int, padding: Padding = .none, roundsUp: Bool = false, countsPadding: Bool = true
    ) {
        self.kernel = kernel
        self.stride = stride
        self.padding = padding
        self.roundsUp = roundsUp
        self.countsPadding = countsPadding
    }
}

/// How a resize samples its input.
public enum Resampling: Sendable, Hashable {
    /// Linear in both axes, half-pixel centres, clamped at the edges (`align_corners=False`).
    case bilinear
    /// Linear in both axes with the corner pixels mapped onto each other (`align_corners=True`).
    case bilinearAlignedCorners
    /// Source index `floor(destination * inputExtent / outputExtent)`.
    case nearest
}

/// A matrix product along the last axis.
///
/// Weight: `[out, in]`.
public struct Linear: Sendable, Hashable {
    /// Extent of the input's last axis.
    public var inputs: Int
    /// Extent of the output's last axis.
    public var outputs: Int
    /// Whether a bias per output is added.
    public var hasBias: Bool
}

/// One kind of layer.
///
/// Layout is NCHW everywhere, but for what acts on the last axis: there channels come last.
///
/// To add a kind: a case here, its shapes in `LayerOperation+Shapes.swift`, its ONNX form in `ONNXEmitter.swift`; the
/// compiler names every place. Kinds with trained numbers also get a method in `NetworkBuilder` declaring them.
public enum LayerOperation: Sendable, Hashable {
    case convolution(Convolution)
    case transposedConvolution(TransposedConvolution)
    /// Twice the size by Caffe's fixed bilinear transposed convolution: `bilinearKernel` on every channel, stride 2,
    /// padding 1. What lies outside counts as zero, so that borders are darker than a resize makes them.
    case bilinearDeconvolution
    /// Inference-time batch normalisation by stored mean and variance.
    case batchNorm(epsilon: Float)
    case relu
    /// `min(max(x, 0), 6)`.
    case relu6
    case leakyRelu(slope: Float)
    case sigmoid
    case tanh
    case softmax(axis: Int)
    /// Elementwise, equal shapes or an input of extent 1 that repeats.
    case add
    case subtract
    case multiply
    /// `x * scale[c] + offset[c]` by constants of the architecture, e.g. input normalisation.
    case affine(scale: [Float], offset: [Float])
    case concat(axis: Int)
    case resize(Resampling, height: Int, width: Int)
    case maxPool(Pooling)
    case averagePool(Pooling)
    case globalAveragePool
    /// Keeps `range` of one axis.
    case slice(axis: Int, range: Range<Int>)
    case transpose([Int])
    /// New extents; one may be -1 and is computed.
    case reshape([Int])
    /// The largest values along an axis, sorted, and their indices (int64): two outputs.
    case topK(count: Int, axis: Int)
    /// `1 - x`.
    case complement
    /// `min(max(x, low), high)`.
    case clip(low: Float, high: Float)
    case linear(Linear)
    /// Brings the last axis to mean 0 and variance 1, then scales and shifts it by trained vectors.
    case layerNorm(epsilon: Float)
    /// Multiplies the last axis by a trained vector.
    case scale
    /// Cuts one axis into pieces of these extents: as many outputs.
    case split(axis: Int, sizes: [Int])
    /// Every `block x block` square becomes channels, in the order channel, row, column (PyTorch's `pixel_unshuffle`).
    case spaceToDepth(block: Int)
    /// The inverse of `spaceToDepth` (PyTorch's `pixel_shuffle`).
    case depthToSpace(block: Int)
    /// The recurrence `h[t] = a[t] * h[t-1] + b[t]` along an axis, run from both ends, both results added; inputs a, b.
    case bidirectionalScan(axis: Int)
    /// The integers from 0 to 255 that stand for the numbers.
    case quantise(Quantiser)
    /// The numbers that such integers stand for.
    case dequantise(Quantiser)
}

extension LayerOperation {
    /// The 4x4 weights of `bilinearDeconvolution`, by rows.
    static let bilinearKernel: [Float] = {
        let line: [Float] = [0.25, 0.75, 0.75, 0.25]
        return line.flatMap { y in line.map { x in y * x } }
    }()

    /// A short name for summaries.
    public var kind: String {
        switch self {
        case .convolution(let c):
            let name = c.groups > 1 && c.groups == c.inputChannels ? "dwconv" : "conv"
            return "\(name) \(c.kernel)x\(c.kernel)" + (c.stride > 1 ? " s\(c.stride)" : "")
                + (c.dilation > 1 ? " d\(c.dilation)" : "")
        case .transposedConvolution(let c): return "deconv \(c.kernel)x\(c.kernel) s\(c.stride)"
        case .bilinearDeconvolution: return "deconv bilinear"
        case .batchNorm: return "batchnorm"
        case .relu: return "relu"
        case .relu6: return "relu6"
        case .leakyRelu(let slope): return "leakyrelu \(slope)"
        case .sigmoid: return "sigmoid"
        case .tanh: return "tanh"
        case .softmax: return "softmax"
        case .add: return "add"
        case .subtract: return "subtract"
        case .multiply: return "multiply"
        case .affine: return "affine"
        case .concat: return "concat"
        case .resize(.bilinear, _, _): return "resize bilinear"
        case .resize(.bilinearAlignedCorners, _, _): return "resize bilinear aligned"
        case .resize(.nearest, _, _): return "resize nearest"
        case .maxPool(let p): return "maxpool \(p.kernel)x\(p.kernel) s\(p.stride)"
        case .averagePool(let p): return "avgpool \(p.kernel)x\(p.kernel) s\(p.stride)"
        case .globalAveragePool: return "global avgpool"
        case .slice(_, let range): return "slice \(range.lowerBound)..<\(range.upperBound)"
        case .transpose: return "transpose"
        case .reshape: return "reshape"
        case .topK(let count, _): return "top \(count)"
        case .complement: return "complement"
        case .clip(let low, let high): return "clip \(low)...\(high)"
        case .linear: return "linear"
        case .layerNorm: return "layernorm"
        case .scale: return "scale"
        case .split(_, let sizes): return "split \(sizes.count)"
        case .spaceToDepth(let block): return "space to depth \(block)"
        case .depthToSpace(let block): return "depth to space \(block)"
        case .bidirectionalScan(let axis): return "scan axis \(axis)"
        case .quantise: return "quantise"
        case .dequantise: return "dequantise"
        }
    }
}
