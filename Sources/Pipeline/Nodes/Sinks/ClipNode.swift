// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Basics
internal import Dataflow
internal import Media
internal import PipelineLanguage

/// `clip`: stores the seconds around events.
final class ClipNode: Node, NodeType, ReportingNode {
    static let path = Param.path(
        "path", role: .output, synonyms: ["to", "file"],
        doc:
            "File to write for each clip; the ending names the container, and the name may hold the date of the event, {id}, {rule} "
            + "and {source}: clips/%Y-%m-%d/{rule}-%H%M%S.mp4")
    static let before = Param.duration(
        "before", default: .seconds(5), seconds: 0...3600, synonyms: ["preRoll", "pre_capture"],
        doc: "How long before an event's start a clip begins, at the least; it begins with a keyframe")
    static let after = Param.duration(
        "after", default: .seconds(5), seconds: 0...3600, synonyms: ["postRoll", "post_capture"],
        doc: "How long after an event's end a clip ends")
    static let maxLength = Param.duration(
        "maxLength", default: .seconds(600), seconds: 1...86_400, synonyms: ["maxSeconds"],
        doc: "A clip that would be longer goes on in another file, at a keyframe")
    static let rules = Param.strings(
        "rules", doc: "The rules whose events are stored; those of all when absent"
    ).optional
    static let codec = Param.choice(
        "codec", of: VideoCodec.allCases.map { .init($0.rawValue, "") } + [FileNode.copied],
        doc: "Absent, the source's own packets where it has any, else the container's usual codec"
    ).optional
    static let ring = Param.duration(
        "ring", seconds: 0...7200, doc: "How far back video is kept in memory; as far as clips need it when absent"
    ).optional
    static let ringBytes = Param.bytes(
        "ringBytes", default: 128_000_000, range: 100_000...100_000_000_000,
        doc: "Bytes of video that are kept in memory at most; clips begin later where they are too few")
    static let keyframes = Param.integer(
        "keyframeInterval", range: 1...100_000, unit: "frames",
        doc: "Frames between keyframes at most, where it is encoded; those of a second when absent"
    ).optional

