// SPDX-License-Identifier: Apache-2.0
internal import CV4L2
internal import Glibc

/// An open video device: the descriptor and what the driver says of itself.
///
/// Confined.
///
/// Source: Linux media documentation, "Video for Linux API".
final class VideoDevice {
    let path: String
    let system: VideoSystem
    let descriptor: Int32
    /// The driver's name, `uvcvideo`.
    let driver: String
    /// The device's name for people.
    let card: String
    /// Where it is plugged in, `usb-0000:00:14.0-1`.
    let bus: String
    let capabilities: UInt32
    /// Set once libv4l2 converts for the descriptor.
    private(set) var isEmulated = false

    /// Opens `path`.
    init(_ path: String, system: VideoSystem) throws(CameraError) {
        let descriptor = system.open(path)
        guard descriptor >= 0 else { throw Self.refusal(-descriptor, path) }
        var found = v4l2_capability()
        let status = withUnsafeMutablePointer(to: &found) {
            system.control(descriptor, vpipe_VIDIOC_QUERYCAP(), $0)
        }
        guard status == 0 else {
            system.close(descriptor)
            if status == ENOTTY || status == EINVAL { throw CameraError(.unsuited, "is no video device") }
            throw CameraError(status, during: "QUERYCAP")
        }
        self.path = path
        self.system = system
        self.descriptor = descriptor
        driver = Self.text(of: found.driver)
        card = Self.text(of: found.card)
        bus = Self.text(of: found.bus_info)
        // V4L2_CAP_DEVICE_CAPS: the node has its own list beside the whole device's.
        let hasOwn = found.capabilities & 0x8000_0000 != 0
        capabilities = hasOwn ? found.device_caps : found.capabilities
    }

    deinit { system.close(descriptor) }

    private static func refusal(_ number: Int32, _ path: String) -> CameraError {
        // A node that stays after its device: opening it says "no such device".
        number == ENODEV || number == ENXIO
            ? CameraError(.absent, "no such device", number: number) : CameraError(number, during: "open")
    }

    var canCapture: Bool { capabilities & UInt32(V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_VIDEO_CAPTURE_MPLANE) != 0 }
    var canOutput: Bool { capabilities & UInt32(V4L2_CAP_VIDEO_OUTPUT) != 0 }
    var canStream: Bool { capabilities & UInt32(V4L2_CAP_STREAMING) != 0 }

    /// The kind of buffers that pictures come in.
    var captureType: UInt32 {
        capabilities & UInt32(V4L2_CAP_VIDEO_CAPTURE) != 0
            ? V4L2_BUF_TYPE_VIDEO_CAPTURE.rawValue : V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE.rawValue
    }

    /// Lets libv4l2 offer formats that it converts to.
    func emulateFormats() {
        if !isEmulated { isEmulated = system.emulate(descriptor) }
    }

    // MARK: Requests

    /// One request; 0 or an errno.
    func ask<Value>(_ request: UInt, _ value: inout Value) -> Int32 {
        withUnsafeMutablePointer(to: &value) { system.control(descriptor, request, $0) }
    }

    /// One request that must succeed.
    func demand<Value>(_ request: UInt, _ value: inout Value, _ operation: String) throws(CameraError) {
        let status = ask(request, &value)
        if status != 0 { throw CameraError(status, during: operation) }
    }

    /// Asks with rising index until the driver has no more; `limit` ends the talk of a driver that never does.
    func enumerate<Value>(
        _ request: UInt, limit: Int = 512, _ make: (UInt32) -> Value, _ take: (Value) -> Void
    ) {
        for index in 0..<UInt32(limit) {
            var value = make(index)
            guard ask(request, &value) == 0 else { return }
            take(value)
        }
    }

    /// The text in a fixed array of C characters, up to its end or the first zero.
    static func text<Characters>(of characters: Characters) -> String {
        withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
