// SPDX-License-Identifier: Apache-2.0
import Networks
import TestSupport
import Testing

@testable import Pipeline

@Suite struct ModelStoreTests {
    @Test func `weights serve their variant and its release families, not a variant that begins alike`() {
        let store = ModelStore(folders: [packageRoot + "/models"])
        #expect(store.best(.ddrnet, variant: "23-slim") != nil)
        #expect(store.best(.ddrnet, variant: "23") == nil)
        #expect(NetworkFamily.retinaFace.serves("mobilenet0.25-first", for: "mobilenet0.25"))
        #expect(!NetworkFamily.ddrnet.serves("23-slim", for: "23"))
        #expect(throws: OutputError.self) {
            try NodeModel(
                .ddrnet, variant: "23", weights: packageRoot + "/models/ddrnet23_slim_camvid.safetensors",
                size: nil)
        }
    }

    @Test(arguments: [
        ("mlsd", "tiny", "512x512", 2, "256x256"), ("mlsd", "tiny", "512x512", 3, "176x176"),
        ("mlsd", "tiny", "64x64", 8, "32x32"), ("retinaface", "mobilenet0.25", "640x480", 2, "320x240"),
        ("ddrnet", "23-slim", "480x360", 2, "240x184"),
    ])
    func `a smaller input is the next size that the network takes`(
        network: String, variant: String, from: String, factor: Int, to: String
    ) throws {
        let model = NodeModel(
            try Architecture.find(network, variant), Weights(), path: "none", size: InputSize(from))
        let smaller = model.downscaled(by: factor)
        #expect(smaller.size.description == to)
        #expect(smaller.architecture.sizes.allows(smaller.size))
    }
}
