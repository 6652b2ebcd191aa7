// SPDX-License-Identifier: Apache-2.0
import Networks
import Testing

@Suite("Initial weights")
struct InitialisationTests {
    private static let size = InputSize(width: 64, height: 64)

    @Test("Kernels have the variance that ReLU layers keep, all else changes nothing")
    func statistics() throws {
        let network = try SSH().network(at: Self.size)
        let weights = network.initialWeights(seed: 1)
        #expect(network.check(weights).isComplete)
        for parameter in network.parameters {
            let values = try #require(weights[parameter.name]?.floats())
            switch parameter.role {
            case .weight where values.count > 4000:
                let fanIn = Double(parameter.shape.dropFirst().reduce(1, *))
                let mean = values.reduce(0) { $0 + Double($1) } / Double(values.count)
                let variance = values.reduce(0) { $0 + Double($1) * Double($1) } / Double(values.count)
                #expect(abs(variance * fanIn / 2 - 1) < 0.06, "\(parameter.name)")
                #expect(abs(mean) < 0.05 * variance.squareRoot() * 2, "\(parameter.name)")
            case .weight: #expect(Set(values).count > values.count / 2)
            case .scale, .variance: #expect(values.allSatisfy { $0 == 1 })
            case .bias, .shift, .mean: #expect(values.allSatisfy { $0 == 0 })
            }
        }
    }

    @Test("The seed decides, and a tensor's numbers depend on its name alone")
    func seeds() throws {
        let ssh = try SSH().network(at: Self.size)
        let first = ssh.initialWeights(seed: 1)
        let wider = try SSH().network(at: InputSize(width: 96, height: 32)).initialWeights(seed: 1)
        #expect(first == wider)
        let stem = "body.stage1.0.0.weight"
        #expect(first[stem] != ssh.initialWeights(seed: 2)[stem])
        let other = try RetinaFace(.relu).network(at: Self.size).initialWeights(seed: 1)
        #expect(first[stem] == other[stem])
        // The same on every machine: these files are starting points that people publish.
        let numbers = try #require(first[stem]?.floats())
        #expect(numbers.prefix(3) == [-0.27688733, -0.45979166, -0.38342148])
    }

    @Test("They are marked, and make a model")
    func untrained() throws {
        let network = try SSH().network(at: Self.size)
        let weights = network.initialWeights(seed: 5)
        #expect(weights.metadata["state"] == "untrained")
        #expect(weights.metadata["network"] == "ssh" && weights.metadata["variant"] == "mobilenet0.25")
        let read = try SafeTensors.read(SafeTensors.write(weights))
        #expect(try ModelImporter.read(SafeTensors.write(read)).report.variant == "mobilenet0.25")
        #expect(try network.onnxAsIs(weights: read).count > network.parameterCount * 4)
    }
}
