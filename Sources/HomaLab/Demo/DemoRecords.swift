// SPDX-License-Identifier: Apache-2.0

import HomaBase
package import HomaBench

extension DemoReport {
    /// Every figure as a record. What was not measured is null.
    package var records: [ResultRecord] {
        let all = idleRecords + linkRecords + memoryRecords + disturbanceRecords + [verdictRecord]
        return all.map { environment.annotate($0.with("seed", .text("\(seed)"))) }
    }

    private var place: String { measurements.link?.place.name ?? "none" }

    private var idleRecords: [ResultRecord] {
        let idle = measurements.idle
        let trip = { (carrier: ProtocolChoice) in idle.roundTrip[carrier] ?? .nan }
        let goodput = { (carrier: ProtocolChoice) in idle.goodput[carrier] ?? .nan }
        return [
            ResultRecord(measure: "rtt_100b_p50_us", value: trip(.homa) / 1000, unit: "us")
                .against("tcp", trip(.tcp) / 1000),
            ratio("rtt_100b_vs_raw_udp", trip(.homa), trip(.udp)), ratio("rtt_100b_vs_tcp", trip(.homa), trip(.tcp)),
            ResultRecord(measure: "goodput_500kb", value: goodput(.homa), unit: "bit/s").against("tcp", goodput(.tcp)),
            ratio("goodput_500kb_vs_tcp", goodput(.homa), goodput(.tcp)),
        ].map { $0.with("path", "loopback") }
    }

    /// The keys without a phase are those of 80 % load.
    private var linkRecords: [ResultRecord] {
        guard let link = measurements.link else { return [] }
        let homa = link.homa
        let (tcp, pool) = (link.carriers[1], link.carriers[2])
        let mine = homa.high.shortP99 ?? .nan
        var records = [
            ResultRecord(measure: "short_p99", value: mine / 1000, unit: "us")
                .against("tcp", (tcp.high.shortP99 ?? .nan) / 1000),
            ratio("short_p99_tcp_over_homa", tcp.high.shortP99 ?? .nan, mine),
            ratio("short_p99_tcp_pool_over_homa", pool.high.shortP99 ?? .nan, mine),
            ratio("short_p99_best_tcp_over_homa", link.rival(\.high)?.high.shortP99 ?? .nan, mine),
            ResultRecord(measure: "mixed_achieved_rate", value: homa.high.answeredPerSecond, unit: "rpc/s")
                .against("tcp", tcp.high.answeredPerSecond),
            ResultRecord(measure: "packets_resent", value: homa.packetsRetransmitted, unit: "packets"),
        ].map { $0.with("load_fraction", 0.8) }
        for carrier in link.carriers {
            for phase in [carrier.half, carrier.high, carrier.overload] {
                records += phaseRecords(phase, link).map { $0.with("protocol", carrier.key) }
            }
            records.append(
                ResultRecord(measure: "overload_recovery", value: recovered(carrier), unit: "s")
                    .with("protocol", carrier.key).with("overload_s", link.overloadSeconds)
                    .with("limit_s", link.afterSeconds).with("load_fraction", link.afterLoad))
        }
        return records.map {
            $0.with("path", place).with("link_bps", Int(link.rate.bitsPerSecond)).with("hosts", link.hosts)
                .with("workload", "w4")
        }
    }

    private func phaseRecords(_ phase: DemoPhase, _ link: DemoLink) -> [ResultRecord] {
        func time(_ measure: String, _ value: Double?) -> ResultRecord {
            ResultRecord(measure: measure, value: (value ?? .nan) / 1000, unit: "us")
        }
        return [
            time("link_short_p50", phase.shortP50), time("link_short_p99", phase.shortP99),
            time("link_all_p99", phase.allP99),
            ResultRecord(
                measure: "link_short_slowdown_p99", value: Self.slowdown(phase, link) ?? .nan, unit: "ratio"),
            ResultRecord(measure: "link_goodput", value: phase.goodput, unit: "bit/s"),
        ].map { $0.with("load_fraction", phase.load).with("short_messages", phase.shortCount) }
    }

    /// Not a number when it was not within the time measured.
    private func recovered(_ carrier: DemoCarrier) -> Double {
        if case .after(let seconds) = carrier.recovery { seconds } else { .nan }
    }

    private var memoryRecords: [ResultRecord] {
        let memory = Self.memory(measurements)
        return [
            ResultRecord(measure: "bpages_high_water", value: memory.highWater, unit: "bpages"),
            ResultRecord(measure: "bpages_touched", value: memory.touched, unit: "bpages"),
        ].map { $0.with("path", place) }
    }

    private var disturbanceRecords: [ResultRecord] {
        var parts = [("idle", measurements.idle.disturbance)]
        parts += (measurements.link?.carriers ?? []).map { ("link-\($0.key)", $0.disturbance) }
        return parts.flatMap { part, disturbance -> [ResultRecord] in
            guard let disturbance else { return [] }
            return [
                ResultRecord(measure: "disturbance_others", value: disturbance.others, unit: "ratio"),
                ResultRecord(measure: "disturbance_stolen", value: disturbance.stolen, unit: "ratio"),
                ResultRecord(
                    measure: "disturbance_wait", value: disturbance.waitMicroseconds ?? .nan, unit: "us"),
            ].map { $0.with("part", part).with("is_busy", .flag(disturbance.isBusy)) }
        }
    }

    private var verdictRecord: ResultRecord {
        let verdict = verdict
        return ResultRecord(measure: "failures", value: Double(verdict.failures.count), unit: "count")
            .with("path", place).with("sentence", verdict.sentence)
    }

    private func ratio(_ measure: String, _ one: Double, _ other: Double) -> ResultRecord {
        ResultRecord(measure: measure, value: one / other, unit: "ratio")
    }
}
