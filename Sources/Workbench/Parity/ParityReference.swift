// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Inference
internal import Media
internal import Networks
internal import Pipeline

/// What somebody else's program made of one picture, read from a NumPy archive.
///
/// ```
///   image          u8  [H, W, 3]      the picture, RGB
///   input          f32 [1, 3, h, w]   the tensor that the network was given
///   output.NAME    f32                its outputs, by the names in the model (NAME alone will do)
///   boxes          f32 [N, 4...]      decoded: left, top, right, bottom in pixels of the picture, then anything
///   lines          f32 [N, 4...]      decoded: x, y of one end, x, y of the other
///   scores         f32 [N]            of each box or line
///   landmarks      f32 [N, 10]        of each box: x, y of five points; [N, 5, 2] will do
///   labels         u8  [H, W]         the class of each pixel of the picture
/// ```
/// Each key is optional; what is missing is not compared.
struct ParityReference {
    let arrays: [String: Tensor]

    init(path: String) throws { arrays = try NPZ.read(path: path) }

    init(_ arrays: [String: Tensor]) { self.arrays = arrays }

    /// The picture, as a full-range 4:4:4 one; colours are off by a level at most.
    func picture() throws -> Picture? {
        guard let image = arrays["image"] else { return nil }
        guard image.type == .u8, image.shape.count == 3, image.shape[2] == 3,
            image.shape[0] > 0, image.shape[1] > 0, image.shape[0] <= 1 << 14, image.shape[1] <= 1 << 14
        else { throw OutputError("image: must be uint8 of shape (height, width, 3), RGB") }
        let (height, width) = (image.shape[0], image.shape[1])
        let picture = try PicturePool().make(
            width: width, height: height, format: .i444, color: ColorSpec(matrix: .bt601, range: .full))
        let planes = (0..<3).map { picture.mutablePlane($0) }
        image.bytes.withUnsafeBufferPointer { bytes in
            for y in 0..<height {
                for x in 0..<width {
                    let at = 3 * (y * width + x)
                    let color = picture.color.bytes(of: (Int(bytes[at]), Int(bytes[at + 1]), Int(bytes[at + 2])))
                    for (plane, value) in zip(planes, [color.y, color.u, color.v]) {
                        plane.base[y * plane.stride + x] = value
                    }
                }
            }
        }
        return picture
    }

    /// A float array of its key.
    func floats(_ key: String) throws -> (shape: [Int], values: [Float])? {
        guard let tensor = arrays[key] else { return nil }
        guard let values = tensor.floats() else { throw OutputError("\(key): must be of floats") }
        return (tensor.shape, values)
    }

    /// The raw output of a name.
    func output(_ name: String) throws -> (shape: [Int], values: [Float])? {
        try floats("output." + name) ?? floats(name)
    }

    /// Numbers that belong to the rows of a table.
    func numbers(_ key: String, each width: Int, of count: Int) throws -> [[Float]]? {
        guard let (shape, values) = try floats(key) else { return nil }
        guard values.count == width * count, shape.first == count || count == 0 else {
            throw OutputError(
                "\(key): must have \(width == 1 ? "a number" : "\(width) numbers") for each of \(count) rows")
        }
        return (0..<count).map { Array(values[$0 * width..<($0 + 1) * width]) }
    }

    /// The class of each pixel.
    func labels() throws -> (width: Int, height: Int, values: [UInt8])? {
        guard let tensor = arrays["labels"] else { return nil }
        guard tensor.type == .u8, tensor.shape.count == 2, tensor.shape.allSatisfy({ $0 > 0 }) else {
            throw OutputError("labels: must be uint8 of shape (height, width)")
        }
        return (tensor.shape[1], tensor.shape[0], Array(tensor.bytes))
    }

    /// The first four columns of a decoded table.
    func rows(_ key: String) throws -> [Quad]? {
        guard let (shape, values) = try floats(key) else { return nil }
        guard shape.count == 2, shape[1] >= 4 || shape[0] == 0 else {
            throw OutputError("\(key): must have a row of four numbers or more for each")
        }
        return (0..<shape[0]).map { row in
            let at = row * shape[1]
            return Quad(values[at], values[at + 1], values[at + 2], values[at + 3])
        }
    }
}

/// Two corners of a box, or two ends of a line.
struct Quad: Equatable {
    var x0, y0, x1, y1: Float

    init(_ x0: Float, _ y0: Float, _ x1: Float, _ y1: Float) {
        (self.x0, self.y0, self.x1, self.y1) = (x0, y0, x1, y1)
    }

    /// Both points moved by one function.
    func map(_ body: (Point) -> Point) -> Quad {
        let (a, b) = (body(Point(x: x0, y: y0)), body(Point(x: x1, y: y1)))
        return Quad(a.x, a.y, b.x, b.y)
    }

    /// The largest difference of a coordinate.
    func distance(to other: Quad) -> Float {
        max(abs(x0 - other.x0), abs(y0 - other.y0), abs(x1 - other.x1), abs(y1 - other.y1))
    }
}
