// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Media
internal import PipelineLanguage

/// The parameters of nodes that speak TLS with a server.
enum SecurityParams {
    static let verify = Param.boolean(
        "tlsVerify", default: true,
        doc: "Whether a server that speaks TLS (https, rtsps, rtmps) must prove who it is; false takes any certificate")
    static let certificate = Param.path(
        "tlsCertificate",
        doc: "PEM file of the one certificate, or authority, to believe in place of the system's authorities"
    ).optional

    /// What `settings` say.
    ///
    /// - Throws: a sentence where the certificate cannot be read.
    static func security(_ settings: Settings) throws -> TransportSecurity {
        if let path = settings[certificate], access(path, R_OK) != 0 {
            throw OutputError("\(path): the certificate cannot be read: \(String(cString: strerror(errno)))")
        }
        return TransportSecurity(verifies: settings[verify], certificate: settings[certificate])
    }
}
