#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Lets libFuzzer choose what is done to an endpoint, by the code that it reaches. The corpus is kept in .build-fuzz/corpus.
# Arguments are libFuzzer's, such as -max_total_time=60.
set -euo pipefail
cd "$(dirname "$0")/.."

package=.build-fuzz/package
rm -rf "$package"
mkdir -p "$package/Sources/fuzz" .build-fuzz/corpus
for target in HomaBase HomaWire HomaBuffers HomaCore CHomaPosix HomaPosix HomaCheck; do cp -Rp "Sources/$target" "$package/Sources/"; done
cat >"$package/Sources/fuzz/Fuzz.swift" <<'ENTRY'
import HomaCheck

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    EndpointCheck.feed(UnsafeRawBufferPointer(start: bytes, count: count))
    return 0
}
ENTRY

# The settings are the lines of the real manifest.
{
    sed -n '1,/^]$/p' Package.swift
    cat <<'MANIFEST'

let fuzzing = settings + [.unsafeFlags(["-sanitize=fuzzer,address", "-parse-as-library"])]
let parts = ["HomaBase", "HomaWire", "HomaBuffers", "HomaCore", "HomaPosix", "HomaCheck"]
let package = Package(
    name: "fuzz",
    targets: parts.enumerated().map { index, name in
        .target(
            name: name, dependencies: (["CHomaPosix"] + parts[..<index]).map { .init(stringLiteral: $0) },
            swiftSettings: fuzzing)
    } + [
        .target(name: "CHomaPosix"),
        .executableTarget(
            name: "fuzz", dependencies: ["HomaCheck"], swiftSettings: fuzzing,
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address"])])
    ]
)
MANIFEST
} >"$package/Package.swift"

"${SWIFT:-swift}" build --package-path "$package" --scratch-path .build-fuzz/build -c release
exec .build-fuzz/build/release/fuzz .build-fuzz/corpus -max_len=2048 "${@:--max_total_time=60}"
