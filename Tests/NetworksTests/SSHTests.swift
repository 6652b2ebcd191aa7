// SPDX-License-Identifier: Apache-2.0
import Networks
import Testing

@Suite("SSH")
struct SSHTests {
    @Test("The published network has the published counts")
    func published() throws {
        let network = try SSH(.vgg16).network(at: InputSize(width: 1600, height: 1200))
        #expect(network.parameterCount == 19_766_372)
        #expect(network.multiplyAccumulates == 625_034_649_600)
        #expect(network.outputs.map(\.name) == ["m1.score", "m1.box", "m2.score", "m2.box", "m3.score", "m3.box"])
        #expect(
            network.outputs.map(\.shape) == [
                [1, 4, 150, 200], [1, 8, 150, 200], [1, 4, 75, 100], [1, 8, 75, 100], [1, 4, 38, 50], [1, 8, 38, 50],
            ])
        let weights = network.parameters.filter { $0.role == .weight }
        #expect(weights.count == 37)
        let backbone = network.parameters.filter { $0.name.prefix(6).contains("_") && !$0.name.hasPrefix("conv4_f") }
            .filter { !$0.name.contains("_128") && $0.name.hasPrefix("conv") }
        #expect(backbone.reduce(0) { $0 + $1.shape.reduce(1, *) } == 14_714_688)
        let small = try SSH(.vgg16).network(at: InputSize(width: 640, height: 480)).multiplyAccumulates
        #expect((99_950_000_000...100_050_000_000).contains(small))
    }

    @Test("Kernels are declared in the order of the reference's file")
    func order() throws {
        let network = try SSH(.vgg16).network(at: InputSize(width: 64, height: 64))
        let names = network.parameters.filter { $0.role == .weight }.map { $0.name.dropLast(".weight".count) }
        let parts = ["3x3", "dimred", "5x5", "7x7-1", "7x7", "cls_score", "bbox_pred"]
        #expect(names.prefix(3) == ["conv1_1", "conv1_2", "conv2_1"])
        #expect(names[13..<16] == ["conv5_128", "conv4_128", "conv4_fuse_final"])
        #expect(
            Array(names[16...]).map(String.init) == ["m3", "m2", "m1"].flatMap { m in parts.map { "\(m)@ssh_\($0)" } })
    }

    @Test(
        "The light network scales with its width",
        arguments: [(0.25, 689_076, 868_492_800), (0.5, 2_712_132, 3_375_590_400), (1.0, 10_760_292, 13_305_600_000)])
    func light(width: Double, parameters: Int, cost: Int) throws {
        let body = try MobileNet(width: width)
        let network = try SSH(.mobileNet(body)).network(at: InputSize(width: 640, height: 480))
        #expect(network.parameterCount == parameters)
        #expect(network.multiplyAccumulates == cost)
        func channels(_ name: String) -> Int? { network.parameters.first { $0.name == name }?.shape[0] }
        #expect(channels("m1.fuse.0.weight") == Int(256 * width))
        #expect(channels("m1.dimred.0.weight") == Int(64 * width))
        #expect(channels("m3.3x3.0.weight") == Int(256 * width))
        #expect(channels("m2.cls_score.weight") == 4)
        #expect(channels("m2.bbox_pred.bias") == 8)
    }

    @Test("The light detectors share their backbone, name by name")
    func sharedBackbone() throws {
        let size = InputSize(width: 64, height: 64)
        for width in [0.25, 0.75] {
            let body = try MobileNet(width: width)
            func backbone(_ network: Network) -> [Parameter] {
                network.parameters.filter { $0.name.hasPrefix("body.") }
            }
            let ssh = try SSH(.mobileNet(body)).network(at: size)
            let retinaFace = try RetinaFace(.relu, backbone: .mobileNet(body)).network(at: size)
            #expect(backbone(ssh) == backbone(retinaFace))
            #expect(backbone(ssh).count == 27 * 5)
        }
    }

    @Test("Any size builds, odd ones too", arguments: [(64, 48), (33, 47), (641, 479), (320, 240), (1000, 33)])
    func sizes(width: Int, height: Int) throws {
        let size = InputSize(width: width, height: height)
        for ssh in [SSH(.vgg16), SSH()] {
            let network = try ssh.network(at: size)
            for (module, stride) in SSH.strides.enumerated() {
                let (rows, columns) = SSH.cells(at: size, stride: stride)
                #expect(network.outputs[2 * module].shape == [1, 4, rows, columns])
                #expect(network.outputs[2 * module + 1].shape == [1, 8, rows, columns])
            }
        }
    }

    @Test("Impossible sizes are refused with the nearest ones")
    func refusedSizes() {
        #expect {
            try SSH().network(at: InputSize(width: 640, height: 31))
        } throws: { "\($0)".hasSuffix("from 32 to 8192; nearest: 640x32") }
    }

    @Test("Variants are read back", arguments: ["vgg16", "mobilenet0.25", "mobilenet0.5", "mobilenet1.0"])
    func variants(name: String) throws {
        #expect(try SSH(variant: name).variant == name)
        #expect(try Architecture.find("ssh", name).build().variant == name)
    }

    @Test(
        "Widths that cannot be built are refused with the nearest ones",
        arguments: [
            ("mobilenet0.3", "0.25 or 0.375"), ("mobilenet0", "0.125"), ("mobilenet-1", "0.125"),
            ("mobilenet7", "2.0"), ("mobilenetnan", "0.125"), ("mobilenetinf", "2.0"),
        ])
    func refusedWidths(name: String, nearest: String) {
        for network in ["ssh", "retinaface"] where network == "ssh" || !name.contains("-") {
            #expect {
                try Architecture.find(network, name)
            } throws: { error in
                "\(error)".hasPrefix("mobilenet: a width of ") && "\(error)".hasSuffix("nearest: \(nearest)")
            }
        }
    }

    @Test("Other names are refused with the choices", arguments: ["vgg", "mobilenet", "resnet50", ""])
    func unknown(name: String) {
        #expect(
            throws: NetworkError(
                .unknown, path: "ssh",
                "no variant \"\(name)\"; there are mobilenet0.25 (and other widths), vgg16")
        ) { try Architecture.find("ssh", name) }
    }
}
