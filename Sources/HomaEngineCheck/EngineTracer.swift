// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaCheck
import HomaCore
import HomaIO

/// What is remembered of a run that is traced.
final class EngineTracer {
    var trace = SwarmTrace()
    /// Whose an address is or was.
    var owners: [PeerAddress: Int] = [:]

    /// The last events of an RPC at all hosts, in the order of time, one a line.
    static func lines(of rpc: RPCID, _ lives: [(host: Int, memory: MemoryHost)], most: Int = 30) -> [String] {
        var events: [(time: Instant, order: Int, text: String)] = []
        for (host, memory) in lives {
            for (time, shard, event) in memory.trace(of: rpc) {
                let micros = "\(time.nanoseconds / 1000) µs"
                events.append((time, events.count, "\(micros) host \(host) shard \(shard): \(event.text)"))
            }
        }
        events.sort { ($0.time, $0.order) < ($1.time, $1.order) }
        return events.suffix(most).map(\.text)
    }
}

extension EngineRun {
    func notePacket(
        _ fate: PacketFate, _ source: PeerAddress, _ destination: PeerAddress, _ packet: UnsafeRawBufferPointer,
        _ tracer: EngineTracer
    ) {
        let kind: SwarmTrace.Kind =
            switch fate {
            case .sent: .sent
            case .arrived: .arrived
            case .lost: .lost
            case .noWay: .noWay
            case .tooLong: .tooLong
            }
        let (from, to) = (tracer.owners[source], tracer.owners[destination])
        let host = (kind == .arrived ? to : from) ?? Int(SwarmTrace.nobody)
        tracer.trace.note(
            kind, at: world.now.nanoseconds, host: host, other: kind == .arrived ? from : to, packet: packet)
        guard fate == .sent else { return }
        SwarmTrace.requests(in: packet) { id, payload in
            guard payload.count >= 8, let index = Self.index(of: payload), calls.indices.contains(index) else { return }
            calls[index].id = RPCID(rawValue: id)
        }
    }
}

extension EnginePlan {
    /// In words, before a trace.
    var lines: [String] {
        var lines = [
            "seed \(seed): \(operations.count) operations, faults \(faultSet.text), heals at "
                + "\(heals.nanoseconds / 1000) µs, \(delay / 1000) µs away"
        ]
        for (index, host) in hosts.enumerated() {
            let (configuration, socket) = (host.configuration, host.configuration.socket)
            lines.append(
                "host \(index): \(host.shards) shards, \(configuration.pool.regionLength >> 20) MB, link MTU "
                    + "\(host.linkMTU), socket \(host.socketBytes) bytes, spins "
                    + "\(configuration.spinNanoseconds) ns, step \(host.stepTime) ns, wakes in \(host.wakeTime) ns, "
                    + "\(configuration.receiveMode), GSO \(socket.gso), \(socket.receiveSlots) slots"
                    + (host.refusesTrains ? ", takes no trains" : "")
                    + (configuration.receivesInPlace ? ", receives in place" : ""))
        }
        for incident in incidents {
            lines.append(
                "incident \(incident.kind) at \(incident.time.nanoseconds / 1000) µs for \(incident.length / 1000) µs, "
                    + "host \(incident.host), other \(incident.other)")
        }
        return lines
    }
}
