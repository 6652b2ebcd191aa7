// SPDX-License-Identifier: Apache-2.0
internal import Basics

/// The book of a source or a peer that comes and goes: losses by name, returns, time away.
///
/// Instants are monotonic nanoseconds. A pure value.
public struct Outages<Fault: Sendable & Hashable>: Sendable, Hashable {
    /// Losses by name.
    public private(set) var losses: [Fault: Int] = [:]
    /// Times it came back.
    public private(set) var returns = 0
    /// Nanoseconds without it, up to the last return.
    public private(set) var awayNanoseconds: UInt64 = 0
    /// The longest time from a loss to the return after it, in nanoseconds.
    public private(set) var longestAwayNanoseconds: UInt64 = 0
    /// The sentence of the last loss, or of the last attempt whose failure no waiting cures.
    public package(set) var lastLoss: String?
    /// When it went, until it is back.
    package private(set) var awaySince: UInt64?

    /// An empty book.
    public init() {}

    /// Losses of all kinds.
    public var count: Int { losses.values.reduce(0, +) }

    /// It went at `now`, or broke again before it was quite back; `sentence` says why.
    package mutating func lost(_ fault: Fault, _ sentence: String, at now: UInt64) {
        losses[fault, default: 0] += 1
        lastLoss = sentence
        awaySince = awaySince ?? now
    }

    /// It works at `now`; means something only after a loss.
    package mutating func returned(at now: UInt64) {
        guard let since = awaySince else { return }
        awaySince = nil
        let away = now &- since
        returns += 1
        awayNanoseconds &+= away
        longestAwayNanoseconds = max(longestAwayNanoseconds, away)
    }
}

extension Outages where Fault: CaseIterable & RawRepresentable, Fault.RawValue == String {
    /// One sentence for the report; nil where nothing was lost.
    public var note: String? {
        guard !losses.isEmpty else { return nil }
        let kinds = Fault.allCases.compactMap { fault in
            losses[fault].map { count == 1 ? fault.rawValue : "\(fault.rawValue) \($0)" }
        }
        let recovered = returns == 0 ? "not recovered" : "recovered \(NumberText.times(returns))"
        return "lost \(NumberText.times(count)) (\(kinds.joined(separator: ", "))), \(recovered), away for "
            + "\(Self.seconds(awayNanoseconds)) s, \(Self.seconds(longestAwayNanoseconds)) s at most; last: "
            + (lastLoss ?? "")
    }

    private static func seconds(_ nanoseconds: UInt64) -> String { NumberText.decimal(Double(nanoseconds) / 1e9) }
}
