// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import CV4L2
internal import Glibc
public import Media

/// Gives pictures to a v4l2loopback device, which other programs see as a webcam.
///
/// The first picture sets the size, made even by scaling; later ones are fitted into it, also after the device was away.
/// A picture that the device does not take is dropped and counted, never waited for. Confined.
public final class CameraOutput {
    /// How pictures are stored in the device.
    public enum Format: String, Sendable, CaseIterable {
        /// 4:2:2 in one plane: what every program reads.
        case yuyv = "YUYV"
        /// 4:2:0 in three planes: half the conversion, fewer readers.
        case yu12 = "YU12"
        /// 4:2:0 in two planes.
        case nv12 = "NV12"

        fileprivate var av: AVPixelFormat {
            switch self {
            case .yuyv: AV_PIX_FMT_YUYV422
            case .yu12: AV_PIX_FMT_YUV420P
            case .nv12: AV_PIX_FMT_NV12
            }
        }
    }

    /// What has been done so far.
    public struct Statistics: Sendable, Hashable {
        /// Pictures the device took.
        public var written = 0
        /// Pictures it did not take, because its readers are slow or it is away.
        public var refused = 0
        /// Losses of the device.
        public var losses = 0
        /// Times it came back.
        public var returns = 0
        /// The sentence of the last loss.
        public var lastLoss: String?
        /// What readers get, `YUYV 1280x720`.
        public var mode = ""
        /// Advice on how the module was loaded.
        public var advice: String?
    }

    private struct Link {
        /// Nil for an output that goes nowhere.
        let device: VideoDevice?
        let layout: CaptureLayout
        let bytes: UnsafeMutableRawBufferPointer
        let scaler: PictureScaler
    }

    /// How to get a device, for messages.
    static let remedy = "sudo modprobe v4l2loopback video_nr=9 card_label=vpipe exclusive_caps=1"

    private let path: String
    private let isDiscarding: Bool
    private let format: Format
    private let rate: Double?
    private let system: VideoSystem
    private var link: Link?
    private var waiting: VideoDevice?
    private var size: (width: Int, height: Int)?
    private var converter: SwsHandle?
    private var schedule: RetrySchedule
    private var retryAt: UInt64 = 0
    /// Counts so far.
    public private(set) var statistics = Statistics()

    /// Opens `device`; the format follows with the first picture.
    ///
    /// - Throws: a sentence that says how to get such a device.
    public convenience init(_ device: String, format: Format = .yuyv, rate: Double? = nil) throws(MediaError) {
        try self.init(device, format: format, rate: rate, system: .live)
    }

    init(_ device: String, format: Format, rate: Double?, system: VideoSystem) throws(MediaError) {
        path = CameraList.path(of: device)
        isDiscarding = false
        self.format = format
        self.rate = rate
        self.system = system
        schedule = RetrySchedule(first: 100_000_000, longest: 1_000_000_000, seed: system.now())
        do throws(CameraError) {
            waiting = try open()
        } catch {
            throw error.of(device)
        }
    }

    /// An output without a device, for trial runs: pictures are converted as for one, and go nowhere.
    package init(discarding format: Format) {
        path = ""
        isDiscarding = true
        self.format = format
        rate = nil
        system = .live
        schedule = RetrySchedule(first: 100_000_000, longest: 1_000_000_000, seed: 0)
    }

    deinit {
        // The next program may choose its own size.
        if let device = link?.device { keepFormat(false, of: device) }
        link?.bytes.deallocate()
    }

    /// Gives the device a picture; false when it did not take it.
    ///
    /// - Throws: only what no waiting cures: the format is refused, a picture cannot be converted.
    @discardableResult
    public func write(_ picture: Picture) throws(MediaError) -> Bool {
        guard let link = try linked(for: picture) else {
            statistics.refused += 1
            return false
        }
        try convert(picture, into: link)
        // The driver takes a whole picture or nothing.
        let status =
            link.device.flatMap { device in
                link.bytes.baseAddress.map { system.write(device.descriptor, $0, link.bytes.count) }
            } ?? 0
        if status == 0 {
            statistics.written += 1
            return true
        }
        statistics.refused += 1
        if status != EAGAIN { lose(CameraError(status, during: "write")) }
        return false
    }

    // MARK: Coming and going

    private func open() throws(CameraError) -> VideoDevice {
        do throws(CameraError) {
            let device = try VideoDevice(path, system: system)
            guard device.canOutput else {
                throw CameraError(
                    .unsuited,
                    device.canCapture
                        ? "is a camera, or another program already feeds it; pictures go into a loopback device: "
                            + Self.remedy
                        : "takes no pictures; load a loopback device: \(Self.remedy)")
            }
            if device.canCapture {
                statistics.advice =
                    "browsers list the camera only when the module is loaded with exclusive_caps=1: \(Self.remedy)"
            }
            return device
        } catch {
            guard error.fault == .absent else { throw error }
            throw CameraError(
                .absent, "no such device; load the loopback module: \(Self.remedy) (package v4l2loopback-dkms)",
                number: error.number)
        }
    }

    private func linked(for picture: Picture) throws(MediaError) -> Link? {
        if let link { return link }
        if waiting == nil, system.now() < retryAt { return nil }
        do throws(CameraError) {
            if isDiscarding {
                let link = try discardingLink(for: picture)
                self.link = link
                return link
            }
            let device: VideoDevice
            if let waiting { device = waiting } else { device = try open() }
            waiting = nil
            let link = try negotiate(device, picture)
            if statistics.losses > statistics.returns { statistics.returns += 1 }
            schedule.succeeded(at: system.now())
            self.link = link
            return link
        } catch {
            // What never worked is the user's to know; what did may work again.
            if statistics.losses == 0 { throw error.of(path) }
            retryAt = schedule.failed(at: system.now())
            return nil
        }
    }

