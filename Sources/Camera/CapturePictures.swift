// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import CV4L2
internal import Media

/// Makes pictures of a driver's buffers: as they are where the format allows, else by one conversion or decoding.
///
/// Confined. A buffer that is converted, decoded or copied goes back to the driver at once; one that travels goes back
/// when its last user is done. When that would leave the driver too few, the picture is copied.
final class CapturePictures {
    private enum Method {
        case raw(CaptureLayout, CaptureColor)
        case decode(PacketDecoder)
    }

    /// Why a buffer gave no picture.
    enum Flaw { case short, undecodable }

    /// A picture or what was wrong.
    enum Outcome {
        case picture(Picture, capturedAt: UInt64)
        case none(Flaw)
    }

    private let method: Method
    private let converter = PictureConverter()
    private let pool = PicturePool()
    /// Pictures copied so that the driver keeps its buffers.
    private(set) var copied = 0
    /// Pictures that needed another layout.
    var converted: Int { converter.converted }

    init(_ settled: vpipe_v4l2_layout, format: CaptureFormat) throws(CameraError) {
        switch format.coding {
        case .raw(let samples, let swapsChroma):
            method = .raw(
                try CaptureLayout(settled, format: samples, swapsChroma: swapsChroma),
                CaptureColor(settled, isYCbCr: !samples.isRGB && !samples.isGray))
        case .packet(let codec):
            method = .decode(try PacketDecoder(codec, capacity: Int(settled.size.0)))
        }
    }

    /// Whether a picture can be left out without harm to those after it.
    var standAlone: Bool {
        guard case .decode(let decoder) = method else { return true }
        return decoder.isIntraOnly
    }

    /// Whether pictures take work, converting or decoding, as far as is known; their buffers go back at once.
    var areMade: Bool {
        if case .decode = method { return true }
        return converted > 0
    }

    /// Whether the driver's buffers are large enough for what it promised.
    func fits(_ buffers: CaptureBuffers) -> Bool {
        guard case .raw(let layout, _) = method else { return true }
        return buffers.memory.allSatisfy { planes in
            zip(planes, layout.needed).allSatisfy { $0.length >= $1 }
        }
    }

    /// Takes over buffer `captured` of `stream`; it is the stream's again, or on its way there, in every case.
    func picture(of captured: CaptureStream.Captured, from stream: CaptureStream) throws(CameraError) -> Outcome {
        switch method {
        case .decode(let decoder): return try decode(captured, stream, decoder)
        case .raw(let layout, let color): return try read(captured, stream, layout, color)
        }
    }

    private func decode(
        _ captured: CaptureStream.Captured, _ stream: CaptureStream, _ decoder: PacketDecoder
    ) throws(CameraError) -> Outcome {
        let memory = stream.buffers.memory[captured.index][0]
        let start = Int(captured.start[0])
        let count = min(Int(captured.used[0]), memory.length) - start
        let isSent =
            count > 0
            && decoder.send(memory.address + start, count: count, capturedAt: captured.capturedAt)
        try stream.queue(captured.index)
        guard count > 0 else { return .none(.short) }
        guard isSent, let (frame, instant) = decoder.receive() else { return .none(.undecodable) }
        guard
            let picture = try? converter.picture(
                adopting: frame, aspect: AVRational(num: 0, den: 1), turn: .upright, grayIsFull: true)
        else { return .none(.undecodable) }
        return .picture(picture, capturedAt: instant)
    }

    private func read(
        _ captured: CaptureStream.Captured, _ stream: CaptureStream, _ layout: CaptureLayout, _ color: CaptureColor
    ) throws(CameraError) -> Outcome {
        let memory = stream.buffers.memory[captured.index]
        for (plane, needed) in layout.needed.enumerated() {
            let start = Int(captured.start[plane])
            guard Int(captured.used[plane]) - start >= needed, memory[plane].length - start >= needed else {
                try stream.queue(captured.index)
                return .none(.short)
            }
        }
        guard let lease = stream.buffers.lease(captured.index) else {
            try stream.queue(captured.index)
            throw CameraError(.refused, "out of memory for a picture")
        }
        let frame = AVFramePool.take()
        frame.pointee.buf.0 = lease
        frame.pointee.width = Int32(layout.width)
        frame.pointee.height = Int32(layout.height)
        frame.pointee.format = layout.format.rawValue
        frame.pointee.colorspace = color.space
        frame.pointee.color_range = color.range
        for (index, place) in layout.planes.enumerated() {
            let base = memory[place.memory].address + place.offset + Int(captured.start[place.memory])
            frame.setPlane(index, base.assumingMemoryBound(to: UInt8.self), stride: place.stride)
        }
        var picture: Picture
        do {
            picture = try converter.picture(
                adopting: frame, aspect: AVRational(num: 0, den: 1), turn: .upright, grayIsFull: false)
        } catch {
            throw CameraError(.unsuited, error.detail)
        }
        // A converted picture has let go of the buffer already.
        try stream.queueReturned()
        if stream.queued < stream.floor {
            copied += 1
            do {
                picture = try pool.writableCopy(of: picture)
            } catch {
                throw CameraError(.unsuited, error.detail)
            }
            try stream.queueReturned()
        }
        return .picture(picture, capturedAt: captured.capturedAt)
    }
}

extension UnsafeMutablePointer where Pointee == AVFrame {
    /// Sets a plane of a raw frame, 0 to 2.
    func setPlane(_ index: Int, _ base: UnsafeMutablePointer<UInt8>, stride: Int) {
        switch index {
        case 0: (pointee.data.0, pointee.linesize.0) = (base, Int32(stride))
        case 1: (pointee.data.1, pointee.linesize.1) = (base, Int32(stride))
        default: (pointee.data.2, pointee.linesize.2) = (base, Int32(stride))
        }
    }
}
