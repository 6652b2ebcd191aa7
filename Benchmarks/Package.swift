// swift-tools-version: 6.0
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

let package = Package(
    name: "Benchmarks",
    products: [.library(name: "camera", type: .dynamic, targets: ["CCamera"])],
    dependencies: [.package(name: "vpipe", path: "..")],
    targets: [
        // Counts allocations, the same shim the tests use.
        .target(name: "CAllocations"),
        // Preloaded into a program, a camera at this machine's own speed.
        .target(name: "CCamera"),
        .executableTarget(
            name: "hop", dependencies: [.product(name: "Dataflow", package: "vpipe"), "CAllocations"],
            swiftSettings: [.swiftLanguageMode(.v6)]),
    ]
)
