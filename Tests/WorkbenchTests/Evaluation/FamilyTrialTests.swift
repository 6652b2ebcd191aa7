// SPDX-License-Identifier: Apache-2.0
import InferenceTestSupport
import Foundation
import Inference
import TestSupport
import Testing

@testable import Networks
@testable import Workbench

/// Published files, beside the package or the folder above it.
private let sharedWeights: String? = ["/../shared/weights", "/../../shared/weights"].map { packageRoot + $0 }
    .first { FileManager.default.fileExists(atPath: $0) }

@Suite struct FamilyTrialTests {
    @Test(
        .enabled(if: sharedWeights != nil, "needs ../shared/weights"),
        arguments: [
            ("retinaface_mobilenet0.25_1mb.pth", "mobilenet0.25"),
            ("retinaface_mobilenet0.25_first_release.pth", "mobilenet0.25-first"),
        ])
    func `the family of a file is told by the sample's faces`(file: String, variant: String) throws {
        // Stored anew, so that the digest tells nothing; without its metadata, neither does the file.
        var weights = try ModelImporter.read(path: #require(sharedWeights) + "/" + file).weights
        weights.metadata = [:]
        let bytes = SafeTensors.write(weights)
        let trial = FamilyTrial(folders: [packageRoot + "/samples"], engine: try OpenVINOEngine.shared())
        let result = try ModelImporter.read(bytes) { trial.choose(among: $0) }
        #expect(result.report.variant == variant, "\(trial.outcome ?? "")")
        #expect(trial.outcome?.contains(variant) == true)
        // Without a picture to try, the caller must say.
        let blind = FamilyTrial(folders: [], engine: try noEngine())
        #expect { try ModelImporter.read(bytes) { blind.choose(among: $0) } } throws: {
            "\($0)".hasSuffix("name one of mobilenet0.25, mobilenet0.25-leaky, mobilenet0.25-first")
        }
    }

    @Test func `weights that find nothing tell nothing`() throws {
        let network = try RetinaFace(.relu).network(at: InputSize(width: 64, height: 64))
        var weights = network.initialWeights(seed: 2)
        weights.metadata = [:]
        let trial = FamilyTrial(folders: [packageRoot + "/samples"], engine: try OpenVINOEngine.shared())
        #expect(throws: NetworkError.self) {
            try ModelImporter.read(SafeTensors.write(weights)) { trial.choose(among: $0) }
        }
        #expect(trial.outcome == nil)
    }
}
