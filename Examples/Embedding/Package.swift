// swift-tools-version: 6.0
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

// Three programs that embed vpipe through its public products alone. `make test` builds and runs them.
let package = Package(
    name: "Embedding",
    dependencies: [
        .package(name: "vpipe", path: "../..")
    ],
    targets: [
        .executableTarget(name: "FaceResults", dependencies: [.product(name: "Pipeline", package: "vpipe")]),
        .executableTarget(name: "OwnNode", dependencies: [.product(name: "Pipeline", package: "vpipe")]),
        .executableTarget(name: "PipelineInCode", dependencies: [.product(name: "Pipeline", package: "vpipe")]),
    ]
)
