// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import Media

@Suite struct `Addresses` {
    @Test(arguments: [
        ("rtsp://me:pw@host/1", "rtsp://me:***@host/1"), ("rtsp://host:554/1", "rtsp://host:554/1"), ("plain", "plain"),
        ("a http://u:p@h b ftp://x:y@z", "a http://u:***@h b ftp://x:***@z"),
        ("rtsp://me:p/w@host", "rtsp://me:***@host"), ("rtsp://me:p@w@host/?a=b", "rtsp://me:***@host/?a=b"),
        ("://", "://"), ("rtsp://me@host", "rtsp://***@host"), ("\"rtsp://me:pw@host\" x", "\"rtsp://me:***@host\" x"),
        ("https://h/live.m3u8?token=abc&channel=1", "https://h/live.m3u8?token=***&channel=1"),
        ("http://h/?access_KEY=1&sig=&x", "http://h/?access_KEY=***&sig=&x"),
        ("srt://h:1?mode=caller&passphrase=0123456789&streamid=u", "srt://h:1?mode=caller&passphrase=***&streamid=***"),
        ("http://h/?v=0123456789abcdef0123", "http://h/?v=***"),
        ("rtmp://h/live/stream-key", "rtmp://h/live/***"), ("rtmps://h:443/app/k?a=1", "rtmps://h:443/app/***?a=1"),
        ("rtmp://h/live", "rtmp://h/live"),
    ])
    func `are shown without their secrets`(text: String, shown: String) {
        #expect(redacted(text) == shown)
    }

    /// Addresses with a secret in every place that one can stand, typing mistakes among them.
    @Test(
        arguments: [
            "rtsp://me:%@127.0.0.1:1/a", "rtsp://me:%@@127.0.0.1:1/a", "rtsp://me:a/%@127.0.0.1:1/a",
            "rtsp://me:a%20%@127.0.0.1:1/a", "rtsp://me:a %@127.0.0.1:1/a", "rtsp://me:a\"%@127.0.0.1:1/a",
            "rtsp://%@127.0.0.1:1/a", "http://h:1/v?token=%", "http://h:1/v?loginuse=admin&loginpas=%",
            "http://h:1/v?u=a&p=%", "http://h:1/v#token=%", "rtsp://h:1/user=admin&password=%&channel=1&stream=0.sdp",
            "rtsp://h:1/user=admin_password=%_channel=1.sdp", "rtsp://h:1/a;password=%", "rtmp://h:1/live/%",
            "rtmp://h:1/live/%/", "rtmp://h:1/live/%?x=1", "rtmp://h:1/app/inst/%", "rtmp://h:1/app/%/stream1",
            "rtmps://u:%@h:1/live/key", "srt://h:1?passphrase=%", "srt://h:1?streamid=%",
            "srt://h:1?streamid=#!::u=me,s=%", "srt://h:1?mode=caller;passphrase=%", "http://h:1/hls/%.m3u8",
            "RTSP://Me:%@h:1/a", "rtsp:/me:%@h/a", "rtsp//me:%@h/a", "tcp:h:1?key=%", "http://h:1/v?auth.token=%&x",
            "http://h:1/v?x=1;pwd=%", "http://h:1/x?next=http://u:%@h/", "concat:rtsp://u:%@h/a|rtsp://u:%@h/b",
            "rtsp://h:1/a\nPASS=%", "ftp://u:%@h:1/a.mp4", "async:rtsp://u:%@h:1/a", "httpproxy://u:%@h:1/",
            "http://[::1]:1/?sig=%", "--set v.url=rtsp://u:%@h/a",
        ], ["S3CR3TX", "hunter2"])
    func `never show a secret`(address: String, secret: String) {
        let text = address.replacing("%20", with: "\u{1}").replacing("%", with: secret).replacing("\u{1}", with: "%20")
        #expect(!redacted(text).contains(secret), "\(redacted(text))")
    }

