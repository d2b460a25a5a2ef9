// SPDX-License-Identifier: Apache-2.0

/// From a run to its result.
extension Simulation {
    mutating func takeNetworkFigures() {
        network.fill(&result, at: now, perPort: scenario.measurement.perPort)
        sampler.fill(&result, &network, scenario.topology)
    }

    /// Ends the run, wherever it is, and says what it found out.
    public consuming func finish() -> SimulationResult {
        if result.tiers.isEmpty { takeNetworkFigures() }
        meter.fill(&result)
        result.messagesFailed = measuredFailed
        result.messagesIncomplete = measuredStarted - measuredCompleted - measuredFailed
        result.packetHops = network.hops
        result.events = eventCount
        result.simulatedTime = Duration(picoseconds: now)
        result.homa = transport.homaStatistics()
        result.tcp = transport.tcpStatistics()
        result.dcpim = transport.dcpimStatistics()
        fillPackets()
        result.failure = failure()
        return result
    }

    private mutating func fillPackets() {
        for reason in NetworkDrop.allCases where network.dropPackets[Int(reason.rawValue)] > 0 {
            result.drops.append(
                DropCount(
                    reason: reason.name, packets: network.dropPackets[Int(reason.rawValue)],
                    wireBytes: network.dropBytes[Int(reason.rawValue)]))
        }
        for kind in PacketKind.allCases where kindPackets[Int(kind.rawValue)] > 0 {
            let index = Int(kind.rawValue)
            result.packetsByKind.append(
                KindCount(
                    kind: kind.name, packets: kindPackets[index], wireBytes: kindWireBytes[index],
                    payloadBytes: kindPayload[index]))
        }
        result.conservation.sent = sent
        result.conservation.received = received
        result.conservation.dropped = network.dropped
        result.conservation.underWay = network.countUnderWay()
    }

    private mutating func failure() -> String? {
        var reason: String?
        if !result.conservation.holds {
            let books = result.conservation
            reason =
                "packets do not add up: \(books.sent) sent, \(books.received) received, \(books.dropped) dropped, "
                + "\(books.underWay) under way"
        } else if ranDry, result.messagesIncomplete > 0 {
            reason = "nothing left to happen at \(now) ps, but \(result.messagesIncomplete) messages are incomplete"
        }
        return reason.map { "\($0); to replay: seed \(scenario.seed), \(scenario)" }
    }
}
