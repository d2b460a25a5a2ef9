// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HomaBench
import HomaLab
import HomaPosix

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Compare Homa with TCP on this machine, in under 40 seconds.",
        discussion: """
            Runs the same requests over Homa and over TCP: on an idle network, between processes on loopback; and on a \
            link at half load, at 80 % and under overload, in a network that it makes of namespaces, as root or in a \
            user namespace. Where the system permits neither, the simulator takes its place. Every response is checked \
            byte by byte. Nothing is left behind, also when it is interrupted.

            The last line says what it comes to. Exit status 1 means that something failed and nothing was compared.

            Example: homa demo --json
            """)

    @Option(help: "Decides sizes, arrival times and contents.", within: .seed)
    var seed: UInt64 = 1

    @Option(help: .hidden)
    var network: DemoNetworkChoice = .automatic

    @Flag(help: "One JSON object per line at the end.")
    var json = false

    func run() async throws {
        try await orCouldNotRun {
            let environment = RunEnvironment.current(mtu: pathMTU(to: "127.0.0.1:1"))
            warnIfDebug(environment)
            let measurements = DemoRunner(seed: seed, network: network).run()
            let report = DemoReport(measurements: measurements, environment: environment, seed: seed)
            try say(json ? report.records.map(\.jsonLine).joined(separator: "\n") : report.render())
            let verdict = report.verdict
            if !verdict.isGood {
                for failure in verdict.failures { note("failed: \(failure)") }
                throw ExitCode.failed
            }
        }
    }
}

extension DemoNetworkChoice: ExpressibleByArgument {}
