// SPDX-License-Identifier: Apache-2.0
internal import Annotations
internal import Dataflow
@preconcurrency internal import Dispatch
internal import Media
internal import Synchronization

/// A picture as it goes to viewers, with what was found in it.
///
///     1 kind | 1 view | 2 length of results | 4 serial | 8 frame | 8 pts in seconds | results, JSON | JPEG     big endian
///
/// Results longer than 64 KiB are left out whole, and the length says 0.
final class PreviewPicture: Sendable {
    /// Counts the pictures of a view from 1.
    let serial: UInt32
    /// When its frame left the node, in nanoseconds of the graph's clock.
    let handedAt: UInt64
    let head: [UInt8]
    let image: [UInt8]

    init(serial: UInt32, handedAt: UInt64, head: [UInt8], image: [UInt8]) {
        self.serial = serial
        self.handedAt = handedAt
        self.head = head
        self.image = image
    }
}

/// What the frames of one node look like, for as many viewers as there are: each picture is encoded once.
///
///     stage: offer --viewer waits, pace allows--> slot, the newest frame --queue: encode--> latest --> every waiting viewer
///
/// Nothing is encoded unless a viewer waits that has room for a picture, and the node is tapped only while somebody watches.
/// - Note: Thread-safety: `offer` in the node's stage only, the rest on any thread. Only while a viewer waits does a frame take
///   a lock, which nobody holds for longer than an assignment.
final class PreviewView: @unchecked Sendable {
    // Invariant of @unchecked Sendable: `nextAt` is touched by `offer` alone, `encoder` and `record` on `queue` alone.

    /// Has a body called with every frame of the node, until it says no.
    typealias Tap = @Sendable (_ body: @escaping @Sendable (_ frame: Frame, _ clean: Picture) -> Bool) -> Void

    /// How pictures are made.
    struct Style: Sendable {
        /// Pixels of the longest side at most.
        var size = 960
        /// Pictures per second at most.
        var fps = 15.0
        /// 1...100.
        var quality = 75
    }

    private struct Waiting: Sendable {
        let frame: Frame
        let clean: Picture
        let at: UInt64
    }

    /// Id of the node.
    let name: String
    let index: UInt8
    private let interval: UInt64
    private let queue: DispatchQueue
    private let encoder: JPEGEncoder
    private var record = JSONWriter(isDetailed: true)
    private let tap: Tap
    private let onPicture: @Sendable () -> Void
    private var nextAt: UInt64 = 0

    /// Viewers that show this view.
    private let watching = Atomic<Int>(0)
    /// Counts the taps: one that is not the newest goes.
    private let taps = Atomic<UInt64>(0)
    /// Viewers among them that have room for a picture and have none to take.
    let waiting = Atomic<Int>(0)
    /// Frames for which a picture was due while somebody watched.
    let due = Atomic<UInt64>(0)
    /// Pictures encoded.
    let encoded = Atomic<UInt64>(0)
    private let slot = Mutex<Waiting?>(nil)
    private let newest = Mutex<PreviewPicture?>(nil)
    private let lastFault = Mutex<String?>(nil)

    init(
        _ name: String, index: Int, style: Style, tap: @escaping Tap, onPicture: @escaping @Sendable () -> Void
    ) {
        self.name = name
        self.tap = tap
        self.index = UInt8(clamping: index)
        interval = UInt64(1e9 / max(0.1, style.fps))
        encoder = JPEGEncoder(longestSide: style.size, quality: style.quality)
        queue = DispatchQueue(label: "vpipe.preview.\(name)", qos: .utility)
        self.onPicture = onPicture
    }

    /// Why a picture could not be encoded, the last time that happened.
    var fault: String? { lastFault.withLock { $0 } }

    /// The newest picture.
    var latest: PreviewPicture? { newest.withLock { $0 } }

    /// One viewer more; the first has the node tapped.
    func beginWatching() {
        guard watching.wrappingAdd(1, ordering: .acquiringAndReleasing).oldValue == 0 else { return }
        let number = taps.wrappingAdd(1, ordering: .acquiringAndReleasing).newValue
        tap { [weak self] frame, clean in self?.offer(frame, clean, tap: number) ?? false }
    }

    /// One viewer less.
    func endWatching() { watching.wrappingSubtract(1, ordering: .acquiringAndReleasing) }

    /// Takes a frame that the node has emitted, if somebody wants to see one now; false when nobody watches any more.
    private func offer(_ frame: Frame, _ clean: Picture, tap number: UInt64) -> Bool {
        guard taps.load(ordering: .acquiring) == number, watching.load(ordering: .relaxed) > 0 else { return false }
        let now = MonotonicClock.system.now()
        // A frame a little early is as good as one a little late: its successor would be later.
        guard now + interval / 4 >= nextAt else { return true }
        nextAt = max(nextAt + interval, now)
        due.wrappingAdd(1, ordering: .relaxed)
        guard waiting.load(ordering: .acquiring) > 0 else { return true }
        let isFirst = slot.withLock { slot in
            defer { slot = Waiting(frame: frame, clean: clean, at: now) }
            return slot == nil
        }
        if isFirst { queue.async { [weak self] in self?.encode() } }
        return true
    }

    private func encode() {
        guard let next = takeWaiting() else { return }
        let image: [UInt8]
        do {
            image = try encoder.encode(next.clean)
        } catch {
            return lastFault.withLock { $0 = "\(name): \(error)" }
        }
        let serial = UInt32(truncatingIfNeeded: encoded.wrappingAdd(1, ordering: .relaxed).newValue)
        let picture = PreviewPicture(serial: serial, handedAt: next.at, head: head(next, serial), image: image)
        newest.withLock { $0 = picture }
        onPicture()
    }

    private func takeWaiting() -> Waiting? {
        slot.withLock { slot in
            defer { slot = nil }
            return slot
        }
    }

    private func head(_ next: Waiting, _ serial: UInt32) -> [UInt8] {
        let frame = next.frame
        record.removeAll()
        record.beginObject()
        record.field("source", frame.stream.source)
        record.field("width", next.clean.width)
        record.field("height", next.clean.height)
        record.field("aspect", next.clean.pixelAspect.value ?? 1, decimals: 4)
        if !frame.stream.hasSignal { record.field("signal", false) }
        record.key("results")
        record.beginArray()
        // The page draws in pixels of this picture, whatever was cropped and scaled on the way.
        let annotations = frame.map.isIdentity ? frame.annotations : frame.annotations.mapped(by: frame.map.inverse)
        annotations.forEachByLayer { entry in
            record.beginObject()
            record.field("node", entry.node)
            record.field("kind", entry.list.kind.name)
            if let age = entry.age { record.field("age", age, decimals: 3) }
            record.key("items")
            record.beginArray()
            entry.list.write(to: &record, age: entry.age)
            record.endArray()
            record.endObject()
        }
        record.endArray()
        record.endObject()
        let results: [UInt8] = record.withBytes { $0.count < 1 << 16 ? Array($0) : [] }
        var bytes: [UInt8] = [1, index]
        func append(_ value: UInt64, _ count: Int) {
            for place in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * (count - 1 - place)))) }
        }
        append(UInt64(results.count), 2)
        append(UInt64(serial), 4)
        append(frame.ticket.sequence, 8)
        append(frame.pts.seconds.bitPattern, 8)
        return bytes + results
    }
}
