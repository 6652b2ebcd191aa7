// SPDX-License-Identifier: Apache-2.0

extension ClassSet {
    /// The 19 training classes of Cityscapes in the order of their train ids, in its colours.
    public static let cityscapes = ClassSet(
        "cityscapes",
        [
            .init("road", Color(hex: 0x804080)), .init("sidewalk", Color(hex: 0xF423E8)),
            .init("building", Color(hex: 0x464646)), .init("wall", Color(hex: 0x66669C)),
            .init("fence", Color(hex: 0xBE9999)), .init("pole", Color(hex: 0x999999)),
            .init("traffic light", Color(hex: 0xFAAA1E)), .init("traffic sign", Color(hex: 0xDCDC00)),
            .init("vegetation", Color(hex: 0x6B8E23)), .init("terrain", Color(hex: 0x98FB98)),
            .init("sky", Color(hex: 0x4682B4)), .init("person", Color(hex: 0xDC143C)),
            .init("rider", Color(hex: 0xFF0000)), .init("car", Color(hex: 0x00008E)),
            .init("truck", Color(hex: 0x000046)), .init("bus", Color(hex: 0x003C64)),
            .init("train", Color(hex: 0x005064)), .init("motorcycle", Color(hex: 0x0000E6)),
            .init("bicycle", Color(hex: 0x770B20)),
        ])

    /// The 11 classes of CamVid in the order of the SegNet tutorial's labels (there is another one), in its colours.
    public static let camvid = ClassSet(
        "camvid",
        [
            .init("sky", Color(hex: 0x808080)), .init("building", Color(hex: 0x800000)),
            .init("pole", Color(hex: 0xC0C080)), .init("road", Color(hex: 0x804080)),
            .init("pavement", Color(hex: 0x3C28DE)), .init("tree", Color(hex: 0x808000)),
            .init("sign", Color(hex: 0xC08080)), .init("fence", Color(hex: 0x404080)),
            .init("car", Color(hex: 0x400080)), .init("pedestrian", Color(hex: 0x404000)),
            .init("bicyclist", Color(hex: 0x0080C0)),
        ])

    /// The sets that come with the product.
    public static let known = [cityscapes, camvid]

    /// The set that weights name: a known one where the names are its names in its order, else one with these names.
    ///
    /// A class that a known set has, too, keeps its colour there; the others get hues of their own.
    public init(naming names: [String]) {
        if let known = Self.known.first(where: { $0.members.map(\.name) == names }) {
            self = known
            return
        }
        let familiar = Self.known.flatMap(\.members)
        self.init(
            "weights",
            names.prefix(255).enumerated().map { index, name in
                familiar.first { $0.name == name } ?? Member(name, .distinct(index))
            })
    }
}
