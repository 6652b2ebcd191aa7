// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Camera
@testable import Workbench

struct DeviceReportTests {
    @Test func `devices are described for people`() {
        let device = CameraDescription(
            path: "/dev/video0", stableNames: ["/dev/v4l/by-id/usb-a-index0"], name: "HD Webcam", driver: "uvcvideo",
            bus: "usb-0000:00:14.0-1", isCamera: true, isOutput: false,
            formats: ["YUYV", "NV12"].map { code in
                CameraFormat(
                    code: code, name: "", isReadable: true,
                    sizes: [
                        CameraFormat.Size(
                            width: 640, height: 480, maxWidth: 640, maxHeight: 480, stepWidth: 1, stepHeight: 1,
                            rates: [30, 12.5], isAnyRate: false)
                    ])
            } + [CameraFormat(code: "BA81", name: "", isReadable: false, sizes: [])],
            inputs: ["Camera 1"], standards: [], controls: [], problem: nil)
        #expect(
            DeviceReport([device]).lines() == [
                "/dev/video0  HD Webcam  (uvcvideo, usb-0000:00:14.0-1): camera",
                "  also /dev/v4l/by-id/usb-a-index0", "  YUYV NV12", "    640x480 at 30, 12.5 fps",
                "  and 1 formats that vpipe does not read", "",
            ])
        #expect(DeviceReport([]).lines() == ["no video devices (/dev/video*)"])
    }
}
