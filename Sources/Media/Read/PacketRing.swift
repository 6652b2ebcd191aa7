// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg
internal import Glibc
internal import Synchronization

/// Keeps the newest compressed video of a source, by whole groups of pictures, for who wants to store what was before.
///
/// ```
///  forget(before: t)   [I P P P][I P P P][I P P P][I P ...   reader
///                       gone     ^ t lies in it               puts packets in
///                                +--- cursor --> copy(to: a file's tap)
/// ```
/// The reader puts packets in when it gives them to its decoder; the consumer takes copies of references from a keyframe on and
/// says what it needs no more. Bounded by bytes: the oldest groups then go before their time, counted. Thread-safe; a lock is
/// taken for a packet and for a call.
package final class PacketRing: @unchecked Sendable {
    // `@unchecked Sendable`: everything that changes is under the lock.

    /// What the ring has seen.
    package struct Statistics: Sendable, Hashable {
        /// Bytes held now.
        package var bytes = 0
        /// The most it ever held.
        package var peakBytes = 0
        /// Groups that had to go before their time, for want of bytes.
        package var evicted = 0
        /// Packets left out because they have no time, or the time line broke.
        package var leftOut = 0
        /// Seconds between keyframes at most.
        package var longestGroup = 0.0
    }

    /// Where a consumer is: what it copies next, and what it has.
    package struct Cursor: Sendable, Hashable {
        /// The keyframe it began with, on the source's clock.
        package let begin: MediaTime
        /// Whether earlier pictures were wanted that the ring does not hold any more.
        package let isLate: Bool
        /// Number of the next packet.
        fileprivate(set) package var number: Int
        /// The latest time that was copied, of showing, and its end: what the copy lasts until.
        fileprivate(set) package var shown = -Double.infinity
        fileprivate(set) package var end: Double
        /// Packets copied.
        fileprivate(set) package var packets = 0
        /// Places at which packets were missing, up to a keyframe.
        fileprivate(set) package var gaps = 0
        /// What is shown earlier needs pictures that are not here.
        fileprivate var first: Int64
        fileprivate var lastDts = Int64.min
        fileprivate var needsKey = false
    }

    /// Why a copy went no further.
    package enum Stop: Sendable, Hashable {
        /// There is no more for now, or what comes is beyond the limit.
        case waiting
        /// All pictures up to the limit are copied, and nothing more can come before it.
        case over
        /// What follows is of another kind, or the copy has the length it may have: a new one can begin at the next keyframe.
        case cut
    }

    private struct Entry {
        let packet: UnsafeMutablePointer<AVPacket>
        let description: VideoDescription
        var isKey: Bool
        /// Whether it was taken out again.
        var isVoid = false

        /// When it is shown, in seconds.
        var time: Double { MediaTime(ticks: packet.pointee.pts, base: description.timeBase).seconds }
        /// No packet that follows is shown earlier.
        var decodingTime: Double {
            let dts = packet.pointee.dts
            return MediaTime(ticks: dts.isTime ? dts : packet.pointee.pts, base: description.timeBase).seconds
        }
        var length: Double {
            MediaTime(ticks: max(0, packet.pointee.duration), base: description.timeBase).seconds
        }
    }

    private struct State: @unchecked Sendable {
        // The packets are under the ring's lock.
        var description: VideoDescription?
        /// In decoding order, from `head` on; the first always is a keyframe.
        var entries: [Entry] = []
        var head = 0
        /// Number of `entries[0]`, and of the first packet that has no time yet.
        var base = 0
        var timed = 0
        /// Whether packets are left out up to the next keyframe.
        var needsKey = true
        var lastKey: Double?
        var counts = Statistics()
        var isClosed = false

        var first: Int { base + head }
        var end: Int { base + entries.count }
        subscript(number: Int) -> Entry { entries[number - base] }

        /// The number of the first keyframe from `number` on that `fits`.
        func key(from number: Int, where fits: (Entry) -> Bool = { _ in true }) -> Int? {
            var number = max(number, first)
            while number < timed {
                if self[number].isKey, fits(self[number]) { return number }
                number += 1
            }
            return nil
        }

        /// Whether a picture from `number` on is shown up to `limit`; nil while that is not known.
        func shows(from number: Int, until limit: Double) -> Bool? {
            for number in number..<max(number, timed) where !self[number].isVoid {
                if self[number].time <= limit { return true }
                if self[number].decodingTime > limit { return false }
            }
            return nil
        }

        mutating func dropFirst() {
            counts.bytes -= Int(entries[head].packet.pointee.size)
            AudioTap.free(entries[head].packet)
            head += 1
        }

        /// Gives the memory of freed entries back.
        mutating func compact() {
            guard head > 64, head * 2 > entries.count else { return }
            entries.removeFirst(head)
            base += head
            head = 0
        }

        /// Takes out everything from `number` on, to go on with the next keyframe; numbers are not used again.
        mutating func cut(from number: Int) {
            for index in max(number - base, head)..<max(entries.count, head, number - base) where !entries[index].isVoid
            {
                counts.bytes -= Int(entries[index].packet.pointee.size)
                counts.leftOut += 1
                av_packet_unref(entries[index].packet)
                (entries[index].isVoid, entries[index].isKey) = (true, false)
            }
            timed = end
            needsKey = true
        }
    }

    private let capacityBytes: Int
    private let state = Mutex(State())

    /// A ring of at most so many bytes of packets.
    package init(capacityBytes: Int) { self.capacityBytes = max(1, capacityBytes) }

    deinit { close() }

    /// Frees everything and takes nothing more.
    package func close() {
        state.withLock { state in
            state.isClosed = true
            for entry in state.entries[state.head...] { AudioTap.free(entry.packet) }
            state.base = state.end
            (state.entries, state.head, state.counts.bytes) = ([], 0, 0)
            state.timed = state.base
        }
    }

    /// What was seen so far.
    package var statistics: Statistics { state.withLock { $0.counts } }

    /// A tap without packets, of the kind that the ring takes; nil before that is known.
    package var kind: VideoTap? { state.withLock { $0.description }.map { VideoTap($0, capacityBytes: 0) } }

    // MARK: The source's side

    /// Says what the packets to come are; they begin with a keyframe.
    func begin(_ description: VideoDescription) {
        state.withLock { state in
            if let old = state.description, old.fits(description) {} else { state.description = description }
            state.needsKey = true
            state.lastKey = nil
            // What never got its time never will.
            state.cut(from: state.timed)
        }
    }

    /// Puts a reference to `packet` in, its times moved by `shift` ticks; nil where that is told by ``release(shift:)``.
    func put(_ packet: UnsafePointer<AVPacket>, shift: Int64?) {
        guard let copy = av_packet_clone(packet) else { return state.withLock { $0.needsKey = true } }
        if let shift { Self.move(copy, by: shift) }
        let size = Int(copy.pointee.size)
        let isTaken = state.withLock { state in
            guard !state.isClosed, let description = state.description else { return false }
            let isKey = copy.pointee.flags & AV_PKT_FLAG_KEY != 0
            guard copy.pointee.pts.isTime, isKey || !state.needsKey else {
                state.counts.leftOut += 1
                state.needsKey = true
                return false
            }
            state.needsKey = false
            makeRoom(for: size, isKey: isKey, &state)
            guard !state.needsKey else { return false }
            let entry = Entry(packet: copy, description: description, isKey: isKey)
            state.entries.append(entry)
            state.counts.bytes += size
            state.counts.peakBytes = max(state.counts.peakBytes, state.counts.bytes)
            if shift != nil {
                state.timed = state.end
                Self.note(entry, &state)
            }
            return true
        }
        if !isTaken { AudioTap.free(copy) }
    }

    private static func note(_ entry: Entry, _ state: inout State) {
        if let last = state.lastKey { state.counts.longestGroup = max(state.counts.longestGroup, entry.time - last) }
        if entry.isKey { state.lastKey = entry.time }
    }

    /// Has the oldest groups go until `size` bytes more are within the bound; a group that is too large goes, too.
    private func makeRoom(for size: Int, isKey: Bool, _ state: inout State) {
        while state.counts.bytes + size > capacityBytes, state.head < state.entries.count {
            state.dropFirst()
            while state.head < state.entries.count, !state.entries[state.head].isKey { state.dropFirst() }
            state.counts.evicted += 1
        }
        state.timed = max(state.timed, state.first)
        state.compact()
        // The group that this packet belongs to is gone.
        if state.head == state.entries.count, !isKey { state.needsKey = true }
        if size > capacityBytes { state.needsKey = true }
    }

    /// Gives the packets of a new round their times.
    func release(shift: Int64) {
        state.withLock { state in
            while state.timed < state.end {
                let entry = state[state.timed]
                Self.move(entry.packet, by: shift)
                state.timed += 1
                Self.note(entry, &state)
            }
        }
    }

    /// Has the packets from the picture shown at `pts` on go on `ticks` later: the time line broke there.
    ///
    /// Where a new one does not begin with a keyframe, packets are left out up to the next.
    func rebase(at pts: Int64?, by ticks: Int64) {
        state.withLock { state in
            let place = state.entries.indices.reversed().first {
                $0 >= state.head && state.entries[$0].packet.pointee.pts == pts
            }
            guard let place, state.entries[place].isKey else {
                // What was decoded lately was near the end.
                let last = state.entries.indices.reversed().first { $0 >= state.head && state.entries[$0].isKey }
                return state.cut(from: state.base + (place ?? last ?? state.entries.count))
            }
            for entry in state.entries[place...] { Self.move(entry.packet, by: ticks) }
            state.lastKey = nil
        }
    }

    private static func move(_ packet: UnsafeMutablePointer<AVPacket>, by shift: Int64) {
        if packet.pointee.pts.isTime { packet.pointee.pts &+= shift }
        if packet.pointee.dts.isTime { packet.pointee.dts &+= shift }
    }

    // MARK: The consumer's side

    /// Lets the groups go that end before `seconds`, but for those that a cursor still needs.
    ///
    /// Returns the time that the ring now begins with; nil where it is empty.
    @discardableResult
    package func forget(before seconds: Double, but cursor: Cursor? = nil) -> Double? {
        state.withLock { state in
            let bound = min(cursor?.number ?? .max, state.timed)
            while let next = state.key(from: state.first + 1), next <= bound, state[next].time <= seconds {
                while state.first < next { state.dropFirst() }
            }
            state.compact()
            return state.first < state.timed ? state[state.first].time : nil
        }
    }

    /// A cursor at the last keyframe that is shown no later than `seconds`, or the first there is; nil where there is none.
    ///
    /// - Parameter old: where another copy ended, whose packets this one leaves out.
    package func cursor(notAfter seconds: Double, behind old: Cursor? = nil) -> Cursor? {
        state.withLock { state in
            var found = state.key(from: old?.number ?? 0)
            while let next = found.flatMap({ state.key(from: $0 + 1) }), state[next].time <= seconds { found = next }
            return found.map { number in
                let packet = state[number].packet.pointee
                return Cursor(
                    begin: MediaTime(ticks: packet.pts, base: state[number].description.timeBase),
                    isLate: state.first > max(0, old?.number ?? 0) && state[number].time > seconds, number: number,
                    end: state[number].time, first: packet.pts)
            }
        }
    }

    /// A tap for the packets of a cursor; nil where they are gone.
    package func makeTap(for cursor: Cursor) -> VideoTap? {
        let description = state.withLock { state in
            state.first <= cursor.number && cursor.number < state.end ? state[cursor.number].description : nil
        }
        guard let description else { return nil }
        return VideoTap(description, capacityBytes: .max / 2)
    }

    /// Puts what comes up to `limit` into `tap`, in decoding order.
    ///
    /// - Parameters:
    ///   - limit: seconds on the source's clock; pictures shown later are copied only where earlier ones need them.
    ///   - longest: seconds after which the copy ends at a keyframe.
    package func copy(
        to tap: VideoTap, _ cursor: inout Cursor, until limit: Double, longest: Double = .infinity
    ) -> Stop {
        state.withLock { state in
            if cursor.number < state.first {
                // Groups went before their time.
                (cursor.number, cursor.needsKey) = (state.first, true)
            }
            while cursor.number < state.timed {
                let entry = state[cursor.number]
                // Taken out, from before a loss and shown again after it, or part of a group that is not whole.
                let dts = entry.packet.pointee.dts
                if entry.isVoid || (dts.isTime && dts <= cursor.lastDts) || (cursor.needsKey && !entry.isKey) {
                    cursor.number += 1
                    cursor.needsKey = true
                    continue
                }
                guard entry.description === tap.about else { return .cut }
                if entry.time > limit {
                    switch state.shows(from: cursor.number, until: max(limit, cursor.shown)) {
                    case false?: return .over
                    case nil: return .waiting
                    case true?: break
                    }
                }
                if entry.isKey, cursor.packets > 0, entry.time - cursor.begin.seconds >= longest { return .cut }
                if cursor.needsKey {
                    (cursor.first, cursor.needsKey) = (entry.packet.pointee.pts, false)
                    cursor.gaps += 1
                }
                cursor.number += 1
                guard entry.packet.pointee.pts >= cursor.first else { continue }
                if entry.packet.pointee.dts.isTime { cursor.lastDts = entry.packet.pointee.dts }
                cursor.packets += 1
                cursor.shown = max(cursor.shown, entry.time)
                cursor.end = max(cursor.end, entry.time + entry.length)
                tap.put(entry.packet, shift: 0)
            }
            return .waiting
        }
    }
}