    static let contract = Contract(
        "clip", knownElsewhereAs: ["event-clip", "smart-record", "nvdssr", "preroll", "prerecord"], .sink,
        summary: "Stores the seconds before, during and after events, without encoding",
        details:
            "The source's own packets are kept in memory by whole groups of pictures, as far back as a clip may need them. A clip "
            + "is those from the last keyframe that is no later than `before` its event on: the clean picture, bit for bit, and the "
            + "sound. What nodes draw or cover on the way is not in it. Sources without packets (cameras with raw pictures, "
            + "`testpattern`), and those with a `codec` named, are encoded all the time as they reach the node.\n\n"
            + "Events whose parts overlap share a clip. Clips are written while they happen, as `file` writes: what is on disk plays "
            + "after a crash. `index` lists them with the ids of their events; the keep rules delete the oldest.",
        inputs: [InputPort(needs: .anyOf([.events]))],
        parameters: [
            path, before, after, maxLength, rules, codec, FileNode.quality, FileNode.preset, keyframes, FileNode.audio,
            ring,
            ringBytes, OutputParams.timeZone,
        ] + OutputParams.retention + [FileNode.index],
        discloses: { settings in
            let isEncoded = settings[codec].map { $0 != FileNode.copied.value } ?? false
            var given: Disclosure = isEncoded ? .pictures : [.pictures, .packets]
            if settings[FileNode.audio] == .copy { given.insert(.sound) }
            return given
        },
        examples: [
            .init(
                "Ten seconds before and after each event, for a week",
                #"""
                { "type": "clip", "input": "events", "path": "clips/%Y-%m-%d/{rule}-%H%M%S.mp4", "before": "10s", "after": "10s",
                  "keepFor": "7d", "keepBytes": "20G", "index": "clips/index.jsonl" }
                """#),
            .init(
                "The redacted picture, of one rule",
                #"{ "type": "clip", "input": "redact", "path": "clips/{id}.mp4", "codec": "h264", "audio": "none", "rules": ["visitor"] }"#
            ),
        ], check: { problems($0) })

    private static func problems(_ settings: Settings) -> [SettingsProblem] {
        let rules = OutputParams.rules(settings)
        do throws(MediaError) {
            let name = try FileNamePattern(settings[path], fields: fields)
            if !rules.isEmpty, !name.isOwn {
                return [
                    SettingsProblem(
                        parameter: "path",
                        message: "gives names that other files may have, too, and the keep rules would delete those",
                        fix: "have it hold the date or {id}")
                ]
            }
        } catch {
            return [
                SettingsProblem(
                    parameter: "path", message: error.detail,
                    fix: "use dates, {\(fields.joined(separator: "}, {"))}, and %% for a percent sign")
            ]
        }
        if settings[path] == "-" {
            return [SettingsProblem(parameter: "path", message: "clips are files", fix: "write clips/{id}.mp4")]
        }
        var problems = FileNode.formatProblems(
            path: settings[path], container: nil, codec: settings[codec], quality: settings[FileNode.quality])
        if settings[codec] == FileNode.copied.value {
            problems += FileNode.uselessProblems([
                ("quality", settings[FileNode.quality] != nil), ("keyframeInterval", settings[keyframes] != nil),
            ])
        }
        if let ring = settings[ring], ring < settings[before] {
            problems.append(tooShort(ring.inSeconds, settings[before].inSeconds, hold: 0))
        }
        return problems
    }

    /// A ring that does not reach back to where clips begin.
    private static func tooShort(_ ring: Double, _ before: Double, hold: Double) -> SettingsProblem {
        let holdText =
            hold > 0 ? " and the \(NumberText.decimal(hold)) s that events are told of after their start" : ""
        return SettingsProblem(
            parameter: "ring",
            message:
                "\(NumberText.decimal(ring)) s reach not as far back as \"before\" (\(NumberText.decimal(before)) s)\(holdText)",
            fix: "leave it out, or say \(NumberText.decimal((before + hold).rounded(.up))) s or more")
    }

    /// What a name may hold of an event.
    static let fields = ["id", "rule", "source"]
    /// How much later than a rule's `hold` a frame may be that tells of it, in seconds: networks look at some of them.
    private static let lookMargin = 2.0

    /// What is stored of what.
    private struct Work {
        var plan: ClipPlan.Options
        var rules: Set<String>?
        var ringSeconds: Double
        var longest: Double
    }

    private let id: String
    private let work: Work
    private let ring: PacketRing
    private let encoder: PacketEncoder?
    private let sound: AudioTap?
    private let recorder: Recorder
    private let events: EventBox
    private var plan: ClipPlan
    private var cursor: PacketRing.Cursor?
    private var tap: VideoTap?
    /// Where the last clip ended.
    private var last: PacketRing.Cursor?
    /// The clip at hand could not be written.
    private var isLost = false
    private var failure: MediaError?
    private var counts = (clips: 0, events: 0, late: 0, gaps: 0, lost: 0)

    static func make(_ node: ValidatedNode, in context: BuildContext) throws -> BuiltNode {
        let given = node.settings
        let source = context.source(of: node)
        var writing = WriterSettings()
        writing.codec = given[codec].flatMap { VideoCodec(rawValue: $0) }
        writing.quality = given[FileNode.quality]
        writing.preset = given[FileNode.preset]
        writing.hasLowLatency = true
        writing.ifExists = context.options.ifExists == .replace ? .replace : .number
        if node.isLive { writing.fragmentSeconds = 0.5 }
        if let rate = context.frameRate(of: node) { writing.frameRate = rate }
        writing.keyframeInterval = given[keyframes] ?? max(1, Int((writing.frameRate.value ?? 25).rounded()))

        let work = try work(node, in: context)
        let ring: PacketRing
        var encoder: PacketEncoder?
        if writing.codec == nil, let packets = source as? any PacketSource {
            ring = try packets.makePacketRing(capacityBytes: given[ringBytes])
        } else if given[codec] == FileNode.copied.value {
            throw OutputError(
                "\"codec\": \"copy\" needs a source with packets to copy: a \"video\"; leave it out, or name a codec")
        } else {
            let container = try Container(path: given[path])
            writing.threads = FileNode.usualThreads(writing, given[path], context)
            ring = PacketRing(capacityBytes: given[ringBytes])
            encoder = try PacketEncoder(writing, codec: writing.codec ?? container.defaultCodec, into: ring)
        }
        let name = try FileNamePattern(given[path], zone: given[OutputParams.timeZone], fields: fields)
        var recording = Recorder.Settings(name: name)
        recording.isOnDemand = true
        recording.isDated = context.options.isDated
        recording.writer = writing
        recording.retention = OutputParams.rules(given)
        recording.index = given[FileNode.index]
        let sound = given[FileNode.audio] == .copy ? try (source as? any AudioSource)?.makeAudioTap() : nil
        return .node(
            ClipNode(
                node.id, work, ring, encoder, sound, try Recorder(recording, audio: sound, copying: ring.kind),
                context.events))
    }

    /// Reads what is asked for, and what the nodes before make of it.
    private static func work(_ node: ValidatedNode, in context: BuildContext) throws -> Work {
        let given = node.settings
        let before = context.pipeline.nodes(before: node)
        let makers = before.filter { $0.type == EventsNode.contract.type }
        let known = makers.flatMap { EventRule.read($0.settings[EventsNode.rules]).rules.map(\.name) }
        if !makers.isEmpty, let wrong = (given[rules] ?? []).first(where: { !known.contains($0) }) {
            throw OutputError(
                "\"rules\": there is no rule \"\(wrong)\"; use \(known.map { "\"\($0)\"" }.joined(separator: ", "))")
        }
        var options = ClipPlan.Options()
        options.before = given[Self.before].inSeconds
        options.after = given[after].inSeconds
        let passing = before.filter { $0.type == ZonesNode.contract.type }
        let hold =
            (makers.map { $0.settings[EventsNode.hold].inSeconds }.max() ?? 0)
            + (passing.map { $0.settings[ZonesNode.hold].inSeconds }.max() ?? 0)
        options.release = makers.map { $0.settings[EventsNode.release].inSeconds }.max() ?? 0
        if let ring = given[Self.ring]?.inSeconds, ring < options.before + hold {
            let problem = tooShort(ring, options.before, hold: hold)
            throw OutputError("\"ring\": \(problem.message); \(problem.fix ?? "")")
        }
        options.hold = hold + lookMargin
        return Work(
            plan: options, rules: given[rules].map { Set($0) },
            ringSeconds: given[Self.ring]?.inSeconds ?? options.before + options.hold,
            longest: given[maxLength].inSeconds)
    }

    private init(
        _ id: String, _ work: Work, _ ring: PacketRing, _ encoder: PacketEncoder?, _ sound: AudioTap?,
        _ recorder: Recorder, _ events: EventBox
    ) {
        (self.id, self.work, self.ring, self.encoder, self.sound) = (id, work, ring, encoder, sound)
        (self.recorder, self.events) = (recorder, events)
        plan = ClipPlan(work.plan)
    }

    func process(_ item: Item, to output: Output) throws -> Disposition {
        let frame = item.frame
        if let encoder { try encoder.write(frame.picture, pts: frame.pts, duration: frame.duration) }
        let now = frame.pts.seconds
        frame.annotations.forEach { entry in
            for event in entry.list.items(Event.self) ?? [] where work.rules?.contains(event.rule) ?? true {
                if plan.isApart(event) { endClip() }
                if event.phase == .new { counts.events += 1 }
                plan.follow(event)
            }
        }
        if plan.window != nil {
            record(until: plan.limit(at: now))
            if plan.isSettled(at: now) { endClip() }
        }
        let oldest = ring.forget(before: now - work.ringSeconds, but: cursor)
        // What a clip has not taken yet it takes with its pictures.
        if tap == nil, let oldest { sound?.discard(until: min(oldest, now).nextDown) }
        recorder.look()
        return .done
    }

    func drain(to output: Output) throws -> Bool {
        if plan.window != nil {
            record(until: plan.lastLimit)
            endClip()
        }
        ring.close()
        do throws(MediaError) {
            try recorder.finish()
        } catch {
            // Where no event came there is no clip.
            if error.code != .noPicture { failure = failure ?? error }
        }
        if let failure { throw failure }
        return true
    }

    /// Stores what has come of the clip at hand up to `limit`.
    private func record(until limit: Double) {
        guard let window = plan.window, !isLost else { return }
        do throws(MediaError) {
            repeat {
                if tap == nil, try !begin(window, until: limit) { return }
                guard let tap, var place = cursor else { return }
                let stop = ring.copy(to: tap, &place, until: limit, longest: work.longest)
                cursor = place
                try recorder.store(until: place.end, taken: wall(place.end, window))
                guard stop == .cut else { return }
                try endFile(window)
            } while true
        } catch {
            lose(error)
        }
    }

    /// Begins a file with the group of pictures in which the clip begins; false while it has not come.
    private func begin(_ window: ClipPlan.Window, until limit: Double) throws(MediaError) -> Bool {
        guard let place = ring.cursor(notAfter: window.from, behind: last), place.begin.seconds <= limit,
            let fresh = ring.makeTap(for: place)
        else { return false }
        let begin = place.begin.seconds
        if place.isLate { counts.late += 1 }
        sound?.discard(until: begin.nextDown)
        let event = window.first
        try recorder.begin(
            .init(
                begin: place.begin, taken: wall(begin, window), named: event.start.wall,
                fields: ["id": event.id, "rule": event.rule, "source": event.source]), copying: fresh)
        (cursor, tap) = (place, fresh)
        return true
    }

    /// The instant on the calendar at which the stream was at `seconds`.
    private func wall(_ seconds: Double, _ window: ClipPlan.Window) -> WallTime {
        let start = window.first.start
        return WallTime(nanoseconds: start.wall.nanoseconds + Int64((seconds - start.pts) * 1e9))
    }

    /// Ends the file being written; the clip may go on in another.
    private func endFile(_ window: ClipPlan.Window) throws(MediaError) {
        guard let place = cursor else { return }
        (last, cursor, tap) = (place, nil, nil)
        counts.gaps += place.gaps
        try recorder.close(at: place.end, events: window.ids)
    }

    /// Ends the clip at hand.
    private func endClip() {
        guard let window = plan.window else { return }
        do throws(MediaError) {
            record(until: plan.lastLimit)
            if !isLost, cursor == nil, last?.end ?? -.infinity < window.from {
                isLost = true
                counts.lost += 1
                events.post(RunEvent(.flawed, of: id, "no video that a clip can begin with is there"))
            }
            try endFile(window)
        } catch {
            lose(error)
        }
        if !isLost { counts.clips += 1 }
        isLost = false
        plan.finish()
    }

    /// Goes on without the clip at hand.
    private func lose(_ error: MediaError) {
        isLost = true
        (last, cursor, tap) = (cursor ?? last, nil, nil)
        counts.lost += 1
        failure = failure ?? error
        events.post(RunEvent(.flawed, of: id, "a clip could not be written: \(error.detail)"))
    }

    private static func number(_ count: Int, _ what: String) -> String { "\(count) \(what)\(count == 1 ? "" : "s")" }

    var notes: [String] {
        let seen = recorder.statistics
        var notes: [String] = []
        if seen.files == 0 {
            notes.append("no event came, so no clip was made")
        } else {
            let files = seen.files > 1 ? "\(seen.files) files, \(seen.first) to \(seen.last)" : seen.first
            notes.append(
                "\(Self.number(counts.clips, "clip")) of \(Self.number(counts.events, "event")) (\(files)): "
                    + "\(NumberText.decimal(seen.seconds, places: 1)) s, \(seen.frames) frames of \(seen.encoder) in "
                    + "\(recorder.container), \(FileNode.size(seen.bytes))")
        }
        let held = ring.statistics
        notes.append(
            "kept in memory at most: \(FileNode.size(held.peakBytes)); keyframes up to "
                + "\(NumberText.decimal(held.longestGroup, places: 2)) s apart")
        if counts.late > 0 {
            notes.append(
                "\(Self.number(counts.late, "clip")) begun later than asked for: "
                    + (held.evicted > 0
                        ? "\"ringBytes\" is too small" : "their events were told of too late, see \"ring\""))
        }
        if counts.gaps > 0 {
            notes.append("video is missing in clips \(NumberText.times(counts.gaps)), up to a keyframe")
        }
        if held.leftOut > 0 {
            notes.append("\(held.leftOut) packets not kept: they have no time, or belong to no whole group of pictures")
        }
        if counts.lost > 0 { notes.append("\(Self.number(counts.lost, "clip")) not written, or not to the end") }
        if recorder.deleted.deleted > 0 {
            notes.append("\(recorder.deleted.deleted) older files deleted, \(recorder.deleted.bytes / 1_000_000) MB")
        }
        return notes + seen.warnings
    }
}
