// SPDX-License-Identifier: Apache-2.0

import HomaBench

/// One line of the performance record.
package enum SuiteMeasure: String, CaseIterable, Sendable {
    case goodputVsTCP = "goodput_500kb_vs_tcp"
    case goodputVsCopy = "goodput_500kb_vs_copy_after_complete"
    case goodputVsUDP = "goodput_500kb_vs_raw_udp"
    case roundTripVsUDP = "rtt_100b_vs_raw_udp"
    case packetRoundTripVsUDP = "rtt_100b_mmap_vs_raw_udp"
    case roundTripVsTCP = "rtt_100b_vs_tcp"
    case rate = "rpc_rate_per_second"
    case rateVsTCP = "rpc_rate_vs_tcp"
    case rateVsGatheringTCP = "rpc_rate_vs_tcp_gathering"
    case mixedRateVsTCP = "rpc_rate_w1_vs_tcp"
    case pool = "pool_alloc_release_ns"
    case poolVsMalloc = "pool_vs_best_malloc"
    case shortTail = "short_p99_tcp_over_homa"
    case core = "core_ns_per_packet"
    case shards = "shards_2_vs_1"
    case idleMemory = "idle_node_resident_bytes"
    case touchedPages = "region_bpages_touched_w3"
    case touchedPagesShort = "region_bpages_touched_w3_to_64kb"

    /// What it says, in words.
    var meaning: String {
        switch self {
        case .goodputVsTCP: "500 KB requests, goodput, Homa ÷ TCP"
        case .goodputVsCopy: "the same, bpages ÷ copy after complete"
        case .goodputVsUDP: "the same, Homa ÷ bare UDP trains"
        case .roundTripVsUDP: "100 B round trip p50, spinning, Homa ÷ bare UDP"
        case .packetRoundTripVsUDP: "the same with packet rings ÷ bare UDP sockets"
        case .roundTripVsTCP: "100 B round trip p50, spinning, Homa ÷ TCP"
        case .rate: "100 B RPCs per second, 64 outstanding"
        case .rateVsTCP: "the same, Homa ÷ TCP with a write for each message"
        case .rateVsGatheringTCP: "the same, Homa ÷ TCP that gathers messages"
        case .mixedRateVsTCP: "RPCs of many short lengths per second (W1), Homa ÷ TCP with a write for each message"
        case .pool: "pool: a short piece out and back, one thread"
        case .poolVsMalloc: "pool: times faster than the best malloc, two threads"
        case .shortTail: "lab, W4 at 80 %: p99 of short messages, TCP ÷ Homa"
        case .core: "core: one in-order DATA packet, in or out"
        case .shards: "small RPCs per second, 2 shards ÷ 1 shard"
        case .idleMemory: "memory of an idle node"
        case .touchedPages: "bpages touched under a steady W3 load, one shard"
        case .touchedPagesShort: "the same without messages above one bpage"
        }
    }

    var unit: String {
        switch self {
        case .rate: "rpc/s"
        case .pool, .core: "ns"
        case .idleMemory: "bytes"
        case .touchedPages, .touchedPagesShort: "bpages"
        default: "ratio"
        }
    }

    /// Unit of the figures behind a ratio.
    var partsUnit: String {
        switch self {
        case .goodputVsTCP, .goodputVsCopy, .goodputVsUDP: "bit/s"
        case .rateVsTCP, .rateVsGatheringTCP, .mixedRateVsTCP, .shards: "rpc/s"
        default: "ns"
        }
    }

    /// What is wanted; nil where the figure is for information.
    var wanted: (relation: Threshold.Relation, limit: Double)? {
        switch self {
        case .goodputVsTCP: (.atLeast, 1.6)
        case .goodputVsCopy: (.atLeast, 1.7)
        case .goodputVsUDP: (.atLeast, 0.7)
        case .roundTripVsUDP: (.atMost, 1.2)
        case .packetRoundTripVsUDP: (.less, 1)
        case .rate: (.atLeast, 300_000)
        case .rateVsTCP: (.atLeast, 3)
        case .pool: (.atMost, 15)
        case .poolVsMalloc: (.atLeast, 3)
        case .shortTail: (.atLeast, 7)
        case .core: (.atMost, 150)
        case .shards: (.atLeast, 1)
        case .idleMemory: (.less, 20_000_000)
        case .touchedPages, .touchedPagesShort: (.atMost, 2)
        case .roundTripVsTCP, .rateVsGatheringTCP, .mixedRateVsTCP: nil
        }
    }

    /// True when `value` is as wanted, or at most `slack` times worse. A measure without a demand is always met.
    func isMet(_ value: Double, slack: Double) -> Bool {
        guard let (relation, limit) = wanted else { return true }
        switch relation {
        case .atLeast, .greater: return relation.holds(value * slack, limit)
        case .atMost, .less: return relation.holds(value / slack, limit)
        }
    }
}
