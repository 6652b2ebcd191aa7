// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import CV4L2
internal import Media

/// What the device is connected to: its input, a television standard, digital timings.
extension VideoDevice {
    /// The inputs' names, in the driver's order.
    var inputs: [String] {
        var names: [String] = []
        enumerate(
            vpipe_VIDIOC_ENUMINPUT(), limit: 64,
            { index in
                var entry = v4l2_input()
                entry.index = index
                return entry
            }, { names.append(Self.text(of: $0.name)) })
        return names
    }

    /// Selects an input by its number or its name, in any case.
    func select(input wanted: String) throws(CameraError) {
        let names = inputs
        guard
            let index = Int(wanted).flatMap({ names.indices.contains($0) ? $0 : nil })
                ?? names.firstIndex(where: { $0.lowercased() == wanted.lowercased() })
        else {
            let list = names.enumerated().map { "\($0) \"\($1)\"" }.joined(separator: ", ")
            throw CameraError(.unsuited, "has no input \"\(wanted)\"; it has \(list.isEmpty ? "one only" : list)")
        }
        var number = Int32(index)
        try demand(vpipe_VIDIOC_S_INPUT(), &number, "S_INPUT")
    }

    /// Names of the television standards that the input takes.
    var standards: [String] { standardTable.map(\.name) }

    private var standardTable: [(name: String, id: UInt64)] {
        var table: [(String, UInt64)] = []
        enumerate(
            vpipe_VIDIOC_ENUMSTD(), limit: 128,
            { index in
                var entry = v4l2_standard()
                entry.index = index
                return entry
            }, { table.append((Self.text(of: $0.name), $0.id)) })
        return table
    }

    /// Sets a television standard by name; `auto` takes the one that the input receives.
    func select(standard wanted: String) throws(CameraError) {
        var id: UInt64 = 0
        if wanted.lowercased() == "auto" {
            try demand(vpipe_VIDIOC_QUERYSTD(), &id, "QUERYSTD")
        } else if let known = standardTable.first(where: { $0.name.lowercased() == wanted.lowercased() }) {
            id = known.id
        } else {
            let list = standards.joined(separator: ", ")
            throw CameraError(
                .unsuited, "has no standard \"\(wanted)\"; the input takes \(list.isEmpty ? "none" : list)")
        }
        try demand(vpipe_VIDIOC_S_STD(), &id, "S_STD")
    }

    /// Sets digital timings: `auto` for those received, or a size with an optional rate, `1280x720@60`.
    func select(timings wanted: String) throws(CameraError) {
        var timings = v4l2_dv_timings()
        if wanted.lowercased() == "auto" {
            let status = ask(vpipe_VIDIOC_QUERY_DV_TIMINGS(), &timings)
            if status != 0 { throw CameraError(.stalled, "the input receives no signal", number: status) }
        } else {
            var known: [(text: String, timings: v4l2_dv_timings)] = []
            enumerate(
                vpipe_VIDIOC_ENUM_DV_TIMINGS(),
                { index in
                    var entry = v4l2_enum_dv_timings()
                    entry.index = index
                    return entry
                }, { known.append((Self.text(of: $0.timings), $0.timings)) })
            guard let match = known.first(where: { $0.text == wanted || $0.text.hasPrefix(wanted + "@") }) else {
                var list: [String] = []
                for entry in known where !list.contains(entry.text) { list.append(entry.text) }
                throw CameraError(
                    .unsuited,
                    "has no timings \"\(wanted)\"; the input takes "
                        + (list.isEmpty ? "none" : list.joined(separator: ", ")))
            }
            timings = match.timings
        }
        try demand(vpipe_VIDIOC_S_DV_TIMINGS(), &timings, "S_DV_TIMINGS")
    }

    private static func text(of timings: v4l2_dv_timings) -> String {
        var timings = timings
        let rate = vpipe_v4l2_timings_rate(&timings)
        let interlaced = vpipe_v4l2_timings_interlaced(&timings) != 0 ? "i" : ""
        return "\(vpipe_v4l2_timings_width(&timings))x\(vpipe_v4l2_timings_height(&timings))\(interlaced)@"
            + NumberText.decimal(rate)
    }

    /// Has the driver say when its source changes size or rate; drivers that cannot are left alone.
    func watchSource() {
        var subscription = v4l2_event_subscription()
        subscription.type = UInt32(V4L2_EVENT_SOURCE_CHANGE)
        _ = ask(vpipe_VIDIOC_SUBSCRIBE_EVENT(), &subscription)
    }

    /// Takes the events that wait; true when the source changed.
    func takeSourceChange() -> Bool {
        var hasChanged = false
        for _ in 0..<64 {
            var event = v4l2_event()
            guard ask(vpipe_VIDIOC_DQEVENT(), &event) == 0 else { break }
            if vpipe_v4l2_is_source_change(&event) != 0 { hasChanged = true }
        }
        return hasChanged
    }
}
