// swift-tools-version: 6.1
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

// A package of its own, so that nobody who uses or tests Homa compiles the benchmark library.
// `make microbench` runs it.
let package = Package(
    name: "homa-benchmarks",
    dependencies: [
        .package(name: "swift-homa", path: ".."),
        // No traits: without them no allocator is put in place of the system's.
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
    ],
    targets: [
        .executableTarget(
            name: "Parts",
            dependencies: [
                .product(name: "HomaParts", package: "swift-homa"),
                .product(name: "Benchmark", package: "benchmark"),
            ],
            path: "Benchmarks/Parts",
            swiftSettings: [.swiftLanguageMode(.v6)],
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")])
    ]
)
