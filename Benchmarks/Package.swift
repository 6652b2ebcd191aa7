// swift-tools-version: 6.0
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

let package = Package(
    name: "Benchmarks",
    dependencies: [.package(name: "vpipe", path: "..")],
    targets: [
        // Counts allocations, the same shim the tests use.
        .target(name: "CAllocations"),
        .executableTarget(
            name: "hop", dependencies: [.product(name: "Dataflow", package: "vpipe"), "CAllocations"],
            swiftSettings: [.swiftLanguageMode(.v6)]),
    ]
)
