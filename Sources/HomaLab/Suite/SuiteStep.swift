// SPDX-License-Identifier: Apache-2.0

import Glibc
import HomaBase
import HomaBench
import HomaWorkloads

/// One thing that is run once in every round.
enum SuiteStep: String, CaseIterable, Sendable {
    case goodputHoma = "goodput, Homa"
    case goodputCopy = "goodput, Homa with copy after complete"
    case goodputTCP = "goodput, TCP"
    case goodputUDP = "goodput, bare UDP trains"
    case roundTripUDP = "round trip, bare UDP"
    case roundTripHoma = "round trip, Homa"
    case roundTripPacket = "round trip, Homa over packet rings"
    case roundTripTCP = "round trip, TCP"
    case rateHoma = "rate, Homa"
    case rateTCP = "rate, TCP, a write each"
    case rateGatheringTCP = "rate, TCP, gathering"
    case rateMixedHoma = "rate, Homa, lengths of W1"
    case rateMixedTCP = "rate, TCP, a write each, lengths of W1"
    case rateOneShard = "rate, Homa, one shard, all cores"
    case rateTwoShards = "rate, Homa, two shards, all cores"
    case touchedPages = "bpages under W3"
    case touchedPagesShort = "bpages under W3, messages of at most 64 KB"
    case idleMemory = "memory of an idle node"
    case poolOneThread = "pool, one thread"
    case poolTwoThreads = "pool, two threads"
    case glibc = "glibc malloc, two threads"
    case jemalloc = "jemalloc, two threads"
    case mimalloc = "mimalloc, two threads"
    case core = "core"

    /// A server, a client and the figure that one of them tells.
    struct Exchange {
        var carrier: ProtocolChoice
        var serverOptions: [String] = ["--spin", "forever"]
        /// `ping` or `bench`, and its options.
        var command: String
        var clientOptions: [String]
        var measure: String
        var isToldByServer = false
        /// Both sides may run on all cores, instead of on one each.
        var sharesCores = false
    }

    /// How long things take.
    struct Times {
        var isQuick: Bool
        var goodput: [String] { ["--for", isQuick ? "400ms" : "700ms", "--warm-up", "200ms"] }
        var roundTrip: [String] { ["--for", isQuick ? "300ms" : "500ms", "--warm-up", "100ms"] }
        var rate: [String] { ["--for", isQuick ? "500ms" : "1s", "--warm-up", "200ms"] }
        var pieces: Int { isQuick ? 500_000 : 2_000_000 }
        var corePackets: Int { isQuick ? 500_000 : 2_000_000 }
        var lab: (seconds: Int, rounds: Int?) { isQuick ? (4, 1) : (8, nil) }
    }

    /// The processes of a step that needs a network; nil for one that does not.
    func exchange(_ times: Times, seed: UInt64) -> Exchange? {
        let large =
            ["--workload", "500K", "--outstanding", "4", "--response-size", "100", "--seed", "\(seed)"] + times.goodput
        let small = ["--workload", "100", "--outstanding", "64", "--seed", "\(seed)"] + times.rate
        let mixed = ["--workload", "w1", "--outstanding", "64", "--seed", "\(seed)"] + times.rate
        let ping = ["--size", "100"] + times.roundTrip
        let spin = ["--spin", "forever"]
        switch self {
        case .goodputHoma:
            return Exchange(carrier: .homa, command: "bench", clientOptions: spin + large, measure: "goodput")
        case .goodputCopy:
            let mode = ["--receive-mode", "copy-after-complete"]
            return Exchange(
                carrier: .homa, serverOptions: spin + mode, command: "bench", clientOptions: spin + mode + large,
                measure: "goodput")
        case .goodputTCP:
            return Exchange(carrier: .tcp, command: "bench", clientOptions: spin + large, measure: "goodput")
        case .goodputUDP:
            return Exchange(carrier: .trains, command: "bench", clientOptions: times.goodput, measure: "goodput")
        case .roundTripUDP, .roundTripHoma, .roundTripTCP:
            let carrier: ProtocolChoice =
                self == .roundTripUDP ? .udp : self == .roundTripHoma ? .homa : .tcp
            return Exchange(carrier: carrier, command: "ping", clientOptions: spin + ping, measure: "rtt_p50")
        case .roundTripPacket:
            let driver = ["--driver", "packet"]
            return Exchange(
                carrier: .homa, serverOptions: spin + driver, command: "ping", clientOptions: spin + driver + ping,
                measure: "rtt_p50")
        case .rateHoma, .rateGatheringTCP:
            return Exchange(
                carrier: self == .rateHoma ? .homa : .tcp, command: "bench", clientOptions: spin + small,
                measure: "achieved_rate")
        case .rateTCP, .rateMixedTCP:
            return Exchange(
                carrier: .tcp, serverOptions: spin + ["--write-each"], command: "bench",
                clientOptions: spin + ["--write-each"] + (self == .rateTCP ? small : mixed), measure: "achieved_rate")
        case .rateMixedHoma:
            return Exchange(
                carrier: .homa, command: "bench", clientOptions: spin + mixed, measure: "achieved_rate")
        case .rateOneShard, .rateTwoShards:
            // More threads than cores: they sleep when idle, or they would keep each other from working.
            let shards = ["--shards", self == .rateOneShard ? "1" : "2"]
            return Exchange(
                carrier: .homa, serverOptions: shards, command: "bench", clientOptions: shards + small,
                measure: "achieved_rate", sharesCores: true)
        case .touchedPages, .touchedPagesShort:
            // 300 Mb/s of payload: steady, far from what the machine can carry.
            let longest = self == .touchedPages ? HomaLimits.maximumMessageLength : 65_536
            let rate = LoadPlan.perSecond(
                load: 0.3, of: .gigabitsPerSecond(1), sizes: SizeDistribution.w3.truncated(to: longest))
            return Exchange(
                carrier: .homa, command: "bench",
                clientOptions: spin
                    + [
                        "--workload", "w3", "--longest", "\(longest)", "--rate", fixed(rate, 0), "--cap", "1000",
                        "--seed", "\(seed)",
                    ]
                    + times.rate,
                measure: "bpages_touched", isToldByServer: true)
        default: return nil
        }
    }

