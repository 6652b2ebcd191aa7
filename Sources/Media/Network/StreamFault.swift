// SPDX-License-Identifier: Apache-2.0

/// Why a stream of the network does not flow.
///
/// Reports count losses by these names.
public enum StreamFault: String, Sendable, Hashable, CaseIterable {
    /// Nobody answers at the address, or the server has nothing under it.
    case absent
    /// The server wants other credentials.
    case denied
    /// The server does not prove who it is.
    case untrusted
    /// The connection was not made in time.
    case timedOut
    /// Connected, but no data came in time.
    case stalled
    /// The other side ended the stream.
    case ended
    /// The connection broke.
    case broken
    /// What comes is no video that can be decoded or taken.
    case unusable

    /// Names an error that ended an attempt to connect, or a connection.
    init(_ error: MediaError, isConnected: Bool) {
        self =
            switch error.code {
            case .notFound: .absent
            case .permissionDenied: .denied
            case .untrusted: .untrusted
            case .ended: .ended
            case .timedOut: isConnected ? .stalled : .timedOut
            case .notMedia, .noVideo, .noPicture, .unsupportedCodec, .unsupportedFormat, .invalidSetting: .unusable
            default: .broken
            }
    }

    /// A few words for the picture that says that there is no signal.
    public var words: String {
        switch self {
        case .absent: "nothing answers"
        case .denied: "access denied"
        case .untrusted: "the server is not trusted"
        case .timedOut: "no answer in time"
        case .stalled: "the stream stands still"
        case .ended: "the stream ended"
        case .broken: "the connection broke"
        case .unusable: "the stream cannot be decoded"
        }
    }
}
