// SPDX-License-Identifier: Apache-2.0

/// One connection: a reader, and when opening it began, so that its time zero is not ahead of the world.
///
/// `@unchecked Sendable`: used by one thread at a time.
struct LiveConnection: @unchecked Sendable {
    let reader: VideoReader
    let openedAt: UInt64

    init(_ settings: LiveReader.Settings, _ interrupt: Interrupt) throws(MediaError) {
        var options = settings.reading
        options.connect(to: settings.address, settings)
        options.isContinued = true
        openedAt = LiveReader.now
        reader = try VideoReader(settings.address.url, options: options, interrupt: interrupt)
    }
}

extension VideoReader.Options {
    /// Sets protocol and time limits for an address; `settings` says how long.
    public mutating func connect(to address: StreamAddress, _ settings: LiveReader.Settings) {
        options = address.inputOptions(
            transport: settings.transport, connect: settings.connectSeconds, silence: settings.silenceSeconds)
        openTimeout = settings.connectSeconds
        timeout = settings.silenceSeconds
    }
}
