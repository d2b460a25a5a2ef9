// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
    // What tests put into the core to see whether they notice; release builds know nothing of it.
    .define("HOMA_PLANTED_FAULTS", .when(configuration: .debug)),
]

let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")

/// A target of the house. ARCHITECTURE.md says what each may import, and a test keeps it.
func house(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

let package = Package(
    name: "swift-homa",
    products: [
        .library(name: "Homa", targets: ["Homa"]),
        .library(name: "HomaServiceLifecycle", targets: ["HomaServiceLifecycle"]),
        .library(name: "HomaTestKit", targets: ["HomaTestKit"]),
        .executable(name: "homa", targets: ["homa"]),
        .executable(name: "homa-echo", targets: ["HomaEcho"]),
        // For Benchmarks/ alone; no interface that is kept from version to version.
        .library(name: "HomaParts", targets: ["HomaBase", "HomaWire", "HomaSim", "HomaBench"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.7.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.8.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        house("HomaBase"),
        house("HomaWire", ["HomaBase"]),
        house("HomaBuffers", ["HomaBase"]),
        house("HomaCore", ["HomaBase", "HomaWire", "HomaBuffers"]),
        .target(name: "CHomaPosix"),
        house("HomaPosix", ["HomaBase", "CHomaPosix"]),
        house("HomaIO", ["HomaBase", "HomaWire", "HomaBuffers", "HomaCore", "HomaPosix", "CHomaPosix"]),
        house("Homa", ["HomaBase", "HomaBuffers", "HomaCore", "HomaPosix", "HomaIO", "HomaWire", logging, metrics]),
        house("HomaServiceLifecycle", ["Homa", lifecycle]),
        house("HomaTestKit", ["HomaBase", "HomaIO", "Homa"]),
        house("HomaCheck", ["HomaBase", "HomaWire", "HomaBuffers", "HomaCore", "HomaPosix"]),
        house("HomaEngineCheck", ["HomaBase", "HomaBuffers", "HomaCore", "HomaPosix", "HomaIO", "HomaCheck"]),
        house("HomaCapture", ["HomaBase", "HomaWire"]),
        house("HomaWorkloads", ["HomaBase"]),
        house("HomaSim", ["HomaBase", "HomaWire", "HomaBuffers", "HomaCore", "HomaWorkloads"]),
        house("HomaScenarios", ["HomaBase", "HomaCore", "HomaPosix", "HomaWorkloads", "HomaSim"]),
        house(
            "HomaExperiments",
            ["HomaBase", "HomaBuffers", "HomaCore", "HomaPosix", "HomaWorkloads", "HomaSim", "HomaScenarios"]),
        house(
            "HomaBench",
            ["HomaBase", "HomaWire", "HomaBuffers", "HomaCore", "HomaPosix", "HomaWorkloads", "Homa", histogram]),
        house(
            "HomaLab",
            [
                "HomaBase", "HomaBuffers", "HomaCore", "HomaPosix", "Homa", "HomaBench", "HomaWorkloads", "HomaSim",
                "HomaScenarios", logging,
            ]),
        house(
            "HomaCommand",
            [
                "HomaBase", "HomaWire", "HomaBuffers", "HomaCore", "HomaPosix", "HomaIO", "Homa", "HomaBench",
                "HomaWorkloads", "HomaSim", "HomaScenarios", "HomaExperiments", "HomaCheck", "HomaEngineCheck",
                "HomaLab", "HomaCapture", argumentParser, logging,
            ]),
        .executableTarget(name: "homa", dependencies: ["HomaCommand", argumentParser], swiftSettings: settings),
        .executableTarget(name: "HomaEcho", dependencies: ["Homa"], swiftSettings: settings),

        tests("HomaBaseTests", ["HomaBase"]),
        tests("HomaWireTests", ["HomaBase", "HomaWire"]),
        tests("HomaBuffersTests", ["HomaBase", "HomaBuffers"]),
        tests("HomaCoreTests", ["HomaBase", "HomaWire", "HomaBuffers", "HomaCore"]),
        tests("HomaCheckTests", ["HomaCore", "HomaCheck", "HomaEngineCheck"]),
        .target(name: "CFaults", path: "Tests/CFaults"),
        tests("HomaPosixTests", ["HomaBase", "HomaPosix"]),
        tests("HomaIOTests", ["HomaBase", "HomaCore", "HomaPosix", "HomaIO", "CHomaPosix", "CFaults"]),
        tests("HomaTests", ["HomaBase", "HomaCore", "HomaPosix", "HomaIO", "Homa", "CFaults"]),
        // With no features but the language's own, so that the example in it compiles as a user's package compiles it.
        .testTarget(
            name: "HomaServiceLifecycleTests", dependencies: ["Homa", "HomaServiceLifecycle", lifecycle, logging],
            swiftSettings: [.swiftLanguageMode(.v6)]),
        // With no features but the language's own, as above.
        .testTarget(
            name: "HomaTestKitTests", dependencies: ["Homa", "HomaTestKit"], swiftSettings: [.swiftLanguageMode(.v6)]),
        tests("HomaCaptureTests", ["HomaBase", "HomaWire", "HomaCapture"]),
        tests("HomaWorkloadsTests", ["HomaBase", "HomaWorkloads"]),
        .testTarget(name: "TidyTests", swiftSettings: settings),
        tests(
            "HomaSimTests", ["HomaBase", "HomaWire", "HomaBuffers", "HomaCore", "HomaWorkloads", "HomaSim"]),
        tests(
            "HomaScenariosTests", ["HomaBase", "HomaCore", "HomaPosix", "HomaWorkloads", "HomaSim", "HomaScenarios"]),
        tests(
            "HomaExperimentsTests",
            ["HomaBase", "HomaBuffers", "HomaPosix", "HomaWorkloads", "HomaSim", "HomaScenarios", "HomaExperiments"]),
        tests("HomaBenchTests", ["HomaBase", "HomaPosix", "Homa", "HomaTestKit", "HomaWorkloads", "HomaBench"]),
        tests("HomaLabTests", ["HomaBase", "HomaBench", "HomaCore", "HomaWorkloads", "HomaLab"]),
        tests(
            "HomaCommandTests",
            [
                "HomaBase", "HomaBench", "HomaCore", "HomaPosix", "HomaWorkloads", "HomaScenarios", "HomaSim",
                "HomaLab",
                "HomaCommand", argumentParser,
            ]),
    ]
)