    private func lose(_ error: CameraError) {
        statistics.losses += 1
        statistics.lastLoss = error.detail
        link?.bytes.deallocate()
        link = nil
        retryAt = schedule.failed(at: system.now())
    }

    private func negotiate(_ device: VideoDevice, _ picture: Picture) throws(CameraError) -> Link {
        let size = settledSize(picture)
        keepFormat(true, of: device)
        var wanted = v4l2_format()
        wanted.type = V4L2_BUF_TYPE_VIDEO_OUTPUT.rawValue
        vpipe_v4l2_set_layout(&wanted, UInt32(size.width), UInt32(size.height), FourCC(format.rawValue)?.rawValue ?? 0)
        try device.demand(vpipe_VIDIOC_S_FMT(), &wanted, "S_FMT")
        let settled = vpipe_v4l2_get_layout(&wanted)
        guard FourCC(rawValue: settled.fourcc) == FourCC(format.rawValue) else {
            throw CameraError(
                .busy,
                "another program holds the device at \(FourCC(rawValue: settled.fourcc)); close its readers, or "
                    + "set \"format\" to that")
        }
        let layout = try CaptureLayout(settled, format: format.av, swapsChroma: false)
        setRate(of: device)
        let scaler = try scaler(to: layout)
        // v4l2loopback up to 0.12 takes a writer that never said so for none when it goes, and stays without a direction;
        // later ones refuse this before buffers are asked for, and need it not.
        var wish = Int32(bitPattern: V4L2_BUF_TYPE_VIDEO_OUTPUT.rawValue)
        _ = device.ask(vpipe_VIDIOC_STREAMON(), &wish)
        statistics.mode = "\(device.card), \(format.rawValue) \(layout.width)x\(layout.height)"
        return Link(
            device: device, layout: layout,
            bytes: .allocate(byteCount: max(Int(settled.size.0), layout.needed[0]), alignment: 64), scaler: scaler)
    }

    private func discardingLink(for picture: Picture) throws(CameraError) -> Link {
        let size = settledSize(picture)
        var settled = vpipe_v4l2_layout()
        settled.width = UInt32(size.width)
        settled.height = UInt32(size.height)
        settled.planes = 1
        let layout = try CaptureLayout(settled, format: format.av, swapsChroma: false)
        statistics.mode = "no device, \(format.rawValue) \(layout.width)x\(layout.height)"
        return Link(
            device: nil, layout: layout, bytes: .allocate(byteCount: layout.needed[0], alignment: 64),
            scaler: try scaler(to: layout))
    }

    /// The size of the first picture, made even.
    private func settledSize(_ picture: Picture) -> (width: Int, height: Int) {
        // Readers fail on odd sizes: browsers refuse them, and YUYV has no half pair.
        let size = self.size ?? (max(2, picture.width & ~1), max(2, picture.height & ~1))
        self.size = size
        return size
    }

    private func scaler(to layout: CaptureLayout) throws(CameraError) -> PictureScaler {
        let target = PictureScaler.Target(width: layout.width, height: layout.height, range: .limited)
        guard let scaler = try? PictureScaler(target, fit: .letterbox) else {
            throw CameraError(.refused, "pictures of \(layout.width)x\(layout.height) cannot be made")
        }
        return scaler
    }

    /// v4l2loopback's own control: readers keep their format while the writer is away.
    ///
    /// Other drivers have none.
    private func keepFormat(_ isKept: Bool, of device: VideoDevice) {
        for control in device.controls where control.name == "keep_format" {
            var setting = v4l2_control(id: control.id, value: isKept ? 1 : 0)
            _ = device.ask(vpipe_VIDIOC_S_CTRL(), &setting)
        }
    }

    private func setRate(of device: VideoDevice) {
        guard let rate, rate > 0, rate <= 1000 else { return }
        var parameters = v4l2_streamparm()
        parameters.type = V4L2_BUF_TYPE_VIDEO_OUTPUT.rawValue
        parameters.parm.output.timeperframe = v4l2_fract(numerator: 1000, denominator: UInt32(rate * 1000))
        _ = device.ask(vpipe_VIDIOC_S_PARM(), &parameters)
    }

    // MARK: Pixels

    private func convert(_ picture: Picture, into link: Link) throws(MediaError) {
        let fitted = try link.scaler.scale(picture)
        let from = SwsHandle.Side(
            width: Int32(fitted.width), height: Int32(fitted.height), format: fitted.format.av.rawValue,
            matrix: fitted.color.matrix, isFull: fitted.color.range == .full)
        // Readers take what a webcam gives for sRGB, whose Y'CbCr is that of BT.601.
        let to = SwsHandle.Side(
            width: from.width, height: from.height, format: format.av.rawValue, matrix: .bt601, isFull: false)
        if converter?.from != from || converter?.to != to {
            converter = try SwsHandle(from: from, to: to, flags: SWS_BILINEAR | SWS_ACCURATE_RND)
        }
        let frame = AVFramePool.take()
        defer { AVFramePool.give(frame) }
        guard let base = link.bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
        for (index, place) in link.layout.planes.enumerated() {
            frame.setPlane(index, base + place.offset, stride: place.stride)
        }
        try converter?.run(from: fitted.avFrame, to: frame)
    }
}
