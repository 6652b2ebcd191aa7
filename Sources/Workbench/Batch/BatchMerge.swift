// SPDX-License-Identifier: Apache-2.0
internal import Basics
internal import Foundation
internal import PipelineLanguage

/// Joins the records of a batch's finished items, each line with the item it is of.
public struct BatchMerge {
    /// What the world did.
    public struct Fault: Error, CustomStringConvertible {
        /// In a sentence.
        public let description: String
    }

    private let out: String
    private let folder: BatchFolder
    private let items: [BatchFolder.Done]
    private let name: String?

    /// - Parameter file: which of the items' files; nil where there is one of the kind.
    /// - Throws: `BatchError` where no batch was there, or nothing is done.
    public init(_ out: String, file: String?) throws(BatchError) {
        let (folder, entries) = try BatchOverview.open(out)
        self.out = out
        self.folder = folder
        name = file
        items = entries.compactMap { folder.done($0.item) }
        guard !items.isEmpty else { throw BatchError("\(out): no item is done yet") }
    }

    /// Writes one file, by its name's ending; whole or not at all.
    public func write(to path: String, overwrite: Bool) throws -> (lines: Int, items: Int) {
        if path == "-" { return try lines(of: ".jsonl", to: .standardOutput) }
        guard overwrite || access(FileName.bytes(path), F_OK) != 0 else {
            throw BatchError("\(path) exists; --overwrite replaces it")
        }
        let ending = path.lastIndex(of: ".").map { path[$0...].lowercased() } ?? ""
        switch ending {
        case ".jsonl", ".csv": return try whole(path) { try lines(of: ending, to: $0) }
        case ".parquet":
            guard let duckdb = Self.program("duckdb") else {
                throw BatchError(
                    "\(path): Parquet is written by DuckDB, and there is no program \"duckdb\" on the PATH; install it, or merge "
                        + "to .jsonl or .csv")
            }
            guard let scratch = TemporaryFolder("merge") else {
                throw Fault(description: "no temporary folder can be made")
            }
            let jsonl = scratch.path + "/all.jsonl"
            let counts = try whole(jsonl) { try lines(of: ".jsonl", to: $0, hasHeaders: false) }
            try Self.convert(jsonl, to: path, by: duckdb)
            withExtendedLifetime(scratch) {}
            return counts
        default:
            throw BatchError("\(path): expected a name that ends in .jsonl, .csv or .parquet")
        }
    }

    private func whole(_ path: String, _ body: (FileHandle) throws -> (lines: Int, items: Int)) throws -> (
        lines: Int, items: Int
    ) {
        let part = path + ".part"
        guard FileManager.default.createFile(atPath: part, contents: nil), let file = FileHandle(forWritingAtPath: part)
        else { throw Fault(description: "\(part): \(String(cString: strerror(errno)))") }
        do {
            let counts = try body(file)
            try file.close()
            guard rename(FileName.bytes(part), FileName.bytes(path)) == 0 else {
                throw Fault(description: "\(path): \(String(cString: strerror(errno)))")
            }
            return counts
        } catch {
            unlink(FileName.bytes(part))
            throw error
        }
    }

    /// The file of an item that is meant.
    private func file(of item: BatchFolder.Done, _ ending: String) throws(BatchError) -> String? {
        if let name { return item.files.contains(name) ? name : nil }
        let fitting = item.files.filter { $0.lowercased().hasSuffix(ending) }
        guard fitting.count <= 1 else {
            throw BatchError(
                "\(item.item) has several \(ending) files (\(fitting.joined(separator: ", "))): say with --file which one"
            )
        }
        return fitting.first
    }

