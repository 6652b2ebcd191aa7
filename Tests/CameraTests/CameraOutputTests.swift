// SPDX-License-Identifier: Apache-2.0
import Foundation
import MediaTestSupport
import Testing

@testable import Camera
@testable import Media

@Suite struct CameraOutputTests {
    private func gray(_ width: Int, _ height: Int, luma: Int32 = 77) -> Picture {
        let pool = PicturePool()
        let picture = somePicture(width: width, height: height, format: .i420, color: ColorSpec(matrix: .bt601))
        picture.fillBlack()
        let plane = picture.mutablePlane(0)
        for y in 0..<height { memset(plane.row(y), luma, width) }
        return picture
    }

    private func device() -> FakeDriver {
        let driver = FakeDriver()
        driver.isOutput = true
        return driver
    }

    @Test(arguments: [(CameraOutput.Format.yuyv, 2 * 64 * 48), (.yu12, 64 * 48 * 3 / 2), (.nv12, 64 * 48 * 3 / 2)])
    func `a picture is written whole in the device's format`(_ format: CameraOutput.Format, _ bytes: Int) throws {
        let driver = device()
        let output = try CameraOutput("/dev/video9", format: format, rate: 25, system: driver.system)
        #expect(try output.write(gray(64, 48)))
        let written = try #require(driver.written.first)
        #expect(written.count == bytes)
        #expect(written[0] == 77)
        // The neighbour is a chroma sample in YUYV only; gray has neutral ones.
        #expect(written[1] == (format == .yuyv ? 128 : 77))
        #expect(written[bytes - 1] == 128)
    }

    @Test func `without a device pictures are converted for nobody`() throws {
        let output = CameraOutput(discarding: .yuyv)
        #expect(try output.write(gray(65, 49)))
        #expect(try output.write(gray(128, 128)))
        #expect(output.statistics.written == 2)
        #expect(output.statistics.mode == "no device, YUYV 64x48")
    }

    @Test func `odd sizes become even, and other sizes are fitted into the first`() throws {
        let driver = device()
        let output = try CameraOutput("/dev/video9", format: .yuyv, rate: nil, system: driver.system)
        try output.write(gray(65, 49))
        try output.write(gray(128, 128))
        #expect(driver.written.map(\.count) == [2 * 64 * 48, 2 * 64 * 48])
        #expect(output.statistics.mode == "Fake, YUYV 64x48")
        // Square in 4:3: a black bar on the left, the picture in the middle.
        #expect(driver.written[1][0] == 16)
        #expect(driver.written[1][2 * (64 * 24 + 32)] == 77)
    }

    @Test func `a device that goes is taken up again with the same format`() throws {
        let driver = device()
        let output = try CameraOutput("/dev/video9", format: .yuyv, rate: nil, system: driver.system)
        #expect(try output.write(gray(64, 48)))
        driver.writeFailures = [EAGAIN]
        #expect(try !output.write(gray(64, 48)))
        #expect(driver.opens == 1)
        driver.writeFailures = [ENODEV]
        #expect(try !output.write(gray(64, 48)))
        #expect(try !output.write(gray(32, 32)), "it is not tried again at once")
        driver.openFailures = [ENOENT]
        driver.advance(0.2)
        #expect(try !output.write(gray(32, 32)))
        driver.advance(2)
        #expect(try output.write(gray(32, 32)))
        #expect(driver.written.map(\.count) == [2 * 64 * 48, 2 * 64 * 48])
        let seen = output.statistics
        #expect((seen.written, seen.refused, seen.losses, seen.returns) == (2, 4, 1, 1))
        #expect(driver.openDescriptors.count == 1)
        #expect(driver.mistakes.isEmpty)
    }

    @Test func `what is missing or no loopback device is told with the remedy`() throws {
        let missing = FakeDriver()
        missing.openFailures = [ENOENT]
        let camera = FakeDriver()
        for driver in [missing, camera] {
            let error = try #require(throws: MediaError.self) {
                try CameraOutput("/dev/video9", format: .yuyv, rate: nil, system: driver.system)
            }
            #expect(error.description.contains("modprobe v4l2loopback"), "\(error)")
            #expect(error.description.contains("exclusive_caps=1"))
            #expect(driver.openDescriptors.isEmpty)
        }
    }
}
