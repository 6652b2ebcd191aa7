// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg

/// What stands before `://` in addresses that the FFmpeg here reads.
public enum InputProtocols {
    /// Their names, sorted.
    public static let names: [String] = {
        // Read by demuxers, which are not asked for their names: without them, as FFmpeg is always built.
        var names: Set<String> = ["rtsp", "rtsps", "sap", "satip"]
        var state: UnsafeMutableRawPointer?
        while let name = avio_enum_protocols(&state, 0) { names.insert(String(cString: name)) }
        return names.sorted()
    }()

    /// The same, those that most cameras and servers speak first.
    public static let usualFirst: [String] = {
        let usual = ["rtsp", "http", "https", "rtmp", "srt", "udp", "rtsps"].filter { names.contains($0) }
        return usual + names.filter { !usual.contains($0) }
    }()

    /// Whether a text begins as an address does: `concat:a|b`, `subfile,,start,0,...`.
    public static func begins(_ text: String) -> Bool {
        text.firstIndex { ":,".contains($0) }.map { names.contains(text[..<$0].lowercased()) } ?? false
    }

    /// The protocol of an address that nothing here reads; nil for all others, and for paths of files.
    public static func unknown(in address: String) -> String? {
        guard let end = address.firstRange(of: "://")?.lowerBound else { return nil }
        let scheme = address[..<end].lowercased()
        // `hls+https`: the first one is asked; anything else before the colon is a path.
        guard let first = scheme.split(separator: "+", omittingEmptySubsequences: false).first,
            first.first?.isLetter == true,
            scheme.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) })
        else { return nil }
        return names.contains(String(first)) ? nil : String(first)
    }
}
