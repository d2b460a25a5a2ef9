#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs the tests of the buffer pool under the thread sanitizer.
#
# The compiler of Swift 6.3.1 fails on HomaIO with the sanitizer on, and SwiftPM builds every target of a package for any
# test. So this copies the two targets and their tests into a package of their own, below .build-tsan.
set -euo pipefail
cd "$(dirname "$0")/.."

package=.build-tsan/package
rm -rf "$package"
mkdir -p "$package/Sources" "$package/Tests"
cp -Rp Sources/HomaBase Sources/HomaBuffers "$package/Sources/"
cp -Rp Tests/HomaBuffersTests "$package/Tests/"

# The settings are the lines of the real manifest.
{
    sed -n '1,/^]$/p' Package.swift
    cat <<'MANIFEST'

let package = Package(
    name: "pool",
    targets: [
        .target(name: "HomaBase", swiftSettings: settings),
        .target(name: "HomaBuffers", dependencies: ["HomaBase"], swiftSettings: settings),
        .testTarget(name: "HomaBuffersTests", dependencies: ["HomaBase", "HomaBuffers"], swiftSettings: settings),
    ]
)
MANIFEST
} >"$package/Package.swift"

export TSAN_OPTIONS="halt_on_error=1 exitcode=66 ${TSAN_OPTIONS:-}"
exec "${SWIFT:-swift}" test --package-path "$package" --scratch-path .build-tsan/build --sanitize=thread "$@"
