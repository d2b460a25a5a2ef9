// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

struct SimCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sim",
        abstract: "Simulate a fabric of switches and hosts that run this protocol.",
        discussion: """
            The simulated hosts run the protocol core of the library, unchanged. A scenario and its seed decide every \
            bit of a result.

            Examples:
              homa sim run quick
              homa sim run --topology fabric-10g --preset sigcomm2018 --workload w4 --load 0.8 --seed 1 --json
              homa sim sweep quick --vary load=0.5..0.9/0.1 --vary workload=w1,w2 --out sweep.jsonl

            docs/scenarios.md describes scenario files.
            """,
        subcommands: [
            SimRunCommand.self, SimSweepCommand.self, SimMergeCommand.self, SimPresetsCommand.self,
            SimChipsCommand.self, SimBenchCommand.self,
        ])
}
