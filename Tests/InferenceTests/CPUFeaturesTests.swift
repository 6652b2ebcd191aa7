// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Inference

@Suite struct CPUFeaturesTests {
    @Test func `reads an x86-64 listing`() {
        let features = CPUFeatures(
            cpuinfo: """
                processor\t: 0
                model name\t: AMD EPYC 9R14
                flags\t\t: fpu sse2 avx2 avx512f avx512_vnni avx512_bf16 rdseed
                processor\t: 1
                model name\t: AMD EPYC 9R14
                flags\t\t: fpu sse2 avx2 avx512f avx512_vnni avx512_bf16 rdseed
                """)
        #expect(features.model == "AMD EPYC 9R14")
        #expect(features.cores == 2)
        #expect(features.flags == ["avx2", "avx512_bf16", "avx512_vnni", "avx512f"])
        #expect(features.hasBF16)
        #expect(features.hasInt8DotProduct)
    }

    @Test func `reads an arm64 listing`() {
        let features = CPUFeatures(
            cpuinfo: "processor\t: 0\nFeatures\t: fp asimd evtstrm asimddp\nCPU part\t: 0xd0b\n")
        #expect(features.model == "arm64 part 0xd0b")
        #expect(features.cores == 1)
        #expect(!features.hasBF16)
        #expect(features.hasInt8DotProduct)
    }

    @Test func `an empty listing is no reason to fail`() {
        let features = CPUFeatures(cpuinfo: "")
        #expect(features.cores == 1)
        #expect(features.model == "unknown processor")
        #expect(!features.hasBF16 && !features.hasInt8DotProduct)
    }

    @Test func `this machine has a processor`() {
        #expect(CPUFeatures.current.cores >= 1)
        #expect(CPUFeatures.current.model != "unknown processor")
    }
}

@Suite struct ContentHashTests {
    @Test func `every bit and the length count`() {
        let base = [UInt8](repeating: 0, count: 100)
        var seen: Set<ContentHash> = [ContentHash(of: base)]
        for bit in 0..<800 {
            var bytes = base
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(seen.insert(ContentHash(of: bytes)).inserted)
        }
        for count in 0..<100 { #expect(seen.insert(ContentHash(of: [UInt8](repeating: 0, count: count))).inserted) }
    }

    @Test func `swapped words are other content`() {
        let one: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 0]
        let two: [UInt8] = [2, 0, 0, 0, 0, 0, 0, 0]
        #expect(ContentHash(of: one + two) != ContentHash(of: two + one))
        #expect(ContentHash(of: one + two).description.count == 32)
    }
}
