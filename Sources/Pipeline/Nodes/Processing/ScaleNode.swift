// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Dataflow
internal import Media
internal import PipelineLanguage

/// `scale`: changes the picture size.
final class ScaleNode: Node, NodeType {
    static let size = Param.size("size", doc: "Width and height of the pictures that come out")
    static let fit = Param.choice(
        "fit", default: PictureScaler.Fit.inside,
        docs: [
            "stretch": "fills the size, distorted", "letterbox": "keeps proportions between black bars",
            "inside": "keeps proportions, as large as fits",
        ], doc: "What happens when the proportions differ")
    static let filter = Param.choice(
        "filter", default: PictureScaler.Filter.area,
        docs: ["area": "best for smaller", "bilinear": "fastest", "bicubic": "sharpest for larger"],
        doc: "How samples are interpolated")

    static let contract = Contract(
        "scale", aliases: ["resize"], .processing, summary: "Changes the picture size",
        details: "Results found before and after keep the coordinates of the source frame.",
        parameters: [size, fit, filter],
        examples: [.init("Half a full HD picture", #"{ "type": "scale", "input": "video", "size": "960x540" }"#)],
        check: { PictureMemory.problems($0[size], size.spec.name) })

    private let scaler: PictureScaler
    private let fit: PictureScaler.Fit

    static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        let size = node.settings[size]
        let fit = node.settings[fit]
        let scaler = try PictureScaler(
            .init(width: size.width, height: size.height), fit: fit, filter: node.settings[filter])
        return .node(ScaleNode(scaler, fit: fit))
    }

    init(_ scaler: PictureScaler, fit: PictureScaler.Fit) {
        self.scaler = scaler
        self.fit = fit
    }

    func process(_ item: Item, to output: Output) throws -> Disposition {
        let frame = item.frame
        let scaled = try scaler.scale(frame.picture)
        guard scaled !== frame.picture else {
            output.forward()
            return .done
        }
        let map = Self.map(from: scaled, to: frame.picture, fit: fit)
        output.emit(frame.replacing(picture: scaled, map: frame.map.composed(with: map)))
        return .done
    }

    /// Where the scaled picture's pixels lie in the picture it was made of.
    static func map(from scaled: Picture, to picture: Picture, fit: PictureScaler.Fit) -> PictureMap {
        let x = Float(picture.width) / Float(scaled.width)
        let y = Float(picture.height) / Float(scaled.height)
        guard fit == .letterbox else { return PictureMap(scaleX: x, scaleY: y, offsetX: 0, offsetY: 0) }
        let scale = max(x, y)
        return PictureMap(
            scaleX: scale, scaleY: scale, offsetX: (Float(picture.width) - Float(scaled.width) * scale) / 2,
            offsetY: (Float(picture.height) - Float(scaled.height) * scale) / 2)
    }
}
