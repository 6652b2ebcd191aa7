// SPDX-License-Identifier: Apache-2.0
import Networks
import Testing

@Suite("Architectures")
struct ArchitectureTests {
    @Test(
        "M-LSD has the published parameter and MAC counts",
        arguments: [
            (MLSD.Variant.tiny, 320, 619_280, 1_641_728_000, 160), (.tiny, 512, 619_280, 4_202_823_680, 256),
            (.large, 320, 1_531_984, 10_043_238_400, 160), (.large, 512, 1_531_984, 25_710_690_304, 256),
        ])
    func mlsdCounts(variant: MLSD.Variant, side: Int, parameters: Int, cost: Int, map: Int) throws {
        let network = try MLSD(variant, head: .full).network(at: InputSize(width: side, height: side))
        #expect(network.parameterCount == parameters)
        #expect(network.multiplyAccumulates == cost)
        #expect(network.outputs.map(\.name) == ["logits"])
        #expect(network.outputs.map(\.shape) == [[1, 16, map, map]])
    }

    @Test("RetinaFace mobilenet0.25 has the published parameter and MAC counts", arguments: RetinaFace.Family.allCases)
    func retinaFaceCounts(family: RetinaFace.Family) throws {
        let network = try RetinaFace(family).network(at: InputSize(width: 640, height: 640))
        #expect(network.parameterCount == 426_608)
        #expect(network.multiplyAccumulates == 981_145_600)
        #expect(network.outputs.map(\.name) == ["loc", "conf", "landms"])
        #expect(network.outputs.map(\.shape) == [[1, 16800, 4], [1, 16800, 2], [1, 16800, 10]])
        let small = try RetinaFace(family).network(at: InputSize(width: 320, height: 240))
        // The published 184.7 M rounds; the sum is exact.
        #expect((184_650_000...184_750_000).contains(small.multiplyAccumulates))
    }

    @Test("RetinaFace resnet50 has the published parameter and MAC counts")
    func resNetCounts() throws {
        let network = try RetinaFace(.leaky, backbone: .resNet50).network(at: InputSize(width: 640, height: 640))
        #expect(network.variant == "resnet50")
        #expect(network.parameterCount == 27_293_600)
        #expect(network.multiplyAccumulates == 44_264_652_800)
        let backbone = network.parameters.filter { $0.isTrainable && $0.name.hasPrefix("body.") }
        #expect(backbone.reduce(0) { $0 + $1.shape.reduce(1, *) } == 23_508_032)
        #expect(network.outputs.map(\.shape) == [[1, 16800, 4], [1, 16800, 2], [1, 16800, 10]])
        // Slope 0 in the reference: no leak anywhere.
        #expect(!network.layers.contains { $0.operation == .leakyRelu(slope: 0.1) })
        let large = try RetinaFace(.leaky, backbone: .resNet50).network(at: InputSize(width: 840, height: 840))
        #expect((77_335_000_000...77_345_000_000).contains(large.multiplyAccumulates))
    }

    @Test(
        "DDRNet has the published parameter and MAC counts",
        arguments: [
            (DDRNet.Variant.slim23, 5_695_987, 36_281_319_424, 12_009), (.plain23, 20_148_947, 143_060_500_480, 47_341),
            (.deep39, 32_360_275, 281_116_016_640, 92_903),
        ])
    func ddrnetCounts(variant: DDRNet.Variant, parameters: Int, cost: Int, camvidMillions: Int) throws {
        let network = try DDRNet(variant).network(at: InputSize(width: 2048, height: 1024))
        #expect(network.parameterCount == parameters)
        #expect(network.multiplyAccumulates == cost)
        #expect(network.outputs.map(\.name) == ["logits"])
        #expect(network.outputs.map(\.shape) == [[1, 19, 128, 256]])
        let camvid = try DDRNet(variant, classes: 11).network(at: InputSize(width: 960, height: 720))
        #expect((camvid.multiplyAccumulates + 500_000) / 1_000_000 == camvidMillions)
        #expect(camvid.outputs.map(\.shape) == [[1, 11, 90, 120]])
    }

