#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Plants faults in the core, one after the other, and fails when the swarm does not find one of them.
#
# Release builds take no planted faults, and building all of the command a second time would take minutes. So this makes a
# package of the targets that matter, below .build-planted. Arguments: the faults to plant; all without any.
set -euo pipefail
cd "$(dirname "$0")/.."

package=.build-planted/package
rm -rf "$package"
mkdir -p "$package/Sources/planted"
for target in HomaBase HomaWire HomaBuffers HomaCore CHomaPosix HomaPosix HomaCheck; do cp -Rp "Sources/$target" "$package/Sources/"; done
cat >"$package/Sources/planted/main.swift" <<'MAIN'
import HomaCheck

let names = CommandLine.arguments.dropFirst()
let outcomes = PlantedCheck.faults.filter { names.isEmpty || names.contains($0) }.compactMap { PlantedCheck.find($0) }
for outcome in outcomes { print(outcome.text) }
if outcomes.isEmpty || outcomes.contains(where: { $0.seed == nil }) { fatalError("a fault was not found") }
MAIN

# The settings are the lines of the real manifest.
{
    sed -n '1,/^]$/p' Package.swift
    cat <<'MANIFEST'

let parts = ["HomaBase", "HomaWire", "HomaBuffers", "HomaCore", "HomaPosix", "HomaCheck"]
let package = Package(
    name: "planted",
    targets: parts.enumerated().map { index, name in
        .target(
            name: name, dependencies: (["CHomaPosix"] + parts[..<index]).map { .init(stringLiteral: $0) },
            swiftSettings: settings)
    } + [
        .target(name: "CHomaPosix"),
        .executableTarget(name: "planted", dependencies: ["HomaCheck"], swiftSettings: settings),
    ]
)
MANIFEST
} >"$package/Package.swift"

exec "${SWIFT:-swift}" run --package-path "$package" --scratch-path .build-planted/build -c release \
    -Xswiftc -DHOMA_PLANTED_FAULTS planted "$@"
