// SPDX-License-Identifier: Apache-2.0

public import HomaBase
import HomaBuffers
public import HomaWire

/// Plain information.
extension Endpoint {
    public var statistics: EndpointStatistics { counters }

    /// RPCs in the table, client and server.
    public var rpcCount: Int { rpcs.count }

    /// Peers known.
    public var peerCount: Int { peers.count }

    /// Bytes granted or unscheduled and not yet received, as the granter counts them.
    public var incomingBytes: Int { granter.totalIncoming }

    /// The cutoffs that senders are told; entry 0 is the most bytes of a message that they are asked to send without a
    /// grant, 0 when they may send as they like.
    public var unscheduledCutoffs: CutoffsFields { mutating get { announcedCutoffs } }

    /// Messages waiting for buffers.
    public var waitingForBuffers: Int { waiting.count }

    /// Gap and resend ranges in use.
    var rangesInUse: Int { ranges.used }

    public func information(about handle: RPCHandle, at now: Instant) -> RPCInformation? {
        rpcs.resolve(handle).map { information(slot: $0, at: now) }
    }

    /// Every RPC, in the order of its slot.
    public func allInformation(at now: Instant) -> [RPCInformation] {
        var all: [RPCInformation] = []
        var next = rpcs.live(from: 0)
        while let slot = next {
            all.append(information(slot: slot, at: now))
            next = rpcs.live(from: slot + 1)
        }
        return all
    }

    private func information(slot: UInt32, at now: Instant) -> RPCInformation {
        let rpc = rpcs.at(slot).pointee
        let phase: RPCInformation.Phase =
            switch rpc.state {
            case .incoming: .incoming
            case .inService: .inService
            default: .outgoing
            }
        return RPCInformation(
            handle: rpcs.handle(of: slot), id: rpc.id, peer: peers.at(rpc.peer).pointee.address,
            localPort: rpc.localPort,
            peerPort: rpc.peerPort, phase: phase, sendLength: Int(rpc.outgoing.length), sent: Int(rpc.outgoing.next),
            sendGranted: Int(rpc.outgoing.granted), receiveLength: Int(rpc.incoming.length),
            received: Int(rpc.incoming.received), receiveGranted: Int(rpc.incoming.granted),
            gaps: Int(rpc.incoming.gaps.count), waitsForBuffers: rpc.incoming.buffers == .waiting,
            ageNanoseconds: now.nanoseconds(since: rpc.birth))
    }
}
