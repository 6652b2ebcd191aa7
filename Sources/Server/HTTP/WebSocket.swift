// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// The framing of WebSocket messages, the server's side.
///
/// Source: RFC 6455. A client's message is one frame of 64 KiB at most; extensions are not negotiated.
enum WebSocket {
    /// The largest message that is taken, in bytes.
    static let limit = 64 * 1024

    /// The kinds of frames.
    enum Opcode: UInt8 { case text = 1, binary = 2, close = 8, ping = 9, pong = 10 }

    /// What came from a client.
    enum Incoming: Equatable {
        case message(Opcode, [UInt8])
        /// What has come is no whole frame yet.
        case incomplete
        /// The client breaks a rule; the code says which.
        case fault(UInt16)
    }

    /// The answer to the key of a handshake.
    static func accept(_ key: String) -> String {
        Data(SHA1.hash(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8))).base64EncodedString()
    }

    /// The head of a whole, unmasked frame.
    static func head(_ opcode: Opcode, count: Int) -> [UInt8] {
        let first = 0x80 | opcode.rawValue
        switch count {
        case ..<126: return [first, UInt8(count)]
        case ..<65_536: return [first, 126, UInt8(count >> 8), UInt8(count & 0xFF)]
        default: return [first, 127] + (0..<8).map { UInt8(truncatingIfNeeded: count >> (56 - 8 * $0)) }
        }
    }

    /// Takes the first frame off what has come.
    static func next(_ inbox: inout [UInt8]) -> Incoming {
        guard inbox.count >= 2 else { return .incomplete }
        guard inbox[0] & 0x70 == 0, inbox[1] & 0x80 != 0 else { return .fault(1002) }
        guard let opcode = Opcode(rawValue: inbox[0] & 0x0F), inbox[0] & 0x80 != 0 else { return .fault(1003) }
        var count = Int(inbox[1] & 0x7F)
        var start = 2
        switch count {
        case 126:
            guard inbox.count >= 4 else { return .incomplete }
            count = Int(inbox[2]) << 8 | Int(inbox[3])
            start = 4
        case 127: return .fault(1009)
        default: break
        }
        guard count <= limit, opcode.rawValue < 8 || count < 126 else { return .fault(1009) }
        guard inbox.count >= start + 4 + count else { return .incomplete }
        let mask = Array(inbox[start..<start + 4])
        let body = (0..<count).map { inbox[start + 4 + $0] ^ mask[$0 & 3] }
        inbox.removeFirst(start + 4 + count)
        return .message(opcode, body)
    }
}

/// SHA-1, which the handshake of WebSockets is made of and nothing else here.
///
/// Source: RFC 3174.
enum SHA1 {
    static func hash(_ message: [UInt8]) -> [UInt8] {
        var state: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
        var padded = message + [0x80]
        while padded.count % 64 != 56 { padded.append(0) }
        let bits = UInt64(message.count) * 8
        padded += (0..<8).map { UInt8(truncatingIfNeeded: bits >> UInt64(56 - 8 * $0)) }
        func rotated(_ value: UInt32, _ places: UInt32) -> UInt32 { value << places | value >> (32 - places) }
        for block in stride(from: 0, to: padded.count, by: 64) {
            var words = (0..<16).map { index in
                (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(padded[block + 4 * index + $1]) }
            }
            for t in 16..<80 { words.append(rotated(words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16], 1)) }
            var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
            for t in 0..<80 {
                let (f, k): (UInt32, UInt32) =
                    switch t {
                    case ..<20: (b & c | ~b & d, 0x5A82_7999)
                    case ..<40: (b ^ c ^ d, 0x6ED9_EBA1)
                    case ..<60: (b & c | b & d | c & d, 0x8F1B_BCDC)
                    default: (b ^ c ^ d, 0xCA62_C1D6)
                    }
                let next = rotated(a, 5) &+ f &+ e &+ k &+ words[t]
                (a, b, c, d, e) = (next, a, rotated(b, 30), c, d)
            }
            for (index, value) in [a, b, c, d, e].enumerated() { state[index] &+= value }
        }
        return state.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(24 - 8 * $0)) } }
    }
}
