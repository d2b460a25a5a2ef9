// SPDX-License-Identifier: Apache-2.0

import Foundation
import HomaBase
package import HomaBench

/// What one run in a lab measured: the hosts' load added up, and what was counted around it.
package struct LabMeasurement {
    package var load: LoadResult
    package var counters: LabCounters
    package var receiveBufferErrors: UInt64
    var segmentsResent: UInt64
    /// What the Homa nodes counted, added up.
    var nodes: [String: UInt64]

    /// Packets sent again, by either protocol.
    var resent: UInt64 { load.protocolName == "tcp" ? segmentsResent : load.packetsRetransmitted ?? 0 }
}

/// Carries out one run: a process in each host that serves and calls the others.
package struct LabRun {
    let state: LabState
    /// For host 1; the others differ in their targets and their seed.
    let job: LabJob
    /// Hosts that take part, the first ones.
    let hosts: Int
    let usesIPv6: Bool

    package init(
        state: LabState, job: LabJob, hosts: Int, usesIPv6: Bool
    ) {
        self.state = state
        self.job = job
        self.hosts = hosts
        self.usesIPv6 = usesIPv6
    }

    package func measure() throws -> LabMeasurement { try sum(try gather()) }

    /// What every host and the network have to say, not added up.
    func gather() throws -> LabRunReport {
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
        return LabRunReport(hosts: reports, counters: counters)
    }

    private func job(for number: Int) -> LabJob {
        var job = job
        job.targets = (1...hosts).filter { $0 != number }.map { other in
            usesIPv6 ? "[\(LabNames.ipv6(other))]:\(job.port)" : "\(LabNames.ipv4(other)):\(job.port)"
        }
        job.seed = Self.seed(job.seed, host: number)
        return job
    }

    /// The seed of a host's requests in a run, so that hosts differ and the run can be told again.
    static func seed(_ run: UInt64, host number: Int) -> UInt64 { run &* 1000 &+ UInt64(number) }

    private func sum(_ report: LabRunReport) throws -> LabMeasurement { try report.sum(job(for: 1), hosts: hosts) }
}

/// What one run in a lab measured, host by host; one line of JSON.
struct LabRunReport: Codable, Sendable {
    var hosts: [LabHostReport]
    var counters: LabCounters

    /// - Parameter job: what each host was to do.
    func sum(_ job: LabJob, hosts count: Int) throws -> LabMeasurement {
        var job = job
        job.targets = Array(repeating: "", count: count - 1)
        var plan = try job.plan()
        plan.pace = .openLoop(perSecond: job.requestsPerSecond * Double(count))
        var load = LoadResult(plan: plan, tally: hosts[0].tally)
        for report in hosts.dropFirst() { load.merge(LoadResult(plan: plan, tally: report.tally)) }
        var nodes: [String: UInt64] = [:]
        for report in hosts { nodes.merge(report.counters) { $0 + $1 } }
        return LabMeasurement(
            load: load, counters: counters,
            receiveBufferErrors: hosts.reduce(0) { $0 + $1.receiveBufferErrors },
            segmentsResent: hosts.reduce(0) { $0 + $1.segmentsResent }, nodes: nodes)
    }
}
