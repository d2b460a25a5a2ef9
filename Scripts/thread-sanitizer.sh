#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs the tests of the buffer pool, the engine with its drivers, and the public interface under the thread sanitizer.
# Arguments are those of swift test, such as --filter EchoTests.
#
# The compiler of Swift 6.3.1 fails on HomaSim with the sanitizer on, and SwiftPM builds every target of a package for
# any test. So this makes a package of the targets in question, below .build-tsan, with the lines of the real manifest.
set -euo pipefail
cd "$(dirname "$0")/.."

targets='HomaBase|HomaWire|HomaBuffers|HomaCore|CHomaPosix|HomaPosix|HomaIO|Homa|CFaults'
tests='HomaBuffersTests|HomaIOTests|HomaTests'
# Tests of one thread that take minutes: whole engines stepped over memory, packets put together, frames at random.
skipped='MemoryHostsTests|SendQueueBundleTests|ReceivedFrameTests'

package=.build-tsan/package
mkdir -p "$package"
ln -sfn ../../Sources "$package/Sources"
ln -sfn ../../Tests "$package/Tests"
ln -sfn ../../Scripts/thread-sanitizer "$package/Sanitizer"
# The same versions of what is built beside it.
[ ! -f Package.resolved ] || cp Package.resolved "$package/"
{
    sed -n '/^let package/q; /^let \(histogram\|argumentParser\|lifecycle\) /d; p' Package.swift
    printf 'let package = Package(\n    name: "swift-homa",\n    dependencies: [\n'
    grep -E 'package\(url: .*/swift-(log|metrics)"' Package.swift
    printf '    ],\n    targets: [\n'
    grep -E "^ +(house|tests|\.target)\((name: )?\"($targets|$tests)\"" Package.swift
    cat <<'MANIFEST'
        .target(name: "SanitizedRuntime", path: "Sanitizer/SanitizedRuntime", publicHeadersPath: "."),
        .testTarget(
            name: "CanaryTests", dependencies: ["SanitizedRuntime"], path: "Sanitizer/CanaryTests",
            swiftSettings: settings),
    ]
)
MANIFEST
} >"$package/Package.swift"

sanitized=(--package-path "$package" --scratch-path .build-tsan/build --sanitize=thread)
"${SWIFT:-swift}" build "${sanitized[@]}" --build-tests

export TSAN_OPTIONS="halt_on_error=1 exitcode=66 ${TSAN_OPTIONS:-}"
if found=$("${SWIFT:-swift}" test "${sanitized[@]}" --skip-build --filter CanaryTests 2>&1); then
    echo "the thread sanitizer does not see a race: Scripts/thread-sanitizer/CanaryTests" >&2
    exit 1
elif ! grep -q 'ThreadSanitizer: .* race' <<<"$found"; then
    printf '%s\n' "$found" >&2
    exit 1
fi
exec "${SWIFT:-swift}" test "${sanitized[@]}" --skip-build --skip "CanaryTests|$skipped" "$@"