    private func lines(of ending: String, to output: FileHandle, hasHeaders: Bool = true) throws -> (
        lines: Int, items: Int
    ) {
        var (count, used) = (0, 0)
        var header: Data?
        for item in items {
            guard let name = try file(of: item, ending) else { continue }
            let path = folder.folder(of: item.item) + "/" + name
            guard let data = try? Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe) else {
                throw Fault(description: "\(path): cannot be read")
            }
            used += 1
            if ending == ".csv" {
                count += try rows(of: data, item.item, path, header: &header, to: output)
            } else {
                count += try records(of: data, item.item, hasHeaders: hasHeaders, to: output)
            }
        }
        guard used > 0 else {
            let known = Set(items.flatMap(\.files)).sorted().prefix(8).joined(separator: ", ")
            throw BatchError(
                name.map { "no item has a file \($0); there are \(known)" }
                    ?? "no item has a \(ending) file; there are \(known): add a \(ending == ".csv" ? "csv" : "jsonl") sink"
            )
        }
        return (count, used)
    }

    private func write(_ data: Data, to output: FileHandle) throws(Fault) {
        do {
            try output.write(contentsOf: data)
        } catch {
            throw Fault(description: "the merged results cannot be written: \(BatchFolder.reason(error))")
        }
    }

    /// Lines of objects, each with `item` first.
    private func records(of data: Data, _ item: String, hasHeaders: Bool, to output: FileHandle) throws -> Int {
        let mark = Data(("{\"item\":" + JSONDocument.string(printable(item)).compact).utf8)
        var text = Data()
        var count = 0
        for line in data.split(separator: 10) {
            guard line.first == UInt8(ascii: "{"), line.last == UInt8(ascii: "}") else { continue }
            if !hasHeaders, line.starts(with: Data("{\"vpipe\":".utf8)) { continue }
            text += mark
            if line.count > 2 { text.append(UInt8(ascii: ",")) }
            text += line.dropFirst()
            text.append(10)
            count += 1
            if text.count > 1 << 20 {
                try write(text, to: output)
                text.removeAll(keepingCapacity: true)
            }
        }
        try write(text, to: output)
        return count
    }

    /// Rows with `item` as the first column; the header once.
    private func rows(of data: Data, _ item: String, _ path: String, header: inout Data?, to output: FileHandle) throws
        -> Int
    {
        let mark = Data(("\"" + printable(item).replacingOccurrences(of: "\"", with: "\"\"") + "\",").utf8)
        var rows = Self.rows(data)[...]
        guard let first = rows.popFirst() else { return 0 }
        if let header {
            guard header == first else {
                throw BatchError(
                    "\(path): has other columns than the items before it: they were made by different pipelines")
            }
        } else {
            header = Data(first)
            try write(Data("item,".utf8) + first, to: output)
        }
        var text = Data()
        for row in rows { text += mark + row }
        try write(text, to: output)
        return rows.count
    }

    /// Splits at line ends outside quotes, which stay (RFC 4180).
    static func rows(_ data: Data) -> [Data] {
        var rows: [Data] = []
        var begin = data.startIndex
        var isQuoted = false
        for (index, byte) in zip(data.indices, data) {
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            if byte == 10, !isQuoted {
                rows.append(data[begin...index])
                begin = index + 1
            }
        }
        return rows
    }

    private static func program(_ name: String) -> String? {
        (Folders.variable("PATH") ?? "").split(separator: ":").map { $0 + "/" + name }.first { access($0, X_OK) == 0 }
    }

    private static func convert(_ jsonl: String, to path: String, by duckdb: String) throws {
        func quoted(_ text: String) -> String { "'" + text.replacingOccurrences(of: "'", with: "''") + "'" }
        let part = path + ".part"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: duckdb)
        process.arguments = [
            "-c",
            "COPY (SELECT * FROM read_json_auto(\(quoted(jsonl)), format='newline_delimited', union_by_name=true)) "
                + "TO \(quoted(part)) (FORMAT parquet)",
        ]
        let errors = Pipe()
        process.standardError = errors
        process.standardOutput = FileHandle.nullDevice
        do { try process.run() } catch { throw Fault(description: "\(duckdb): \(error.localizedDescription)") }
        let said = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0, rename(FileName.bytes(part), FileName.bytes(path)) == 0 else {
            unlink(FileName.bytes(part))
            let text = String(decoding: said, as: UTF8.self).split(separator: "\n").first ?? ""
            throw Fault(description: "\(path): duckdb: \(text)")
        }
    }
}
