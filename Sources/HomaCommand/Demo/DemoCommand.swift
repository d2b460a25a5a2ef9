// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HomaBench

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Compare Homa with TCP on this machine, in under half a minute.",
        discussion: """
            Starts servers and clients as separate processes on loopback and runs the same loads through Homa and \
            through TCP: 100-byte round trips, 500 KB requests, and a mixture of short and long messages (W4) at a \
            rate that both can carry. Every response is checked byte by byte.

            Example: homa demo --json
            """)

    @Option(help: "Decides sizes, arrival times and contents.", within: .seed)
    var seed: UInt64 = 1

    @Flag(help: "One JSON object per line at the end.")
    var json = false

    func run() async throws {
        try await orCouldNotRun {
            let environment = RunEnvironment.current(mtu: pathMTU(to: "127.0.0.1:1"))
            warnIfDebug(environment)
            let measurements = try DemoRunner(seed: seed).run()
            let report = DemoReport(measurements: measurements, environment: environment, seed: seed)
            if !json { try say(report.render()) }
            if json { for record in report.records { try say(record.jsonLine) } }
            let failures = measurements.mixed.reduce(0) { $0 + $1.value("errors") + $1.value("unfinished") }
            guard failures == 0 else {
                note("\(fixed(failures, 0)) requests of the mixed load failed or were left unfinished")
                throw ExitCode.failed
            }
        }
    }
}
