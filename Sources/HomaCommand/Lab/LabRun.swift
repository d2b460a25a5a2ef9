// SPDX-License-Identifier: Apache-2.0

import Foundation
import HomaBase
import HomaBench

/// What one run in a lab measured: the hosts' load added up, and what was counted around it.
struct LabMeasurement {
    var load: LoadResult
    var counters: LabCounters
    var receiveBufferErrors: UInt64
    var segmentsResent: UInt64
    /// What the Homa nodes counted, added up.
    var nodes: [String: UInt64]

    /// Packets sent again, by either protocol.
    var resent: UInt64 { load.protocolName == "tcp" ? segmentsResent : load.packetsResent ?? 0 }
}

/// Carries out one run: a process in each host that serves and calls the others.
struct LabRun {
    let state: LabState
    /// For host 1; the others differ in their targets and their seed.
    let job: LabJob
    /// Hosts that take part, the first ones.
    let hosts: Int
    let usesIPv6: Bool

    func measure() throws -> LabMeasurement {
        var children = LabChildren()
        defer { children.end() }
        for number in 1...hosts {
            try children.start(in: state.names.host(number), ["lab", "host"])
            let line = try JSONEncoder().encode(job(for: number))
            children.all[number - 1].say(String(decoding: line, as: UTF8.self))
        }
        for (line, child) in zip(try children.lines(within: .seconds(20)), children.all) where line != "ready" {
            throw LabError("the process in \(child.host) said '\(line)' instead of being ready")
        }
        let before = try LabCounters(of: state)
        children.say("go")
        let span = job.warmUpNanoseconds + job.durationNanoseconds + job.drainNanoseconds
        let lines = try children.lines(within: .nanoseconds(span) + .seconds(30))
        let counters = try LabCounters(of: state).since(before)
        let reports = try lines.map { try JSONDecoder().decode(LabHostReport.self, from: Data($0.utf8)) }
        return try sum(reports, counters)
    }

    private func job(for number: Int) -> LabJob {
        var job = job
        job.targets = (1...hosts).filter { $0 != number }.map { other in
            usesIPv6 ? "[\(LabNames.ipv6(other))]:\(job.port)" : "\(LabNames.ipv4(other)):\(job.port)"
        }
        job.seed = job.seed &* 1000 &+ UInt64(number)
        return job
    }

    private func sum(_ reports: [LabHostReport], _ counters: LabCounters) throws -> LabMeasurement {
        var plan = try job(for: 1).plan()
        plan.pace = .openLoop(perSecond: job.requestsPerSecond * Double(hosts))
        var load = LoadResult(plan: plan, tally: reports[0].tally)
        for report in reports.dropFirst() { load.merge(LoadResult(plan: plan, tally: report.tally)) }
        var nodes: [String: UInt64] = [:]
        for report in reports { nodes.merge(report.counters) { $0 + $1 } }
        return LabMeasurement(
            load: load, counters: counters,
            receiveBufferErrors: reports.reduce(0) { $0 + $1.receiveBufferErrors },
            segmentsResent: reports.reduce(0) { $0 + $1.segmentsResent }, nodes: nodes)
    }
}
