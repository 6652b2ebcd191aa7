// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import CFFmpeg
internal import Glibc

/// Reads still images one after the other: a file, a folder, a glob (`*.png`) or a numbered sequence (`%04d.png`).
///
/// The order is natural: `2.png` before `10.png`. Images may differ in size and layout. Confined.
public final class ImageReader {
    /// The endings taken from a folder.
    public static let endings: Set<String> = ["png", "jpg", "jpeg", "bmp", "webp", "tif", "tiff", "ppm", "pgm", "gif"]

    /// The files, in the order in which they are read.
    public let paths: [String]
    /// Images that were handed out although parts of them are missing, and the first of them.
    public private(set) var damaged: (count: Int, first: String?) = (0, nil)
    private var next = 0

    /// Finds the images that `location` stands for.
    ///
    /// - Throws: `notFound` where there is none.
    public init(_ location: String) throws(MediaError) {
        FFmpegLog.install()
        var status = stat()
        let found: [String]
        if stat(FileName.bytes(location), &status) == 0 {
            found = status.st_mode & S_IFMT == S_IFDIR ? Self.folder(location) { _ in true } : [location]
        } else if let range = location.range(ofConversion: "d") {
            found = Self.sequence(location, range)
        } else {
            found = Self.matches(of: location)
        }
        guard !found.isEmpty else {
            throw MediaError(.notFound, operation: "images", detail: "\(location): no images there")
        }
        paths = found.sorted(by: NaturalOrder.precedes)
    }

    /// The next image and its path, or nil at the end.
    ///
    /// An unreadable one throws; the call after goes on behind it.
    public func read() throws(MediaError) -> (path: String, picture: Picture)? {
        guard next < paths.count else { return nil }
        let path = paths[next]
        next += 1
        let (picture, isDamaged) = try Self.decode(path)
        if isDamaged {
            damaged.count += 1
            if damaged.first == nil { damaged.first = path }
        }
        return (path, picture)
    }

    /// Decodes one image, turned upright.
    public static func read(_ path: String) throws(MediaError) -> Picture { try decode(path).picture }

    /// Decodes one image, and tells whether parts of it are missing.
    private static func decode(_ path: String) throws(MediaError) -> (picture: Picture, isDamaged: Bool) {
        var options = VideoReader.Options()
        options.decoderThreads = 1
        options.fallbackOrientation = EXIFOrientation.read(path)
        if path.contains("%") {
            options.format = "image2"
            options.options = ["pattern_type": "none"]
        }
        let reader = try VideoReader(path, options: options)
        let kind = reader.info.container
        guard kind.hasSuffix("_pipe") || ["image2", "gif", "apng", "ico"].contains(kind) else {
            throw MediaError(
                .notMedia, operation: "image", detail: "\(path): is a video (\(kind)), not an image; \"video\" reads it"
            )
        }
        guard let image = try reader.read() else {
            throw MediaError(.noPicture, operation: "image", detail: "\(path): holds no picture that can be decoded")
        }
        return (image.picture, reader.statistics.corrupt > 0)
    }

    // MARK: Finding files

    private static func folder(_ path: String, where isWanted: (String) -> Bool) -> [String] {
        guard let handle = opendir(FileName.bytes(path)) else { return [] }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { FileName.text($0) }
            }
            let ending = name.split(separator: ".").last.map { $0.lowercased() } ?? ""
            if !name.hasPrefix("."), endings.contains(ending), isWanted(name) { names.append(name) }
        }
        return names.map { path.hasSuffix("/") ? path + $0 : path + "/" + $0 }
    }

    private static func sequence(_ pattern: String, _ range: Range<String.Index>) -> [String] {
        let slash = pattern.lastIndex(of: "/")
        guard slash.map({ $0 < range.lowerBound }) ?? true else { return [] }
        let directory = slash.map { String(pattern[..<$0]) } ?? "."
        let start = slash.map { pattern.index(after: $0) } ?? pattern.startIndex
        let (prefix, suffix) = (pattern[start..<range.lowerBound], pattern[range.upperBound...])
        return folder(directory.isEmpty ? "/" : directory) { name in
            name.hasPrefix(prefix) && name.hasSuffix(suffix) && name.count > prefix.count + suffix.count
                && name.dropFirst(prefix.count).dropLast(suffix.count).allSatisfy { $0.isASCII && $0.isNumber }
        }
    }

    private static func matches(of pattern: String) -> [String] {
        var result = glob_t()
        defer { globfree(&result) }
        guard glob(FileName.bytes(pattern), 0, nil, &result) == 0 else { return [] }
        return (0..<Int(result.gl_pathc)).compactMap { index in result.gl_pathv[index].map { FileName.text($0) } }
    }
}

extension String {
    /// The first `%d` or `%04d`.
    fileprivate func range(ofConversion letter: Character) -> Range<Index>? {
        guard let percent = firstIndex(of: "%") else { return nil }
        var end = index(after: percent)
        while end < endIndex, self[end].isASCII, self[end].isNumber { end = index(after: end) }
        return end < endIndex && self[end] == letter ? percent..<index(after: end) : nil
    }
}