    @Test(
        arguments: [
            ("a.mp4", nil), ("/x/y:z.mp4", nil), ("file:///a.mp4", nil), ("rtsp://h/1", false), ("RTSP://h/1", false),
            ("http://h/a.MP4?x=1", true), ("https://h/a.webm#t=1", true), ("http://h/live.m3u8", false),
            ("http://h.mp4", false), ("rtmp://h/live/a.mp4", false), ("srt://:9000?mode=listener", false),
        ] as [(String, Bool?)])
    func `of recordings are told from those of streams`(url: String, isRecording: Bool?) {
        #expect(StreamAddress(url)?.isRecording == isRecording)
    }

    @Test(
        arguments: [
            ("rtsp://h/a", "rtsp"), ("rtmps://h/a/b", "flv"), ("srt://h:1", "mpegts"), ("udp://h:1", "mpegts"),
            ("tcp://h:1", "mpegts"), ("http://h/a.m3u8?x", "hls"), ("out/a.m3u8", "hls"), ("http://h/a", nil),
            ("out/a.mp4", nil), ("ftp://h/a.m3u8", nil), ("", nil),
        ] as [(String, String?)])
    func `to push to have a format`(url: String, format: String?) {
        #expect(StreamTarget(url)?.format == format)
    }

    @Test func `limit connecting and silence in the words of each protocol`() throws {
        func options(_ url: String) throws -> [String: String] {
            try #require(StreamAddress(url)).inputOptions(transport: .udp, connect: 3, silence: 2)
        }
        #expect(try options("rtsp://h/1")["rtsp_transport"] == "udp")
        #expect(try options("rtsp://h/1")["timeout"] == "3000000")
        #expect(try options("srt://h:1")["connect_timeout"] == "3000")
        // RTMP's own "timeout" would make it listen.
        #expect(try options("rtmp://h/a/b")["timeout"] == nil)
        #expect(try options("http://h/a.mp4")["reconnect"] == "1")
        // Who is not there at the start is not waited for.
        #expect(try options("http://h/a.mp4")["reconnect_on_network_error"] == nil)
        #expect(try options("http://h/a")["reconnect"] == nil)
    }
}

@Suite struct `A live clock` {
    private static let second: UInt64 = 1_000_000_000

    /// Judges pictures of timestamp and arrival, both in seconds, on a clock that began at 100 s.
    private static func judge(
        _ pictures: [(Double, Double)], isPaced: Bool = false, origin: Double? = 0
    ) -> [String] {
        var clock = LiveClock(
            isPaced: isPaced, origin: origin.map { Int64((100 + $0) * 1e9) }, limit: second)
        return pictures.map { time, arrival in
            switch clock.judge(time, at: UInt64((100 + arrival) * 1e9)) {
            case .present(let instant): String(Int(((Double(instant) / 1e9 - 100) * 100).rounded()))
            case .early(let until): "early \(Int(((Double(until) / 1e9 - 100) * 100).rounded()))"
            case .stale: "stale"
            }
        }
    }

    @Test func `takes the least delayed picture for the present`() {
        #expect(Self.judge([(0, 0.5), (0.04, 0.3), (0.08, 0.34), (0.12, 0.5)]) == ["0", "4", "8", "12"])
        // A server that sends its past first is caught up with.
        #expect(Self.judge([(0, 0.1), (2, 0.11), (2.04, 0.15)]) == ["0", "11", "15"])
    }

    @Test func `drops what waited somewhere, until the present is back`() {
        // Three seconds of silence, then all at once.
        let burst = [(0.0, 0.0), (0.1, 0.1), (0.2, 3.0), (1.0, 3.01), (2.5, 3.02), (3.02, 3.03)]
        #expect(Self.judge(burst) == ["0", "10", "stale", "stale", "250", "302"])
    }