    /// Why this machine or this build cannot run the step; nil when it can.
    var obstacle: String? {
        switch self {
        case .roundTripPacket:
            return geteuid() == 0 ? nil : "packet sockets need CAP_NET_RAW; try as root"
        case .jemalloc, .mimalloc:
            return SuiteRounds.find(library) == nil ? "\(library ?? "") is not installed" : nil
        default: return nil
        }
    }

    /// The library whose `malloc` is measured; nil for the system's own.
    var library: String? {
        switch self {
        case .jemalloc: "libjemalloc.so.2"
        case .mimalloc: "libmimalloc.so.2"
        default: nil
        }
    }

    var unit: String {
        switch self {
        case .goodputHoma, .goodputCopy, .goodputTCP, .goodputUDP: "bit/s"
        case .rateHoma, .rateTCP, .rateGatheringTCP, .rateMixedHoma, .rateMixedTCP, .rateOneShard, .rateTwoShards:
            "rpc/s"
        case .touchedPages, .touchedPagesShort: "bpages"
        case .idleMemory: "bytes"
        default: "ns"
        }
    }
}

extension SuiteMeasure {
    /// The steps it is made of: Homa's, then its rivals'. Empty for what is not measured in rounds.
    var steps: [SuiteStep] {
        switch self {
        case .goodputVsTCP: [.goodputHoma, .goodputTCP]
        case .goodputVsCopy: [.goodputHoma, .goodputCopy]
        case .goodputVsUDP: [.goodputHoma, .goodputUDP]
        case .roundTripVsUDP: [.roundTripHoma, .roundTripUDP]
        case .roundTripVsTCP: [.roundTripHoma, .roundTripTCP]
        case .rate: [.rateHoma]
        case .rateVsTCP: [.rateHoma, .rateTCP]
        case .rateVsGatheringTCP: [.rateHoma, .rateGatheringTCP]
        case .mixedRateVsTCP: [.rateMixedHoma, .rateMixedTCP]
        case .pool: [.poolOneThread]
        case .poolVsMalloc: [.poolTwoThreads, .glibc, .jemalloc, .mimalloc]
        case .core: [.core]
        case .idleMemory: [.idleMemory]
        case .touchedPages: [.touchedPages]
        case .touchedPagesShort: [.touchedPagesShort]
        case .packetRoundTripVsUDP: [.roundTripPacket, .roundTripUDP]
        case .shards: [.rateTwoShards, .rateOneShard]
        case .shortTail: []
        }
    }

    /// Whom Homa is compared with, as records name it.
    var rivalName: String? {
        switch self {
        case .goodputVsTCP, .rateVsTCP, .mixedRateVsTCP, .roundTripVsTCP, .shortTail: "tcp"
        case .rateVsGatheringTCP: "tcp-gathering"
        case .goodputVsCopy: "copy-after-complete"
        case .goodputVsUDP: "udp-trains"
        case .roundTripVsUDP, .packetRoundTripVsUDP: "udp"
        case .shards: "one-shard"
        default: nil
        }
    }
}
