// SPDX-License-Identifier: Apache-2.0
internal import CV4L2

/// What the device offers, and choosing from it.
extension VideoDevice {
    /// All formats with their sizes and rates; with `sizes` false their names alone.
    func formats(withSizes: Bool = true) -> [CameraFormat] {
        var result: [CameraFormat] = []
        let type = captureType
        enumerate(
            vpipe_VIDIOC_ENUM_FMT(),
            { index in
                var entry = v4l2_fmtdesc()
                entry.index = index
                entry.type = type
                return entry
            },
            { entry in
                let code = FourCC(rawValue: entry.pixelformat)
                result.append(
                    CameraFormat(
                        code: code.description, name: Self.text(of: entry.description),
                        isReadable: CaptureFormat.named(code) != nil, sizes: []))
                guard withSizes, CaptureFormat.named(code) != nil else { return }
                result[result.count - 1].sizes = sizes(of: entry.pixelformat)
            })
        return result
    }

    private func sizes(of format: UInt32) -> [CameraFormat.Size] {
        var result: [CameraFormat.Size] = []
        enumerate(
            vpipe_VIDIOC_ENUM_FRAMESIZES(),
            { index in
                var entry = v4l2_frmsizeenum()
                entry.index = index
                entry.pixel_format = format
                return entry
            },
            { entry in
                // A range is one entry; drivers that give it for every index would fill the list with it.
                guard result.isEmpty || result[0].isFixed else { return }
                var size: CameraFormat.Size
                if entry.type == V4L2_FRMSIZE_TYPE_DISCRETE.rawValue {
                    let (width, height) = (Int(entry.discrete.width), Int(entry.discrete.height))
                    size = CameraFormat.Size(
                        width: width, height: height, maxWidth: width, maxHeight: height, stepWidth: 1, stepHeight: 1,
                        rates: [], isAnyRate: false)
                } else {
                    let range = entry.stepwise
                    size = CameraFormat.Size(
                        width: Int(range.min_width), height: Int(range.min_height), maxWidth: Int(range.max_width),
                        maxHeight: Int(range.max_height), stepWidth: max(1, Int(range.step_width)),
                        stepHeight: max(1, Int(range.step_height)), rates: [], isAnyRate: false)
                }
                guard size.width > 0, size.height > 0, size.maxWidth >= size.width, size.maxHeight >= size.height
                else { return }
                (size.rates, size.isAnyRate) = rates(of: format, width: size.maxWidth, height: size.maxHeight)
                result.append(size)
            })
        return result
    }

    private func rates(of format: UInt32, width: Int, height: Int) -> ([Double], isAny: Bool) {
        var rates: [Double] = []
        var isAny = false
        func add(_ interval: v4l2_fract) {
            guard interval.numerator > 0, interval.denominator > 0 else { return }
            rates.append(Double(interval.denominator) / Double(interval.numerator))
        }
        enumerate(
            vpipe_VIDIOC_ENUM_FRAMEINTERVALS(),
            { index in
                var entry = v4l2_frmivalenum()
                entry.index = index
                entry.pixel_format = format
                entry.width = UInt32(width)
                entry.height = UInt32(height)
                return entry
            },
            { entry in
                if entry.type == V4L2_FRMIVAL_TYPE_DISCRETE.rawValue {
                    add(entry.discrete)
                } else if !isAny {
                    isAny = true
                    add(entry.stepwise.min)
                    add(entry.stepwise.max)
                }
            })
        return (rates.sorted(by: >), isAny)
    }

    /// What the driver settled on, and what it was asked for.
    typealias Agreement = (layout: vpipe_v4l2_layout, format: CaptureFormat, rate: Double?, choice: CameraChoice)

    /// Sets format, size and rate to the nearest there is.
    ///
    /// `known`, what the wish came to before, is tried first: listing everything takes long on some devices.
    func negotiate(_ wish: CameraWish, known: CameraChoice? = nil) throws(CameraError) -> Agreement {
        if let known, let agreement = try? settle(known), agreement.format.code == known.format,
            Int(agreement.layout.width) == known.width, Int(agreement.layout.height) == known.height
        {
            return agreement
        }
        var offers = formats()
        if !offers.isEmpty, !offers.contains(where: \.isReadable), captureType == V4L2_BUF_TYPE_VIDEO_CAPTURE.rawValue {
            // Sensors' own formats: libv4l2 knows how to turn most of them into YUV.
            emulateFormats()
            offers = formats()
        }
        // A loopback device that nobody writes to.
        if offers.isEmpty { throw CameraError(.absent, "the device offers no format; nothing feeds it") }
        let agreement = try settle(try wish.choose(from: offers))
        if wish.isExact,
            let lacking = wish.lacking(Int(agreement.layout.width), Int(agreement.layout.height), agreement.rate)
        {
            throw CameraError(.unsuited, "\(lacking) by what the driver settles on")
        }
        return agreement
    }

    private func settle(_ choice: CameraChoice) throws(CameraError) -> Agreement {
        var format = v4l2_format()
        format.type = captureType
        try demand(vpipe_VIDIOC_G_FMT(), &format, "G_FMT")
        vpipe_v4l2_set_layout(&format, UInt32(choice.width), UInt32(choice.height), choice.format.rawValue)
        try demand(vpipe_VIDIOC_S_FMT(), &format, "S_FMT")
        let layout = vpipe_v4l2_get_layout(&format)
        guard let stored = CaptureFormat.named(FourCC(rawValue: layout.fourcc)) else {
            throw CameraError(.unsuited, "insists on the format \(FourCC(rawValue: layout.fourcc))")
        }
        switch layout.field {
        case V4L2_FIELD_TOP.rawValue, V4L2_FIELD_BOTTOM.rawValue, V4L2_FIELD_ALTERNATE.rawValue,
            V4L2_FIELD_SEQ_TB.rawValue, V4L2_FIELD_SEQ_BT.rawValue:
            throw CameraError(.unsuited, "gives half pictures (fields); choose another input, standard or size")
        default: break
        }
        return (layout, stored, setRate(choice.rate), choice)
    }

    /// Asks for a rate; the one in force, nil where the driver has no say in it.
    private func setRate(_ rate: Double) -> Double? {
        var parameters = v4l2_streamparm()
        parameters.type = captureType
        guard ask(vpipe_VIDIOC_G_PARM(), &parameters) == 0 else { return nil }
        if parameters.parm.capture.capability & UInt32(V4L2_CAP_TIMEPERFRAME) != 0, rate > 0, rate <= 1e5 {
            // The broadcast rates are exact in 1001ths, all others in thousandths of a frame.
            let isBroadcast = abs(rate * 1001 / 1000 - (rate * 1001 / 1000).rounded()) < 1e-3 && rate != rate.rounded()
            var wanted = parameters
            wanted.parm.capture.timeperframe = v4l2_fract(
                numerator: isBroadcast ? 1001 : 1000,
                denominator: UInt32((isBroadcast ? rate * 1001 : rate * 1000).rounded()))
            if ask(vpipe_VIDIOC_S_PARM(), &wanted) == 0 { parameters = wanted }
        }
        let interval = parameters.parm.capture.timeperframe
        guard interval.numerator > 0, interval.denominator > 0 else { return nil }
        return Double(interval.denominator) / Double(interval.numerator)
    }
}
