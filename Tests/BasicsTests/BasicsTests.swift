// SPDX-License-Identifier: Apache-2.0
import Basics
import Synchronization
import Testing

@Suite struct NumberTextTests {
    @Test(arguments: [
        (30.0, "30"), (29.97, "29.97"), (12.5, "12.5"), (59.940059, "59.94"), (0.05, "0.05"), (100, "100"), (0, "0"),
        (-0.001, "0"), (-1.5, "-1.5"), (.nan, "-"), (.infinity, "-"), (1e12, "-"),
    ])
    func `at most two decimals`(value: Double, text: String) { #expect(NumberText.decimal(value) == text) }

    @Test(arguments: [
        (7.25, 0, "7", "7"), (7.25, 1, "7.3", "7.3"), (7, 3, "7.000", "7"), (0.0005, 3, "0.001", "0.001"),
        (-0.04, 1, "0.0", "0"), (1234.5, 2, "1234.50", "1234.5"),
    ])
    func `as many decimals as asked for`(value: Double, places: Int, fixed: String, decimal: String) {
        #expect(NumberText.fixed(value, places: places) == fixed)
        #expect(NumberText.decimal(value, places: places) == decimal)
    }

    @Test(arguments: [(0, "0 times"), (1, "once"), (2, "twice"), (3, "3 times")])
    func `how often`(count: Int, text: String) { #expect(NumberText.times(count) == text) }
}

@Suite struct FoldersTests {
    @Test(
        arguments: [
            (["HOME": "/h"], "/h/.cache/vpipe", "/h/.local/share/vpipe"),
            (["HOME": "/h", "XDG_CACHE_HOME": "/c", "XDG_DATA_HOME": "/d"], "/c/vpipe", "/d/vpipe"),
            (["HOME": "/h", "XDG_CACHE_HOME": "c", "XDG_DATA_HOME": ""], "/h/.cache/vpipe", "/h/.local/share/vpipe"),
            (["HOME": "h"], nil, nil), ([:], nil, nil),
        ] as [([String: String], String?, String?)])
    func `a relative path in a variable is ignored`(variables: [String: String], cache: String?, data: String?) {
        let folders = Folders { variables[$0] }
        #expect(folders.cache == cache)
        #expect(folders.data == data)
    }

    @Test func `the executable is a file`() throws {
        #expect(try #require(Folders.executable).hasPrefix("/"))
    }
}

@Suite struct SystemThreadTests {
    @Test func `work is done on another thread, waited for or not`() async {
        #expect(SystemThread.run { 7 } == 7)
        await withCheckedContinuation { continuation in
            #expect(SystemThread.start { continuation.resume() } == 0)
        }
    }
}

@Suite struct PrintableTextTests {
    @Test(arguments: [
        ("plain, naïve, 日本", "plain, naïve, 日本"), ("\u{1B}]0;owned\u{07}", "\\u{1b}]0;owned\\u{7}"),
        ("red\nerror: forged", "red\\u{a}error: forged"), ("a\u{85}b\u{2028}c\u{9B}d", "a\\u{85}b\\u{2028}c\\u{9b}d"),
        ("\u{202E}gpj.exe", "\\u{202e}gpj.exe"), ("\r\n", "\\u{d}\\u{a}"),
    ])
    func `what moves the cursor or forges a line is written out`(text: String, shown: String) {
        #expect(printable(text) == shown)
    }
}

@Suite struct FileNameTests {
    @Test(arguments: [
        Array("plain.png".utf8), Array("naïve 日本".utf8), [0x63, 0x61, 0x66, 0xE9, 0x2E], [0xFF, 0xFE], [0xE2, 0x82],
        [0xED, 0xA0, 0x80],
    ])
    func `any name of the system comes back as it was`(bytes: [UInt8]) {
        let name = (bytes + [0]).map { CChar(bitPattern: $0) }
        let text = name.withUnsafeBufferPointer { $0.baseAddress.map { FileName.text($0) } ?? "" }
        #expect(FileName.bytes(text) == name)
    }

    @Test func `a byte that is no character is shown as a number`() {
        let name: [CChar] = [0x61, CChar(bitPattern: 0xE9), 0]
        let text = name.withUnsafeBufferPointer { $0.baseAddress.map { FileName.text($0) } ?? "" }
        #expect(printable(text) == "a\\xe9")
    }
}
