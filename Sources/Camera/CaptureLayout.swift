// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import CV4L2
internal import Media

/// Where the planes of a raw picture lie in the driver's buffers, checked against their sizes.
///
/// A pure value.
struct CaptureLayout {
    /// One plane of the picture.
    struct PlanePlace {
        /// Which of the buffer's memory planes holds it.
        let memory: Int
        let offset: Int
        let stride: Int
    }

    let width: Int
    let height: Int
    let format: AVPixelFormat
    /// In the order of FFmpeg's planes.
    let planes: [PlanePlace]
    /// Bytes that each memory plane must hold for a whole picture.
    let needed: [Int]

    /// Lays out what the driver settled on.
    init(_ settled: vpipe_v4l2_layout, format: AVPixelFormat, swapsChroma: Bool) throws(CameraError) {
        let width = Int(settled.width)
        let height = Int(settled.height)
        guard (1...(1 << 15)).contains(width), (1...(1 << 15)).contains(height) else {
            throw CameraError(.unsuited, "pictures of \(width)x\(height) pixels are out of range")
        }
        let count = Int(av_pix_fmt_count_planes(format))
        let memories = Int(settled.planes)
        guard count >= 1, memories == 1 || memories == count else {
            throw CameraError(.refused, "the driver gives \(memories) memory planes for \(count) planes of samples")
        }
        let strides = Self.elements(of: settled.stride)
        let rowBytes = (0..<count).map { Int(av_image_get_linesize(format, Int32(width), Int32($0))) }
        let chromaShift = Int(av_pix_fmt_desc_get(format)?.pointee.log2_chroma_h ?? 0)
        func rows(_ plane: Int) -> Int { plane == 0 ? height : (height + (1 << chromaShift) - 1) >> chromaShift }
        let luma = max(Int(strides[0]), rowBytes[0])
        var planes: [PlanePlace] = []
        var needed = [Int](repeating: 0, count: memories)
        var offset = 0
        for plane in 0..<count {
            let place: PlanePlace
            if memories == 1 {
                // V4L2's rule for one buffer: chroma rows are as much shorter as their samples are fewer.
                let stride = plane == 0 ? luma : luma * Self.unit(format, plane) / Self.unit(format, 0)
                place = PlanePlace(memory: 0, offset: offset, stride: stride)
                offset += stride * rows(plane)
            } else {
                place = PlanePlace(memory: plane, offset: 0, stride: max(Int(strides[plane]), rowBytes[plane]))
            }
            let end = place.offset + place.stride * (rows(plane) - 1) + rowBytes[plane]
            needed[place.memory] = max(needed[place.memory], end)
            planes.append(place)
        }
        if swapsChroma, count == 3 { planes.swapAt(1, 2) }
        self.width = width
        self.height = height
        self.format = format
        self.planes = planes
        self.needed = needed
    }

    /// Bytes in a row of a plane for a width that all subsampling divides.
    private static func unit(_ format: AVPixelFormat, _ plane: Int) -> Int {
        Int(av_image_get_linesize(format, 64, Int32(plane)))
    }

    static func elements<Tuple>(of tuple: Tuple) -> [UInt32] {
        withUnsafeBytes(of: tuple) { Array($0.bindMemory(to: UInt32.self)) }
    }
}

/// What the driver says of the meaning of the values, in FFmpeg's terms.
///
/// What it leaves open is the kernel's default: full range for all but Y'CbCr, so also for gray.
struct CaptureColor {
    let space: AVColorSpace
    let range: AVColorRange

    init(_ settled: vpipe_v4l2_layout, isYCbCr: Bool) {
        var settled = settled
        space =
            switch vpipe_v4l2_encoding(&settled) {
            case V4L2_YCBCR_ENC_709.rawValue, V4L2_YCBCR_ENC_XV709.rawValue, V4L2_YCBCR_ENC_SMPTE240M.rawValue:
                AVCOL_SPC_BT709
            case V4L2_YCBCR_ENC_BT2020.rawValue, V4L2_YCBCR_ENC_BT2020_CONST_LUM.rawValue: AVCOL_SPC_BT2020_NCL
            default: AVCOL_SPC_SMPTE170M
            }
        range =
            vpipe_v4l2_quantization(&settled, isYCbCr ? 0 : 1) == V4L2_QUANTIZATION_FULL_RANGE.rawValue
            ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG
    }
}
