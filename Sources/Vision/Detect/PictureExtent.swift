// SPDX-License-Identifier: Apache-2.0
package import Inference
internal import Networks

/// An input beside the picture that wants to know its size: detectors without a fixed one scale their boxes by it.
///
/// It is given the size of the network's own input, so that boxes come in its pixels as those of all other models do.
package struct PictureExtent {
    private enum Order { case widthHeight, heightWidth, ones }
    private let order: Order

    /// Recognises two numbers, `[2]` or `[1, 2]`; nil for any other input.
    ///
    /// By name: `scale...` are factors, `...shape` is height and width, `orig_target_sizes` and the rest width and height.
    package init?(of info: TensorInfo) {
        guard info.count == 2, [.i64, .i32, .f32].contains(info.element) else { return nil }
        let name = info.name.lowercased()
        order = name.contains("scale") ? .ones : name.contains("shape") ? .heightWidth : .widthHeight
    }

    /// Writes what stays the same for all pictures.
    func write(_ size: InputSize, to tensor: TensorBuffer) {
        let numbers =
            switch order {
            case .ones: (1, 1)
            case .heightWidth: (size.height, size.width)
            case .widthHeight: (size.width, size.height)
            }
        for (index, number) in [numbers.0, numbers.1].enumerated() {
            switch tensor.info.element {
            case .i64: tensor.base.storeBytes(of: Int64(number), toByteOffset: index * 8, as: Int64.self)
            case .i32: tensor.base.storeBytes(of: Int32(number), toByteOffset: index * 4, as: Int32.self)
            default: tensor.base.storeBytes(of: Float(number), toByteOffset: index * 4, as: Float.self)
            }
        }
    }
}
