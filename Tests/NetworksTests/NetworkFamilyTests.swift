// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Networks

@Suite struct NetworkFamilyTests {
    @Test("every variant users choose from can be built, and is its family's", arguments: NetworkFamily.all)
    func variants(family: NetworkFamily) throws {
        #expect(try NetworkFamily.named(family.name) == family)
        #expect(Set(family.variants.map(\.name)).count == family.variants.count)
        let size = family.sizes.nearest(to: InputSize(width: 64, height: 64))[0]
        for variant in family.variants {
            let architecture = try family.architecture(variant.name)
            #expect(architecture.family == family && architecture.variant == variant.name)
            let network = try architecture.build(at: size)
            #expect(network.name == family.name && network.variant == variant.name)
        }
        // What the catalogue lists is served by a variant that users can name.
        for architecture in family.architectures {
            #expect(
                family.variants.contains { family.serves(architecture.variant, for: $0.name) },
                "\(architecture.variant)")
        }
    }

    @Test("a file is one family's at most", arguments: NetworkFamily.all)
    func importers(family: NetworkFamily) throws {
        for architecture in family.architectures {
            let size = family.sizes.nearest(to: InputSize(width: 64, height: 64))[0]
            let weights = try architecture.build(at: size).initialWeights(seed: 1)
            let file = ReleaseFile.named(.init(weights: weights, origin: [:], format: "test"))
            let owners = try NetworkFamily.all.filter { try $0.draft(of: file) != nil }
            #expect(owners == [family], "\(architecture.variant)")
        }
    }
}
