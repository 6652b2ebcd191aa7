// SPDX-License-Identifier: Apache-2.0

/// A published weight file, recognised by its digest.
public struct KnownRelease: Sendable, Hashable {
    /// Digest of the file, 64 hexadecimal digits.
    public let sha256: String
    /// The name it was published under.
    public let file: String
    /// Catalogue name.
    public let network: String
    /// Catalogue variant.
    public let variant: String
    /// SPDX identifier.
    public let licence: String
    /// Repository and file.
    public let provenance: String

    /// The release of a digest; nil for files that are not on the list.
    public static func find(sha256: String) -> KnownRelease? { all.first { $0.sha256 == sha256 } }

    /// Every release that is recognised.
    public static let all: [KnownRelease] = [
        mlsd("b17de2b4b4754d563c47b29b4132aceb39d40d079c0b9154ec0932b5292ec11f", "M-LSD_320_tiny_fp32.tflite", "tiny"),
        mlsd("9eea1c32aa599a74d60b74fa62a17993da2ee5eb7666aad27e9795fe8bd08293", "M-LSD_512_tiny_fp32.tflite", "tiny"),
        mlsd(
            "10fe5e094715213fef51271d6756af6f71caa8640a36b114508a6f738bd57cd7", "M-LSD_320_large_fp16.tflite", "large"),
        mlsd(
            "34c470216a905c4850771ce2bfc5e13079d99799aaa5726dd51a985fb62b0b8b", "M-LSD_512_large_fp16.tflite", "large"),
        retinaFace(
            "ed6fa7d45a5179f03cb5ce82c73b0c6711372968e53782e88395acee88d319e1", "mobilenet0.25_Final.pth", .relu,
            "biubug6/Face-Detector-1MB-with-landmark"),
        retinaFace(
            "78b0533ceea681a290e98efca85e3a2815b22310f1fe7e287788e7f55f0743a9", "mobilenet0.25_Final.pth", .first,
            "biubug6/Face-Detector-1MB-with-landmark, first release"),
    ]

    private static func mlsd(_ sha256: String, _ file: String, _ variant: String) -> KnownRelease {
        KnownRelease(
            sha256: sha256, file: file, network: NetworkFamily.mlsd.name, variant: variant, licence: "Apache-2.0",
            provenance: "navervision/mlsd, \(file)")
    }

    private static func retinaFace(
        _ sha256: String, _ file: String, _ family: RetinaFace.Family, _ repository: String
    ) -> KnownRelease {
        KnownRelease(
            sha256: sha256, file: file, network: NetworkFamily.retinaFace.name, variant: RetinaFace(family).variant,
            licence: "MIT",
            provenance: "\(repository), \(file)")
    }
}
