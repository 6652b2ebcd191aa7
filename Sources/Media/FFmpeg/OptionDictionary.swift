// SPDX-License-Identifier: Apache-2.0
internal import CFFmpeg

/// Owns an `AVDictionary` of options on their way into FFmpeg.
struct OptionDictionary: ~Copyable {
    private var handle: OpaquePointer?

    init(_ options: [String: String] = [:]) {
        for (key, value) in options.sorted(by: { $0.key < $1.key }) { set(key, value) }
    }

    deinit {
        var handle = handle
        av_dict_free(&handle)
    }

    mutating func set(_ key: String, _ value: String) { av_dict_set(&handle, key, value, 0) }

    /// Calls `body` with the place of the dictionary, from which FFmpeg removes what it knows.
    mutating func consumeOptions(_ body: (UnsafeMutablePointer<OpaquePointer?>) -> Int32) -> Int32 { body(&handle) }

    /// Keys that nobody took.
    var leftOver: [String] {
        var keys: [String] = []
        var entry: UnsafeMutablePointer<AVDictionaryEntry>?
        while let next = av_dict_get(handle, "", entry, AV_DICT_IGNORE_SUFFIX) {
            keys.append(String(cString: next.pointee.key))
            entry = next
        }
        return keys
    }
}
