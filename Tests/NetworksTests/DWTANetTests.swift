// SPDX-License-Identifier: Apache-2.0
import Foundation
import Networks
import Testing

@Suite struct DWTANetTests {
    /// The specification's table rounds its total for S to 1,099 M; the sum of its rows is 1,091 M.
    @Test(
        "parameters and costs are the specification's",
        arguments: [
            (DWTANet.Variant.tiny, 70_056, 16), (.small, 138_248, 24), (.medium, 240_432, 32),
        ])
    func parametersAndCostsAreTheSpecifications(variant: DWTANet.Variant, parameters: Int, features: Int) throws {
        let network = try DWTANet(variant).network(at: InputSize(width: 640, height: 360))
        #expect(network.parameterCount == parameters)
        #expect(network.inputs.map(\.name) == ["frame", "features1", "features2", "current", "blend", "omega"])
        #expect(network.outputs.map(\.name) == ["estimate", "features", "refined"])
        #expect(network.outputs.map(\.shape) == [[1, 3, 360, 640], [1, features, 90, 160], [1, 3, 360, 640]])
        let stages = try [DWTANet.Stage.enhance, .refine].map {
            try DWTANet(variant, stage: $0).network(at: InputSize(width: 640, height: 360))
        }
        #expect(stages.map(\.parameterCount).reduce(0, +) == parameters)
        #expect(stages.map(\.multiplyAccumulates).reduce(0, +) == network.multiplyAccumulates)
    }

    /// Rows of the specification's table, in the order of the graph.
    @Test("the layers of S cost what the table says") func theLayersOfSCostWhatTheTableSays() throws {
        let network = try DWTANet(.small).network(at: InputSize(width: 640, height: 360))
        var costs: [String: Int] = [:]
        for layer in network.layers {
            let row = String(layer.path.prefix { $0 != "." })
            costs[row, default: 0] += network.multiplyAccumulates(of: layer)
        }
        let millions = costs.mapValues { (Double($0) / 1e5).rounded() / 10 }.filter { $0.value > 0 }
        #expect(
            millions == [
                "E0": 149.3, "F": 33.2, "D": 49.8, "V": 216.3, "U": 22.1, "R0": 132.7, "R1": 199.1, "S0": 51.6,
                "S1": 18.9, "S2": 18.9, "S3": 199.1,
            ])
        #expect(network.multiplyAccumulates == 1_090_944_000)
    }

    @Test(
        "any multiple of four builds, odd cell grids included",
        arguments: [(64, 36), (320, 180), (36, 44), (32, 32), (100, 200)])
    func anyMultipleOfFourBuildsOddCellGridsIncluded(width: Int, height: Int) throws {
        for variant in DWTANet.Variant.allCases {
            let network = try DWTANet(variant).network(at: InputSize(width: width, height: height))
            #expect(network.outputs[0].shape == [1, 3, height, width])
            #expect(network.outputs[1].shape[2...] == [height / 4, width / 4])
        }
    }

    @Test("other sizes are refused with the nearest") func otherSizesAreRefusedWithTheNearest() {
        #expect {
            try DWTANet(.small).network(at: InputSize(width: 638, height: 362))
        } throws: {
            "\($0)" == "dwtanet S: input size 638x362 is not possible: width and height must be multiples of 4 from 32 "
                + "to 4096; nearest: 636x360 or 640x364"
        }
    }

    /// Golden values: the PyTorch module of our training with the same formula-made weights and inputs.
    @Test("the plain executor computes what PyTorch does") func thePlainExecutorComputesWhatPyTorchDoes() throws {
        let size = InputSize(width: 64, height: 36)
        let network = try DWTANet(.tiny).network(at: size)
        let inputs = Dictionary(
            uniqueKeysWithValues: network.inputs.enumerated().map { index, port in
                (port.name, Wave.image(port.shape.reduce(1, *), 1000 + index))
            })
        let outputs = try ReferenceExecutor(network: network, weights: Wave.weights(for: network)).run(inputs)
        let golden: [(String, Double, Double)] = [
            ("features", 0.34868, 107.2037), ("estimate", 847.07704, 4062.4796), ("refined", -24.97558, 3457.2969),
        ]
        for (name, mix, sum) in golden {
            let values = try #require(outputs[name])
            #expect(abs(Wave.mix(values) - mix) < 0.01, "\(name)")
            #expect(abs(values.reduce(0) { $0 + Double(abs($1)) } - sum) < 0.01, "\(name)")
        }
    }

    @Test(
        "a training checkpoint imports as its variant, averaged weights before the last ones",
        arguments: DWTANet.Variant.allCases)
    func aTrainingCheckpointImportsAsItsVariantAveragedWeightsBeforeTheLastOnes(
        variant: DWTANet.Variant
    ) throws {
        let network = try DWTANet(variant).network(at: InputSize(width: 32, height: 32))
        let weights = syntheticWeights(for: network)
        var file = Weights()
        for name in weights.names {
            file["net." + name] = Tensor(shape: [1], floats: [0])
            file["ema." + name] = weights[name]
        }
        file["opt.state.exp_avg"] = Tensor(shape: [2], floats: [1, 2])
        let result = try ModelImporter.read(SafeTensors.write(file))
        #expect(result.report.network == "dwtanet")
        #expect(result.report.variant == variant.rawValue)
        #expect(result.weights.names == network.parameters.map(\.name))
        for name in weights.names { #expect(result.weights[name] == weights[name]) }
        let plain = try ModelImporter.read(SafeTensors.write(weights))
        #expect(plain.weights["V.0.skip"] == weights["V.0.skip"])
        // Each stage takes its part of the whole file.
        for stage in [DWTANet.Stage.enhance, .refine] {
            let part = try DWTANet(variant, stage: stage).network(at: InputSize(width: 64, height: 36))
            #expect(try !part.onnx(weights: result.weights).isEmpty)
        }
    }
}

/// Weights and images made by a formula that the PyTorch script behind the golden values shares.
enum Wave {
    static func value(_ i: Int, _ k: Int) -> Double { sin(1 + 12.9898 * Double(i + 1) + 78.233 * Double(k + 1)) }

    static func image(_ count: Int, _ k: Int) -> [Float] { (0..<count).map { Float(0.5 + 0.5 * value($0, k)) } }

    static func mix(_ values: [Float]) -> Double {
        values.indices.reduce(0) { $0 + Double(values[$1]) * value($1, 2000) }
    }

    static func weights(for network: Network) -> Weights {
        var weights = Weights()
        for (k, parameter) in network.parameters.sorted(by: { $0.name < $1.name }).enumerated() {
            let fan = Double(parameter.shape.dropFirst().reduce(1, *))
            let values = (0..<parameter.shape.reduce(1, *)).map { i -> Float in
                let wave = value(i, k)
                if parameter.name.hasSuffix("dt.bias") { return Float(-1 + 2 * wave) }
                if parameter.shape.count > 1 { return Float(wave * (3 / fan).squareRoot()) }
                return Float(parameter.role == .scale ? 1 + 0.3 * wave : 0.1 * wave)
            }
            weights[parameter.name] = Tensor(shape: parameter.shape, floats: values)
        }
        return weights
    }
}
