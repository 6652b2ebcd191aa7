// SPDX-License-Identifier: Apache-2.0
internal import Pipeline

/// Tells when the processor has time for one more item: a quarter of it was idle for some seconds of full work.
struct SpareTime {
    private let cores: Int
    private let machine = MachineState()
    private var since: (at: ContinuousClock.Instant, busy: Double)?
    private static let seconds = 4.0

    init(cores: Int) { self.cores = cores }

    mutating func hasSome(whileBusy: Bool) -> Bool {
        guard whileBusy, let busy = machine.busySeconds() else {
            since = nil
            return false
        }
        let now = ContinuousClock.now
        guard let begin = since else {
            since = (now, busy)
            return false
        }
        let seconds = (now - begin.at) / .seconds(1)
        guard seconds >= Self.seconds else { return false }
        since = (now, busy)
        return (busy - begin.busy) / seconds < 0.75 * Double(cores)
    }
}
