// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Glibc

/// How a photograph lies, by the EXIF data of a PNG, WebP or TIFF file; FFmpeg reads those of JPEG alone.
///
/// Untrusted bytes: every length is checked, and little is read.
///
/// Source: EXIF 2.32 (tag 0x0112); PNG 1.5 extensions (eXIf); the WebP container specification (EXIF); TIFF 6.0.
enum EXIFOrientation {
    /// Chunks looked through at most, and bytes of EXIF data.
    private static let chunkLimit = 4096
    private static let dataLimit = 1 << 18

    /// The turn that sets the picture upright; nil where the file says nothing.
    static func read(_ path: String) -> Orientation? {
        let file = open(FileName.bytes(path), O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        return find { offset, count in
            var bytes = [UInt8](repeating: 0, count: count)
            let done = pread(file, &bytes, count, off_t(offset))
            return done > 0 ? Array(bytes.prefix(done)) : []
        }
    }

    /// The same of any bytes; `read` gives some at an offset, fewer than asked for at the end.
    static func find(_ read: (_ offset: Int, _ count: Int) -> [UInt8]) -> Orientation? {
        let head = read(0, 12)
        guard head.count == 12 else { return nil }
        if head.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
            return chunk("eXIf", from: 8, read) { header in
                // Length, name, data, checksum.
                (length: number(header, 0, 4, isBig: true), name: Array(header[4..<8]), extra: 4)
            }
        }
        if head.starts(with: Array("RIFF".utf8)), head[8...].elementsEqual("WEBP".utf8) {
            return chunk("EXIF", from: 12, read) { header in
                let length = number(header, 4, 4, isBig: false)
                return (length, Array(header[..<4]), length & 1)
            }
        }
        if isTIFF(head) { return orientation(in: read(0, dataLimit), read) }
        return nil
    }

    private static func chunk(
        _ name: String, from start: Int, _ read: (Int, Int) -> [UInt8],
        _ parse: ([UInt8]) -> (length: Int, name: [UInt8], extra: Int)
    ) -> Orientation? {
        var offset = start
        for _ in 0..<chunkLimit {
            let header = read(offset, 8)
            guard header.count == 8 else { return nil }
            let found = parse(header)
            if found.name.elementsEqual(name.utf8) {
                var data = read(offset + 8, min(found.length, dataLimit))
                // JPEG's prefix, which some programs keep.
                if data.starts(with: Array("Exif\0\0".utf8)) { data.removeFirst(6) }
                return orientation(in: data) { offset, count in Array(data.dropFirst(offset).prefix(count)) }
            }
            offset += 8 + found.length + found.extra
        }
        return nil
    }

    private static func isTIFF(_ bytes: [UInt8]) -> Bool {
        bytes.starts(with: [0x49, 0x49, 0x2A, 0]) || bytes.starts(with: [0x4D, 0x4D, 0, 0x2A])
    }

    /// The tag in the first directory of a TIFF structure.
    private static func orientation(in bytes: [UInt8], _ read: (Int, Int) -> [UInt8]) -> Orientation? {
        guard bytes.count >= 8, isTIFF(bytes) else { return nil }
        let isBig = bytes[0] == 0x4D
        let place = number(bytes, 4, 4, isBig: isBig)
        let count = number(read(place, 2), 0, 2, isBig: isBig)
        let entries = read(place + 2, min(count, 1024) * 12)
        for entry in stride(from: 0, to: entries.count - 11, by: 12) {
            guard number(entries, entry, 2, isBig: isBig) == 0x0112 else { continue }
            return Orientation(exif: number(entries, entry + 8, 2, isBig: isBig))
        }
        return nil
    }

    /// An unsigned number; 0 beyond the end.
    private static func number(_ bytes: [UInt8], _ offset: Int, _ count: Int, isBig: Bool) -> Int {
        guard offset + count <= bytes.count else { return 0 }
        let part = bytes[offset..<offset + count]
        return isBig ? part.reduce(0) { $0 << 8 | Int($1) } : part.reversed().reduce(0) { $0 << 8 | Int($1) }
    }
}

extension Orientation {
    /// Reads a value of EXIF's orientation, 1 to 8; nil for any other.
    init?(exif value: Int) {
        switch value {
        case 1: self = .upright
        case 2: self.init(swapsAxes: false, mirrorsX: true, mirrorsY: false)
        case 3: self.init(swapsAxes: false, mirrorsX: true, mirrorsY: true)
        case 4: self.init(swapsAxes: false, mirrorsX: false, mirrorsY: true)
        case 5: self.init(swapsAxes: true, mirrorsX: false, mirrorsY: false)
        case 6: self.init(swapsAxes: true, mirrorsX: true, mirrorsY: false)
        case 7: self.init(swapsAxes: true, mirrorsX: true, mirrorsY: true)
        case 8: self.init(swapsAxes: true, mirrorsX: false, mirrorsY: true)
        default: return nil
        }
    }
}
