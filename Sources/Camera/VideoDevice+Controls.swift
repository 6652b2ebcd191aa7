// SPDX-License-Identifier: Apache-2.0
internal import CV4L2
internal import Glibc

extension VideoDevice {
    /// The controls that have a simple value, in the driver's order.
    var controls: [CameraControl] {
        var result: [CameraControl] = []
        var query = v4l2_queryctrl()
        query.id = UInt32(V4L2_CTRL_FLAG_NEXT_CTRL)
        // As many as no driver has: one that repeats itself must not keep us.
        for _ in 0..<1024 {
            guard ask(vpipe_VIDIOC_QUERYCTRL(), &query) == 0 else { break }
            if let control = describe(query) { result.append(control) }
            query.id |= UInt32(V4L2_CTRL_FLAG_NEXT_CTRL)
        }
        return result
    }

    private func describe(_ query: v4l2_queryctrl) -> CameraControl? {
        let kind: CameraControl.Kind
        switch query.type {
        case V4L2_CTRL_TYPE_INTEGER.rawValue: kind = .integer
        case V4L2_CTRL_TYPE_BOOLEAN.rawValue: kind = .boolean
        case V4L2_CTRL_TYPE_MENU.rawValue, V4L2_CTRL_TYPE_INTEGER_MENU.rawValue: kind = .menu
        case V4L2_CTRL_TYPE_BITMASK.rawValue: kind = .bitmask
        case V4L2_CTRL_TYPE_BUTTON.rawValue: kind = .button
        default: return nil
        }
        guard query.flags & UInt32(V4L2_CTRL_FLAG_DISABLED) == 0 else { return nil }
        var current = v4l2_control(id: query.id, value: 0)
        let isReadable = query.flags & UInt32(V4L2_CTRL_FLAG_WRITE_ONLY) == 0
        let label = Self.text(of: query.name)
        return CameraControl(
            name: CameraControl.plainName(label), label: label, kind: kind, minimum: Int(query.minimum),
            maximum: Int(query.maximum), step: Int(query.step), defaultValue: Int(query.default_value),
            value: isReadable && ask(vpipe_VIDIOC_G_CTRL(), &current) == 0 ? Int(current.value) : nil,
            choices: kind == .menu ? choices(of: query) : [:],
            isReadOnly: query.flags & UInt32(V4L2_CTRL_FLAG_READ_ONLY) != 0, id: query.id)
    }

    private func choices(of query: v4l2_queryctrl) -> [Int: String] {
        var result: [Int: String] = [:]
        guard query.minimum >= 0, query.maximum >= query.minimum, query.maximum < 1024 else { return result }
        for index in query.minimum...query.maximum {
            var entry = v4l2_querymenu()
            entry.id = query.id
            entry.index = UInt32(index)
            // Numbers between those in use are refused.
            guard ask(vpipe_VIDIOC_QUERYMENU(), &entry) == 0 else { continue }
            result[Int(index)] =
                query.type == V4L2_CTRL_TYPE_INTEGER_MENU.rawValue ? "\(entry.value)" : Self.text(of: entry.name)
        }
        return result
    }

    /// Sets controls by name.
    func apply(_ wishes: [String: CameraControlValue]) throws(CameraError) {
        guard !wishes.isEmpty else { return }
        for step in try ControlPlan(wishes, for: controls).steps {
            var setting = v4l2_control(id: step.control.id, value: Int32(clamping: step.value))
            let status = ask(vpipe_VIDIOC_S_CTRL(), &setting)
            switch status {
            case 0: break
            case EBUSY, EACCES, EINVAL, ERANGE:
                throw CameraError(
                    status == EBUSY ? .busy : .unsuited,
                    "the driver does not let the control \"\(step.control.name)\" be set to \(step.value) now",
                    number: status)
            default: throw CameraError(status, during: "S_CTRL")
            }
        }
    }
}
