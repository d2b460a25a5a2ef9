// SPDX-License-Identifier: Apache-2.0

import Foundation
import HomaBase
import HomaBench
import HomaPosix
import HomaWorkloads

/// Measures the loaded link in an emulated network: the same requests over Homa and over both kinds of TCP.
struct DemoLinkRunner {
    let lab: IsolatedLab
    let seed: UInt64
    let timeline: DemoTimeline

    static let hosts = 3
    /// Of the TCP that is no pool.
    static let pool = 8

    static func description(rate: BitRate) -> LabDescription {
        LabDescription(name: "demo", hosts: hosts, bitsPerSecond: rate.bitsPerSecond)
    }

    /// A rate that the processors which are free carry with ease. Three hosts that load links of 100 Mb/s to the full
    /// take most of one core here (docs/lab.md: 10–20 µs a packet), and beside others they wait for their turns, in
    /// which a link of that rate idles.
    static func rate(freeProcessors: Double) -> BitRate {
        .megabitsPerSecond(freeProcessors >= 1.6 ? 100 : freeProcessors >= 0.5 ? 50 : 25)
    }

    /// - Parameter elapsed: how long the demo has been running.
    func run(elapsed: () -> Duration) -> DemoLink {
        let carriers = [
            run("Homa", "homa", .homa, connections: 1, elapsed()),
            run("TCP, 1 connection", "tcp", .tcp, connections: 1, elapsed()),
            run("TCP, \(Self.pool) connections", "tcp-pool", .tcp, connections: Self.pool, elapsed()),
        ]
        return DemoLink(
            place: .namespaces(lab.right), rate: lab.description.rate, hosts: Self.hosts, carriers: carriers,
            overloadSeconds: timeline.overload.seconds, afterSeconds: timeline.after.seconds,
            afterLoad: timeline.after.load)
    }

    private func run(
        _ name: String, _ key: String, _ carrier: ProtocolChoice, connections: Int, _ elapsed: Duration
    ) -> DemoCarrier {
        note("loaded link: \(name), at 50 %, 80 % and 160 % load, about 9 s …")
        var result = DemoCarrier(name: name, key: key)
        let meter = DisturbanceMeter(helpers: [lab.processIdentifier])
        do {
            let job = job(carrier, connections: connections, drain: drain(after: elapsed))
            let report = try lab.run(job)
            try take(try report.sum(job, hosts: Self.hosts), report, job: job, into: &result)
        } catch { result.failures.append("\(name): \(error)") }
        result.disturbance = meter.finish()
        return result
    }

    private func take(_ measured: LabMeasurement, _ report: LabRunReport, job: LabJob, into carrier: inout DemoCarrier)
        throws
    {
        let load = measured.load
        let unanswered = try unanswered(report, job)
        timeline.evaluate((load.timeline?.entries ?? []) + unanswered, hosts: Self.hosts, into: &carrier)
        carrier.unanswered = unanswered.count
        carrier.failures += timeline.failures(carrier, load, unanswered: unanswered)
        if measured.receiveBufferErrors + measured.counters.softnetDrops > 0 {
            carrier.failures.append(
                "\(carrier.name): this machine is too slow for the load: packets were lost before any protocol saw them"
            )
        }
        carrier.packetsRetransmitted = Double(measured.resent)
        func most(_ counter: String) -> Double { report.hosts.map { Double($0.counters[counter] ?? 0) }.max() ?? 0 }
        carrier.memory = DemoMemory(touched: most("bpages_touched"), highWater: most("bpages_high_water"))
    }

    /// The requests of all hosts that had no answer when the run ended, as if they had been answered then: they took at
    /// least so long. A request that failed is one of them.
    private func unanswered(_ report: LabRunReport, _ job: LabJob) throws -> [LoadTimeline.Entry] {
        try report.hosts.enumerated().flatMap { index, host in
            var own = job
            own.seed = LabRun.seed(job.seed, host: index + 1)
            own.targets = Array(repeating: "", count: Self.hosts - 1)
            let plan = try own.plan()
            let answered = Set((LoadResult(plan: plan, tally: host.tally).timeline?.entries ?? []).map(\.intended))
            let end = plan.window.end + plan.drain.wholeNanoseconds
            return plan.schedule().filter { plan.window.contains($0.intended) && !answered.contains($0.intended) }.map {
                LoadTimeline.Entry(
                    intended: $0.intended, latency: end - $0.intended, requestBytes: $0.bytes, responseBytes: $0.bytes)
            }
        }
    }

    /// How long to wait for the last answers: four seconds, less if the demo would take longer than it may.
    func drain(after elapsed: Duration) -> Duration {
        let rest = Self.limit - elapsed - .nanoseconds(Int64(timeline.after.end)) - .seconds(1)
        return min(.seconds(4), max(.seconds(1), rest))
    }

    /// When everything is to be over, a little earlier than is promised.
    private static let limit = Duration.seconds(38)

    private func job(_ carrier: ProtocolChoice, connections: Int, drain: Duration) -> LabJob {
        let description = lab.description
        return LabJob(
            carrier: carrier.rawValue, port: 4000, targets: [], workload: "w4",
            requestsPerSecond: LabJob.requestsPerSecond(
                load: timeline.half.load, rate: description.rate, sizes: .w4, responseBytes: nil),
            responseBytes: nil, warmUpNanoseconds: Int64(timeline.warmUp),
            durationNanoseconds: Int64(timeline.after.end - timeline.warmUp),
            drainNanoseconds: Int64(drain.wholeNanoseconds),
            seed: seed, cap: 100_000, connections: connections,
            baseline: LabBaseline(rttNanoseconds: 100_000, bitsPerSecond: description.bitsPerSecond),
            spinNanoseconds: 0,
            settings: LabSettings(bitsPerSecond: description.bitsPerSecond, mtu: description.mtu),
            usesOffloads: false, profile: timeline.profile)
    }
}
