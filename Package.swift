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
        .testTarget(name: "HomaBaseTests", dependencies: ["HomaBase"], swiftSettings: settings),
    ]
)
