// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Media

/// Why a camera does not deliver.
///
/// Reports count losses by these names.
public enum CameraFault: String, Sendable, Hashable, CaseIterable {
    /// There is no such device, or nothing feeds it.
    case absent
    /// The user may not open the device.
    case denied
    /// Another program has it.
    case busy
    /// It went away while in use.
    case unplugged
    /// The driver reports a failure of input or output.
    case inputOutput
    /// It is there but sends no usable picture.
    case stalled
    /// What it is connected to changed its format.
    case changed
    /// The driver refused a step of the set-up.
    case refused
    /// It cannot do what the settings ask for.
    case unsuited

    /// Whether trying again later can help without anybody changing the pipeline or the system.
    var isTransient: Bool { self != .denied && self != .unsuited }
}

/// A fault with the sentence that explains it.
struct CameraError: Error {
    let fault: CameraFault
    /// For the user, without a full stop, the device not named.
    let detail: String
    /// The system's number, 0 where there is none.
    var number: Int32 = 0

    init(_ fault: CameraFault, _ detail: String, number: Int32 = 0) {
        self.fault = fault
        self.detail = detail
        self.number = number
    }

    /// Reads an errno that `operation` gave.
    init(_ number: Int32, during operation: String) {
        self.number = number
        switch number {
        case ENODEV, ENXIO: (fault, detail) = (.unplugged, "the device is gone")
        case ENOENT: (fault, detail) = (.absent, "no such device")
        case EACCES, EPERM:
            fault = .denied
            detail = "permission denied; add the user to the group \"video\" (sudo usermod -aG video USER)"
        case EBUSY: (fault, detail) = (.busy, "the device is in use by another program")
        case EIO: (fault, detail) = (.inputOutput, "the driver reports an input/output error (\(operation))")
        default: (fault, detail) = (.refused, "\(operation): \(String(cString: strerror(number)))")
        }
    }

    /// The error as the library's users see it, said of `device`.
    func of(_ device: String) -> MediaError {
        let code: MediaError.Code =
            switch fault {
            case .absent, .unplugged: .notFound
            case .denied: .permissionDenied
            case .unsuited: .invalidSetting
            case .stalled: .timedOut
            case .busy, .inputOutput, .changed, .refused: .inputOutput
            }
        return MediaError(code, operation: "camera", detail: "\(device): \(detail)", underlying: -number)
    }
}