    @Test("DDRNet builds at any multiple of eight", arguments: [(8, 8), (64, 64), (360, 488), (104, 200), (240, 56)])
    func ddrnetSizes(height: Int, width: Int) throws {
        for variant in DDRNet.Variant.allCases {
            let network = try DDRNet(variant, classes: 5).network(at: InputSize(width: width, height: height))
            #expect(network.outputs[0].shape == [1, 5, height / 8, width / 8])
        }
        #expect {
            try DDRNet(.slim23).network(at: InputSize(width: width + 4, height: height))
        } throws: { error in
            "\(error)" == "ddrnet 23-slim: input size \(width + 4)x\(height) is not possible: width and height must be "
                + "multiples of 8 from 8 to 8192; nearest: \(width)x\(height) or \(width + 8)x\(height)"
        }
    }

    @Test("DDRNet's class count is the weights'", arguments: DDRNet.Variant.allCases)
    func ddrnetClasses(variant: DDRNet.Variant) throws {
        let size = InputSize(width: 64, height: 64)
        var weights = Weights()
        // The tensors that tell variant and classes; the others do not matter here.
        let telling = ["conv1.0.weight", "final_layer.conv2.weight", "layer3_1.0.conv1.weight"]
        for parameter in try DDRNet(variant, classes: 7).network(at: size).parameters
        where telling.contains(parameter.name) {
            let count = parameter.shape.reduce(1, *)
            weights[parameter.name] = Tensor(shape: parameter.shape, floats: [Float](repeating: 0, count: count))
        }
        #expect(DDRNet(weights: weights) == DDRNet(variant, classes: 7))
        let architecture = try Architecture.find("ddrnet", variant.rawValue)
        #expect(try architecture.build(at: size, for: weights).outputs[0].shape == [1, 7, 8, 8])
        #expect(try architecture.build(at: size).outputs[0].shape == [1, 19, 8, 8])
        #expect(throws: NetworkError.self) { try DDRNet(variant, classes: 1).network(at: size) }
        weights["final_layer.conv2.weight"] = nil
        #expect(DDRNet(weights: weights) == nil)
    }

    @Test("The families differ in activation and anchors only")
    func families() throws {
        let size = InputSize(width: 64, height: 64)
        let networks = try RetinaFace.Family.allCases.map { try RetinaFace($0).network(at: size) }
        #expect(networks.allSatisfy { $0.parameters == networks[0].parameters })
        func leaky(_ network: Network) -> Int {
            network.layers.filter { $0.operation == .leakyRelu(slope: 0.1) }.count
        }
        // Every activation but the three plain ones behind the context modules' concatenation.
        #expect(networks.map(leaky) == [0, 27 + 3 + 2 + 6, 0])
        #expect(RetinaFace.Family.relu.anchorSizes == [[10, 20], [32, 64], [128, 256]])
        #expect(RetinaFace.Family.leaky.anchorSizes == [[16, 32], [64, 128], [256, 512]])
        #expect(RetinaFace.Family.first.anchorSizes == RetinaFace.Family.leaky.anchorSizes)
        for name in ["mobilenet0.25", "mobilenet0.25-leaky", "mobilenet0.25-first", "mobilenet0.75-leaky", "resnet50"] {
            #expect(try RetinaFace(variant: name).variant == name)
        }
        for name in ["mobilenet0.25-", "mobilenet0.25-relu6", "resnet50-leaky", "resnet", "", "-first"] {
            #expect { try Architecture.find("retinaface", name) } throws: {
                "\($0)".hasPrefix("retinaface: no variant \"\(name)\"; there are mobilenet0.25 (and other widths)")
            }
        }
    }

    @Test("The batch-norm statistics are stored beside the trained numbers")
    func bufferCounts() throws {
        func statistics(_ network: Network) -> Int {
            network.parameters.filter { !$0.isTrainable }.reduce(0) { $0 + $1.shape.reduce(1, *) }
        }
        let size = InputSize(width: 512, height: 512)
        #expect(try statistics(MLSD(.tiny).network(at: size)) == 10_688)
        #expect(try statistics(MLSD(.large).network(at: size)) == 18_944)
        #expect(try MLSD(.tiny).network(at: size).folded.parameterCount == 613_936)
        #expect(try MLSD(.large).network(at: size).folded.parameterCount == 1_522_512)
    }

    @Test("The head for lines computes five of the sixteen channels and loads the same weights")
    func prunedHead() throws {
        let size = InputSize(width: 512, height: 512)
        let full = try MLSD(.tiny, head: .full).network(at: size)
        let lines = try MLSD(.tiny).network(at: size)
        #expect(lines.outputs.map(\.name) == ["centre", "displacement"])
        #expect(lines.outputs.map(\.shape) == [[1, 1, 256, 256], [1, 4, 256, 256]])
        #expect(lines.parameters.map(\.name) == full.parameters.map(\.name))
        #expect(lines.parameters.map(\.shape) == full.parameters.map(\.shape))
        #expect(full.multiplyAccumulates - lines.multiplyAccumulates == 11 * 64 * 128 * 128)
        #expect(lines.layers.contains { $0.path == "block16.score" && $0.operation == .sigmoid })
        let logits = try MLSD(.tiny, head: .lineLogits).network(at: size)
        #expect(logits.outputs.map(\.shape) == lines.outputs.map(\.shape))
        #expect(!logits.layers.contains { $0.operation == .sigmoid })
    }

    @Test("Any allowed size builds", arguments: [(32, 32), (640, 384), (336, 512)])
    func otherSizes(width: Int, height: Int) throws {
        let size = InputSize(width: width, height: height)
        for variant in MLSD.Variant.allCases {
            let network = try MLSD(variant).network(at: size)
            #expect(network.outputs[0].shape == [1, 1, height / 2, width / 2])
        }
        let odd = InputSize(width: width + 5, height: height + 11)
        let network = try RetinaFace(.relu).network(at: odd)
        #expect(network.outputs[0].shape == [1, RetinaFace.anchorCount(at: odd), 4])
    }

    @Test(
        "Impossible sizes are refused with the nearest ones",
        arguments: [
            (500, 512, "496x512 or 512x512"), (8, 8, "32x32"), (9999, 512, "4096x512"), (0, 40, "32x32 or 32x48"),
        ])
    func refusedSizes(width: Int, height: Int, nearest: String) {
        #expect {
            try MLSD(.tiny).network(at: InputSize(width: width, height: height))
        } throws: { error in
            "\(error)" == "mlsd tiny: input size \(width)x\(height) is not possible: width and height must be "
                + "multiples of 16 from 32 to 4096; nearest: \(nearest)"
        }
    }

    @Test("The catalogue finds every entry and names the choices otherwise")
    func catalogue() throws {
        for entry in Architecture.all {
            let found = try Architecture.find(entry.network, entry.variant)
            let network = try found.build()
            #expect(network.name == entry.network)
            #expect(network.variant == entry.variant)
            #expect(entry.sizes.allows(entry.defaultSize))
        }
        #expect(
            Architecture.all.map { "\($0.network) \($0.variant)" } == [
                "mlsd tiny", "mlsd large", "retinaface mobilenet0.25", "retinaface mobilenet0.25-leaky",
                "retinaface mobilenet0.25-first", "retinaface resnet50", "ssh mobilenet0.25", "ssh vgg16",
                "ddrnet 23-slim", "ddrnet 23", "ddrnet 39",
            ])
        #expect(throws: NetworkError(.unknown, path: "mlsd", "no variant \"huge\"; there are tiny, large")) {
            try Architecture.find("mlsd", "huge")
        }
        #expect(throws: NetworkError(.unknown, "no network \"yolo\"; there are mlsd, retinaface, ssh, ddrnet")) {
            try Architecture.find("yolo", "n")
        }
    }

    @Test("Input sizes are read width first", arguments: [("640x480", 640, 480), ("32x96", 32, 96)])
    func sizeText(text: String, width: Int, height: Int) {
        #expect(InputSize(text) == InputSize(width: width, height: height))
        #expect(InputSize(text)?.description == text)
    }

    @Test("Other texts are no sizes", arguments: ["", "640", "640x", "x480", "640x480x3", "-1x4", "a x b", "0x0"])
    func badSizeText(text: String) {
        #expect(InputSize(text) == nil)
    }
}
