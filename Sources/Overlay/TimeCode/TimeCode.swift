// SPDX-License-Identifier: Apache-2.0

/// An instant as a picture that a camera can read: 48 black or white cells in a black frame on a white plate.
///
///     plate   1 cell    . . . . . . . . . . . . . .
///     frame   1 cell    . # # # # # # # # # # # # .      8 x 6 cells, row by row, first bit top left:
///     quiet   1 cell    . #                     # .      32 bits of time, most significant first,
///     cells   8 x 6     . #   0 1 2 3 4 5 6 7   # .      16 bits of checksum, all scrambled
///                       . #   8 ...             # .
public struct TimeCode: Sendable, Hashable {
    /// Cells across.
    public static let columns = 8
    /// Cells down.
    public static let rows = 6
    /// Cells from the edge of the plate to the first cell: plate, frame, quiet zone.
    public static let margin = 3
    /// Nanoseconds in a unit of time.
    public static let tick: UInt64 = 100_000

    /// Ticks since an arbitrary origin, modulo 2^32: it starts over after 119 hours.
    public let ticks: UInt32

    /// The code of a number of ticks.
    public init(ticks: UInt32) { self.ticks = ticks }

    /// The code of an instant in nanoseconds.
    public init(nanoseconds: UInt64) { ticks = UInt32(truncatingIfNeeded: nanoseconds / Self.tick) }

    /// Nanoseconds from the instant of the code to `now`; right for spans up to half the range.
    public func age(at now: UInt64) -> Int64 {
        let ticks = Int32(bitPattern: UInt32(truncatingIfNeeded: now / Self.tick) &- ticks)
        return Int64(ticks) * Int64(Self.tick) + Int64(now % Self.tick)
    }

    /// Turns even a time of zero into a lively pattern.
    private static let scramble: UInt64 = 0x5A6E_93C1_D24B

    /// The cells, of which those that are true are black.
    public var cells: [Bool] {
        let word = (UInt64(ticks) << 16 | UInt64(Self.checksum(ticks))) ^ Self.scramble
        return (0..<48).map { word >> UInt64(47 - $0) & 1 == 1 }
    }

    /// Reads cells; nil unless the checksum fits.
    public init?(cells: [Bool]) {
        guard cells.count == Self.columns * Self.rows else { return nil }
        let word = cells.reduce(0 as UInt64) { $0 << 1 | ($1 ? 1 : 0) } ^ Self.scramble
        ticks = UInt32(truncatingIfNeeded: word >> 16)
        guard UInt16(truncatingIfNeeded: word) == Self.checksum(ticks) else { return nil }
    }

    /// CRC-16/CCITT-FALSE of the four bytes.
    static func checksum(_ ticks: UInt32) -> UInt16 {
        var crc: UInt16 = 0xFFFF
        for bit in (0..<32).reversed() {
            let isSet = (crc >> 15 & 1 == 1) != (ticks >> UInt32(bit) & 1 == 1)
            crc = crc << 1 ^ (isSet ? 0x1021 : 0)
        }
        return crc
    }

    /// Whether the cell of the whole plate at a place is black; the plate is `columns + 2 * margin` cells across.
    public func isBlack(column: Int, row: Int) -> Bool {
        let (across, down) = (Self.columns + 2 * Self.margin, Self.rows + 2 * Self.margin)
        guard column > 0, row > 0, column < across - 1, row < down - 1 else { return false }
        if column == 1 || row == 1 || column == across - 2 || row == down - 2 { return true }
        let (x, y) = (column - Self.margin, row - Self.margin)
        guard x >= 0, y >= 0, x < Self.columns, y < Self.rows else { return false }
        return cells[y * Self.columns + x]
    }
}
