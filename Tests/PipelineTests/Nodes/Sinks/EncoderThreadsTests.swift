// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Pipeline

@Suite struct EncoderThreadsTests {
    @Test(arguments: [(1, 1), (2, 2), (3, 2), (4, 2), (6, 3), (16, 8)])
    func `beside networks a light encoder has half of the cores, and at least two of them`(
        cores: Int, threads: Int
    ) {
        #expect(FileNode.threadsBesideNetworks(cores: cores) == threads)
    }
}
