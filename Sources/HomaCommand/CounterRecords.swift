// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaBench
import HomaBuffers
import HomaCore

/// What a node counted, as records.
func counterRecords(_ statistics: HomaStatistics) -> [ResultRecord] {
    let pool = statistics.pool
    let endpoint = statistics.endpoint
    let figures: [(String, Double, String)] = [
        ("bpages_high_water", Double(pool.highWaterMark), "bpages"),
        ("bpages_touched", Double(pool.pagesTouched), "bpages"),
        ("bytes_in_place", Double(statistics.bytesInPlace), "B"),
        ("bytes_copied", Double(statistics.bytesCopied), "B"),
        ("trains_misplaced", Double(statistics.trainsMisplaced), "trains"),
        ("bundles_received", Double(statistics.bundlesReceived), "bundles"),
        ("packets_bundled", Double(statistics.network.bundledPackets), "packets"),
        ("packets_passed_on", Double(statistics.packetsPassedOn), "packets"),
        ("acks_passed_on", Double(statistics.acksPassedOn), "acks"),
        ("buffer_stalls", Double(endpoint.bufferStalls), "messages"),
        ("requests_evicted", Double(endpoint.requestsEvicted), "rpc"),
        ("packets_retransmitted", Double(endpoint.packetsRetransmitted), "packets"),
        ("requests_delivered", Double(endpoint.requestsDelivered), "rpc"),
        ("calls_completed", Double(endpoint.callsCompleted), "rpc"),
        ("calls_failed", Double(endpoint.callsFailed), "rpc"),
        ("receive_buffer_granted", Double(statistics.receiveBufferBytes), "B"),
        ("receive_buffer_wanted", Double(statistics.receiveBufferBytesWanted), "B"),
        ("send_buffer_granted", Double(statistics.sendBufferBytes), "B"),
        ("send_buffer_wanted", Double(statistics.sendBufferBytesWanted), "B"),
    ]
    let totals = figures.map { ResultRecord(measure: $0.0, value: $0.1, unit: $0.2).with("protocol", "homa") }
    return totals + dropRecords(statistics)
}

/// Packets not accepted, by reason; reasons that never occurred are left out.
private func dropRecords(_ statistics: HomaStatistics) -> [ResultRecord] {
    var records = DropReason.allCases.map { reason in
        (name: "\(reason)", count: statistics.endpoint.drops(for: reason))
    }
    records += statistics.malformedPackets.sorted { $0.key < $1.key }.map {
        (name: "malformed: \($0.key)", count: $0.value)
    }
    let network = statistics.network
    records += [
        ("frame: malformed", network.malformedFrames), ("frame: bad checksum", network.badChecksums),
        ("frame: foreign", network.foreignFrames), ("refused", network.refusedPackets),
        ("receive buffer full", network.receiveOverflows),
        ("for another shard", statistics.misdirectedPackets),
        ("truncated", network.truncated), ("too big", network.droppedTooBig),
        ("forbidden", network.droppedForbidden), ("unreachable", network.droppedUnreachable),
        ("no room", network.droppedNoRoom),
        ("other send error", network.droppedOther),
    ]
    return records.filter { $0.count > 0 }.map {
        ResultRecord(measure: "dropped_packets", value: Double($0.count), unit: "packets").with("reason", $0.name)
    }
}
