// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Homa
import HomaBase
import HomaBench
import HomaBuffers
import HomaCore
import HomaPosix
import Logging

/// One host's part in `homa lab run`: serves the other hosts and calls them, from the same node, as a host does.
///
/// Reads a ``LabJob`` from standard input, says `ready` when it serves, waits for another line, carries out its load,
/// prints a ``LabHostReport`` and goes on serving the others until its standard input ends. So it ends whatever
/// becomes of the process that started it, in the midst of a load as well.
package enum LabHost {
    /// Returns when nobody waits for it any more; the end of the input ends the process.
    package static func run() async throws {
        guard let line = await nextLine() else { return }
        let job = try JSONDecoder().decode(LabJob.self, from: Data(line.utf8))
        let plan = try job.plan()
        switch job.carrier {
        case "homa": try await runHoma(job, plan)
        default: try await runTCP(job, plan)
        }
    }

    private static func runHoma(_ job: LabJob, _ plan: LoadPlan) async throws {
        var configuration = HomaConfiguration()
        configuration.udpPort = job.port
        configuration.endpoint = try job.settings.configuration()
        configuration.spin = job.spinNanoseconds.map { .for(.nanoseconds($0)) } ?? .forever
        configuration.usesSegmentationOffload = job.usesOffloads
        configuration.usesReceiveOffload = job.usesOffloads
        configuration.logger.logLevel = .warning
        configuration = HomaLoadClient.configuration(configuration, for: plan)
        try await withHomaNode(configuration) { node in
            let socket = try node.openSocket(port: job.port)
            let servers = try job.targets.map { try HomaAddress($0) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try? await socket.serveInline { HomaEcho.answer($0) } }
                guard try await getReady() else { return group.cancelAll() }
                let before = HostNetworkCounters.now()
                let result = await HomaLoadClient.run(plan, on: node, to: servers)
                try report(result, since: before, counters: homaCounters(node.statistics))
                await waitForEnd()
            }
        }
    }

    private static func runTCP(_ job: LabJob, _ plan: LoadPlan) async throws {
        let spins = job.spinNanoseconds == nil
        var options = TCPEchoServer.Options()
        options.spin = spins
        let server = try TCPEchoServer(listeningOn: [PeerAddress(high: 0, low: 0, port: job.port)], options: options)
        defer { server.stop() }
        let client = TCPLoadClient(servers: try job.targets.map { try resolve($0) }, options: .init(spin: spins))
        guard try await getReady() else { return }
        let before = HostNetworkCounters.now()
        // A thread of its own: it blocks for the whole run.
        let result = try await runOnOwnThread { Result { try client.run(plan) } }.get()
        try report(result, since: before, counters: [:])
        await waitForEnd()
    }

    /// True when the load is to begin, false when nobody waits for it any more.
    private static func getReady() async throws -> Bool {
        try say("ready")
        guard await nextLine() != nil else { return false }
        StandardInput.endProcessAtEnd()
        return true
    }

    private static func report(
        _ result: LoadResult, since before: HostNetworkCounters, counters: [String: UInt64]
    ) throws {
        let now = HostNetworkCounters.now()
        let report = LabHostReport(
            tally: LoadTally(result), receiveBufferErrors: now.receiveBufferErrors &- before.receiveBufferErrors,
            segmentsResent: now.segmentsResent &- before.segmentsResent, counters: counters)
        try say(String(decoding: try JSONEncoder().encode(report), as: UTF8.self))
    }

    private static func homaCounters(_ statistics: HomaStatistics) -> [String: UInt64] {
        var counters = [
            "packets_retransmitted": statistics.endpoint.packetsRetransmitted,
            "buffer_stalls": statistics.endpoint.bufferStalls,
            "bpages_high_water": UInt64(statistics.pool.highWaterMark),
            "bpages_touched": UInt64(statistics.pool.pagesTouched),
        ]
        for reason in DropReason.allCases where statistics.endpoint.drops(for: reason) > 0 {
            counters["dropped: \(reason)"] = statistics.endpoint.drops(for: reason)
        }
        return counters
    }

    // MARK: Input

    private static func nextLine() async -> String? { try? await runOnOwnThread { readLine(strippingNewline: true) } }

    /// The end of the input ends the process.
    private static func waitForEnd() async { while true { try? await Task.sleep(for: .seconds(3600)) } }
}