    @Test func `believes a stream whose clock stood still`() {
        var pictures = [(0.0, 0.0)]
        for step in 0...30 {
            let time = Double(step) / 10
            pictures.append((0.1 + time, 60 + time))
        }
        let verdicts = Self.judge(pictures)
        #expect(verdicts.filter { $0 == "stale" }.count == 5)
        #expect(verdicts.last == "6300")
    }

    /// A sender that paused for half a second is late for good; its pictures are of the present again half a second later.
    @Test(arguments: [0.3, 0.5, 0.9, 1.5])
    func `forgets a pause of the sender`(pause: Double) {
        var clock = LiveClock(isPaced: false, origin: nil, limit: 10 * Self.second)
        var late = 0
        for step in 0..<1000 {
            let time = Double(step) * 0.04
            let arrival = 100 + time + (step >= 100 ? pause : 0)
            guard case .present(let instant) = clock.judge(time, at: UInt64(arrival * 1e9)) else {
                Issue.record("not present after \(step)")
                return
            }
            if arrival - Double(instant) / 1e9 > 0.2 { late += 1 }
        }
        // Half a second of pictures, and not one more.
        #expect(late <= 13, "\(late)")
    }

    /// Pictures that waited in a buffer keep their age while they catch up, however slowly.
    @Test func `does not take what catches up for the present`() {
        var clock = LiveClock(isPaced: false, origin: nil, limit: 10 * Self.second)
        var ages: [Double] = []
        for step in 0..<200 {
            let time = Double(step) * 0.04
            // Two seconds late from the 50th on, 20 ms less with each.
            let lateness = step < 50 ? 0 : max(0, 2 - Double(step - 50) * 0.02)
            let arrival = 100 + time + lateness
            guard case .present(let instant) = clock.judge(time, at: UInt64(arrival * 1e9)) else { continue }
            ages.append(abs(arrival - Double(instant) / 1e9 - lateness))
        }
        #expect(ages.count == 200 && ages.allSatisfy { $0 < 0.02 }, "\(ages.max() ?? 0)")
    }

    @Test func `follows clocks that drift apart`() {
        // A stream that is a ten-thousandth slow for three hours would look a second old.
        var clock = LiveClock(isPaced: false, origin: 0, limit: Self.second)
        for step in 0..<10_800 {
            let verdict = clock.judge(Double(step), at: UInt64(Double(step) * 1.0001 * 1e9))
            guard case .present(let instant) = verdict else {
                Issue.record("\(verdict) after \(step) s")
                return
            }
            #expect(abs(Double(instant) / 1e9 - Double(step) * 1.0001) < 0.001)
        }
    }

    @Test func `holds back what comes in bursts`() {
        #expect(
            Self.judge([(0, 1), (1, 1), (1, 2), (2, 4.5), (5, 4.6)], isPaced: true, origin: nil)
                == ["100", "early 200", "200", "stale", "early 600"])
    }
}

@Suite struct `Outages are booked` {
    @Test func `with causes and the time away`() {
        var book = Outages<StreamFault>()
        book.returned(at: 5)
        #expect(book.note == nil && book.returns == 0)
        book.lost(.ended, "it ended", at: 1_000_000_000)
        book.lost(.broken, "it broke", at: 2_000_000_000)
        book.returned(at: 4_000_000_000)
        book.returned(at: 9_000_000_000)
        book.lost(.ended, "it ended", at: 10_000_000_000)
        book.returned(at: 11_500_000_000)
        #expect(
            book.note
                == "lost 3 times (ended 2, broken 1), recovered twice, away for 4.5 s, 3 s at most; last: it ended")
    }

    @Test func `stand-ins come once a frame interval, late ones are not made up for`() {
        var pace = NoSignalPace(startingAt: 1000)
        let taken = [999, 1000, 2400, 2500, 9000].map { pace.take(at: $0, rate: 1e6) }
        #expect(taken == [false, true, true, false, true])
        #expect(pace.dueAt == 10_000)
    }
}
