// swift-tools-version: 6.0
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

/// One set of language settings for every Swift target: existentials are spelt out, and an import is
/// internal unless a public declaration needs it, so a C type that leaks is a compile error.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let package = Package(
    name: "vpipe",
    products: [
        .executable(name: "vpipe", targets: ["vpipe"]),
        .library(name: "Dataflow", targets: ["Dataflow"]),
        .library(name: "Annotations", targets: ["Annotations"]),
        .library(name: "Networks", targets: ["Networks"]),
        .library(name: "Pipeline", targets: ["Pipeline"]),
    ],
    dependencies: [
        // The command line: help, completions and usage errors that follow the platform's conventions.
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
    ],
    targets: [
        // C libraries: a module map and a shim header each, imported by one Swift target only.
        // FFmpeg: opens every container, codec and protocol users have. libswscale: pixel formats we do not keep planar.
        .systemLibrary(name: "CFFmpeg", pkgConfig: "libavformat"),
        // Cairo with Pango: shapes text of any script into a mask for the overlay.
        .systemLibrary(name: "CCairo", pkgConfig: "pangocairo"),
        // Video4Linux: cameras. libv4l2 turns sensors' own formats, which nothing else here reads, into YUV.
        .systemLibrary(name: "CV4L2", pkgConfig: "libv4l2"),
        // OpenVINO's C API, headers only: the library is opened at run time, so that its absence is one clear message.
        .systemLibrary(name: "COpenVINO", pkgConfig: "vpipe-openvino"),
        // Dispatch's C functions, part of the toolchain: a stage is woken without the Swift overlay's dynamic cast.
        .systemLibrary(name: "CDispatchSource"),

        // What several layers need and none of them is about: folders, threads, numbers in words, addresses without secrets.
        .target(name: "Basics", swiftSettings: settings),
        .target(name: "Dataflow", dependencies: ["CDispatchSource"], swiftSettings: settings),
        .target(name: "Annotations", swiftSettings: settings),
        .target(
            name: "Media", dependencies: ["Basics", "Dataflow", "Annotations", "CFFmpeg"], swiftSettings: settings),
        .target(
            name: "Camera", dependencies: ["Basics", "Dataflow", "Media", "CFFmpeg", "CV4L2"], swiftSettings: settings),
        .target(name: "Overlay", dependencies: ["Annotations", "Media", "CCairo"], swiftSettings: settings),
        .target(name: "Networks", swiftSettings: settings),
        .target(name: "Inference", dependencies: ["Basics", "Networks", "COpenVINO"], swiftSettings: settings),
        .target(
            name: "Vision", dependencies: ["Annotations", "Media", "Networks", "Inference"], swiftSettings: settings),
        .target(name: "PipelineLanguage", dependencies: ["Basics"], swiftSettings: settings),
        .target(
            name: "Pipeline",
            dependencies: [
                "Basics", "Dataflow", "Annotations", "Media", "Camera", "Overlay", "Networks", "Inference", "Vision",
                "PipelineLanguage",
            ],
            swiftSettings: settings),
        .target(
            name: "Workbench",
            dependencies: [
                "Basics", "Dataflow", "Annotations", "Media", "Camera", "Overlay", "Networks", "Inference", "Vision",
                "PipelineLanguage", "Pipeline",
            ],
            swiftSettings: settings),
        .target(
            name: "Server",
            dependencies: ["Basics", "Dataflow", "Annotations", "Media", "PipelineLanguage", "Pipeline"],
            resources: ["index.html", "page.css", "page.js", "icon.svg"].map { .embedInCode("Page/\($0)") },
            swiftSettings: settings),
        .executableTarget(
            name: "vpipe",
            dependencies: [
                "Basics", "Server", "Pipeline", "PipelineLanguage", "Workbench", "Dataflow", "Camera", "Overlay",
                "Networks", "Inference",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings),

        // Counts allocations in the test executable, for the zero-allocation tests.
        .target(name: "CMallocCounter", path: "Tests/CMallocCounter"),
        // What tests of several targets share: folders, programs, random numbers.
        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: settings),
        .testTarget(
            name: "DataflowTests", dependencies: ["Dataflow", "CMallocCounter", "TestSupport"], swiftSettings: settings),
        .testTarget(name: "NetworksTests", dependencies: ["Networks", "TestSupport"], swiftSettings: settings),
    ]
)

// The tests of the upper layers are named in sentences, which compilers before 6.2 cannot read.
#if compiler(>=6.2)
    package.targets += [
        // Writes videos until it is killed: the tests look at what is left.
        .executableTarget(
            name: "MediaTestWriter", dependencies: ["Media", "Overlay"], path: "Tests/MediaTestWriter",
            swiftSettings: settings),
        // Programs at the other end of a connection, for the tests of network streams.
        .target(name: "TestPeers", path: "Tests/TestPeers", swiftSettings: settings),
        .testTarget(name: "AnnotationsTests", dependencies: ["Annotations"], swiftSettings: settings),
        .testTarget(
            name: "MediaTests",
            dependencies: ["Media", "Overlay", "Basics", "MediaTestWriter", "TestPeers", "TestSupport"],
            swiftSettings: settings),
        .target(
            name: "MediaTestSupport", dependencies: ["Media"], path: "Tests/MediaTestSupport", swiftSettings: settings),
        .testTarget(name: "BasicsTests", dependencies: ["Basics"], swiftSettings: settings),
        .testTarget(
            name: "OverlayTests", dependencies: ["Overlay", "MediaTestSupport", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "CameraTests",
            dependencies: ["Basics", "Camera", "Overlay", "MediaTestSupport", "TestSupport", "CV4L2"],
            swiftSettings: settings),
        // An engine whose inferences end, or fail, as the test says.
        .target(
            name: "InferenceTestSupport", dependencies: ["Inference", "Networks"], path: "Tests/InferenceTestSupport",
            swiftSettings: settings),
        .testTarget(
            name: "InferenceTests", dependencies: ["Inference", "Networks", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "VisionTests",
            dependencies: ["Vision", "CMallocCounter", "InferenceTestSupport", "MediaTestSupport", "TestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "PipelineLanguageTests", dependencies: ["PipelineLanguage", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "PipelineTests",
            dependencies: [
                "Basics", "Media", "Server", "Pipeline", "PipelineLanguage", "Camera", "Overlay", "Inference",
                "InferenceTestSupport", "MediaTestSupport", "TestPeers", "TestSupport",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "WorkbenchTests",
            dependencies: [
                "Workbench", "Pipeline", "PipelineLanguage", "Camera", "Overlay", "Networks", "InferenceTestSupport",
                "TestPeers", "TestSupport",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "ServerTests",
            dependencies: [
                "Server", "Pipeline", "PipelineLanguage", "Dataflow", "Annotations", "Media", "TestSupport",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "vpipeTests",
            dependencies: [
                "vpipe", "Dataflow", "Networks", "Pipeline", "PipelineLanguage", "Workbench", "TestSupport",
            ],
            swiftSettings: settings),
    ]
#endif

// Makes the API documentation (`make docs`); nothing else needs it, so nothing else fetches it.
if Context.environment["VPIPE_DOCS"] != nil {
    package.dependencies.append(.package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"))
}
