// SPDX-License-Identifier: Apache-2.0

import HomaScenarios
import HomaWorkloads

/// One host that receives messages into its buffers: what is modelled of it.
///
/// Messages begin at random moments; their first packets come at once, and so the question for memory. The rest comes
/// over the host's link, which the shortest messages share. A complete message is held by the application for some
/// time, then its memory comes back. The books of bpages are those of the library's own `BufferPool`.
struct ReceiverModel: Equatable, Sendable {
    /// How the region is cut.
    enum Structure: String, Sendable, CaseIterable {
        /// bpages, packed, as this library does.
        case bpages
        /// A buffer of 1 MB, the longest message, for every message.
        case messageBuffers = "message-buffers"
        /// A buffer for every packet.
        case packetBuffers = "packet-buffers"
    }

    /// Who gets memory when there is not enough for all.
    enum Policy: String, Sendable, CaseIterable {
        /// All of a message's memory or none; the shortest that waits comes next, with a small share for the oldest.
        case shortestFirst = "shortest-first"
        /// All or none, in the order of arrival.
        case firstCome = "first-come"
        /// A message takes each page when its bytes reach it.
        case pageByPage = "page-by-page"
    }

    /// `w1` … `w5` or a number of bytes; messages above 1 MB are cut.
    var workload = "w4"
    /// Of the host's link, with headers.
    var load = 0.8
    var messages = 20_000
    /// All messages begin at the same moment.
    var isBurst = false
    var structure = Structure.bpages
    var policy = Policy.shortestFirst
    var regionBytes = 64 << 20
    var bpageBytes = 64 << 10
    /// Application data in a packet, and what a packet buffer has.
    var packetBytes = 1_442
    var linkGbps = 25.0
    /// Messages that are received at the same time: the overcommitment.
    var together = 8
    /// How long the application holds a message.
    var holdMicroseconds = 0.0
    var seed: UInt64 = 1

    /// Bytes that a packet has on the wire beside its data, as in the SIGCOMM 2018 simulations.
    static let packetOverhead = 96
    /// From space found to the first byte asked for again: one round trip of the cluster of the ATC 2021 paper.
    static let askAgainNanoseconds: UInt64 = 15_000
    /// Least time of any message, beside its time on the wire: half of that.
    static let leastNanoseconds = 7_500.0

    var json: JSONValue {
        .object([
            .init("model", .string("receiver")), .init("workload", .string(workload)), .init("load", .double(load)),
            .init("messages", .integer(messages)), .init("burst", .bool(isBurst)),
            .init("structure", .string(structure.rawValue)), .init("policy", .string(policy.rawValue)),
            .init("region_bytes", .integer(regionBytes)), .init("bpage_bytes", .integer(bpageBytes)),
            .init("packet_bytes", .integer(packetBytes)), .init("link_gbps", .double(linkGbps)),
            .init("together", .integer(together)), .init("hold_us", .double(holdMicroseconds)),
            .init("seed", .integer(seed)),
        ])
    }

    var key: String { StableHash.of(json.description) }

    /// Sizes as the model draws them.
    var sizes: SizeDistribution {
        let named = (try? Workload.named(workload))?.sizes ?? .w4
        return named.truncated(to: 1_000_000)
    }

    /// Nanoseconds that so many bytes of a message take on the link.
    func wireNanoseconds(_ bytes: Int) -> Double {
        let packets = (bytes + packetBytes - 1) / packetBytes
        return Double(bytes + packets * Self.packetOverhead) * 8 / linkGbps
    }

    /// Runs the model on this thread.
    func run() -> JSONValue {
        var run = ReceiverRun(self)
        return run.result()
    }
}
