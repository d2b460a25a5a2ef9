// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
]

let package = Package(
    name: "swift-homa",
    targets: [
        .target(name: "HomaBase", swiftSettings: settings),
        .target(name: "HomaWire", dependencies: ["HomaBase"], swiftSettings: settings),
        .target(name: "HomaBuffers", dependencies: ["HomaBase"], swiftSettings: settings),
        .target(name: "HomaCore", dependencies: ["HomaBase", "HomaWire", "HomaBuffers"], swiftSettings: settings),
        .testTarget(name: "HomaBaseTests", dependencies: ["HomaBase"], swiftSettings: settings),
        .testTarget(name: "HomaWireTests", dependencies: ["HomaBase", "HomaWire"], swiftSettings: settings),
        .testTarget(name: "HomaBuffersTests", dependencies: ["HomaBase", "HomaBuffers"], swiftSettings: settings),
        .testTarget(
            name: "HomaCoreTests", dependencies: ["HomaBase", "HomaWire", "HomaBuffers", "HomaCore"],
            swiftSettings: settings),
    ]
)
