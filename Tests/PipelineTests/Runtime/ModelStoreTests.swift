// SPDX-License-Identifier: Apache-2.0
import Networks
import Testing

@testable import Pipeline

@Suite struct ModelStoreTests {
    @Test func `weights serve their variant and its release families, not a variant that begins alike`() {
        let store = ModelStore(folders: [packageRoot + "/models"])
        #expect(store.best(network: "ddrnet", variant: "23-slim") != nil)
        #expect(store.best(network: "ddrnet", variant: "23") == nil)
        #expect(Architecture.serves("mobilenet0.25-first", for: "mobilenet0.25", of: "retinaface"))
        #expect(!Architecture.serves("23-slim", for: "23", of: "ddrnet"))
        #expect(throws: OutputError.self) {
            try NodeModel(
                network: "ddrnet", variant: "23", weights: packageRoot + "/models/ddrnet23_slim_camvid.safetensors",
                size: nil)
        }
    }
}
