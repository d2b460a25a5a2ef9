// SPDX-License-Identifier: Apache-2.0

public import HomaBase
import HomaWire

/// What is kept of what happens, for tests and for whoever looks for a fault.
extension Endpoint {
    /// Keeps the last `capacity` events from now on, 0 … 2²⁴, rounded up to a power of two; 0, as at the beginning,
    /// keeps none. Each takes 32 bytes.
    public mutating func startTrace(keeping capacity: Int) { trace.start(keeping: min(max(0, capacity), 1 << 24)) }

    /// What happened last, in order: to one RPC, named by this side's identifier or the other's, or to all.
    public mutating func traceEvents(of rpc: RPCID? = nil) -> [TraceEvent] {
        guard let rpc else { return trace.all }
        return trace.all.filter { $0.rpc == rpc || $0.rpc == rpc.peer }
    }

    // MARK: Recording

    @inline(__always)
    mutating func record(
        _ kind: TraceEvent.Kind, _ slot: UInt32, detail: UInt8 = 0, _ first: UInt32 = 0, _ second: UInt32 = 0,
        at now: Instant
    ) {
        if trace.isOn { append(kind, slot, detail: detail, first, second, at: now) }
    }

    @inline(__always)
    mutating func record(
        _ header: PacketHeader, as disposition: Disposition, from peer: UInt32?, at now: Instant
    ) {
        if trace.isOn { append(header, as: disposition, from: peer, at: now) }
    }

    @inline(__always)
    mutating func record(sent packet: UnsafePointer<OutgoingPacket>, again: Bool, at now: Instant) {
        if trace.isOn { append(sent: packet, again: again, at: now) }
    }

    // Calls, not part of what they record: they read whole headers, which would else be kept at hand for them.

    @inline(never)
    private mutating func append(
        _ kind: TraceEvent.Kind, _ slot: UInt32, detail: UInt8, _ first: UInt32, _ second: UInt32, at now: Instant
    ) {
        let rpc = rpcs.at(slot)
        trace.append(
            TraceEvent(
                time: now, rpc: rpc.pointee.id, peer: rpc.pointee.peer, kind: kind, detail: detail, first: first,
                second: second))
    }

    @inline(never)
    private mutating func append(
        _ header: PacketHeader, as disposition: Disposition, from peer: UInt32?, at now: Instant
    ) {
        let (first, second) = header.body.extent
        var kind = TraceEvent.Kind.received
        var detail = header.common.type.rawValue
        if case .dropped(let reason) = disposition { (kind, detail) = (.dropped, reason.rawValue) }
        trace.append(
            TraceEvent(
                time: now, rpc: header.common.senderID.peer, peer: peer ?? .max, kind: kind, detail: detail,
                first: first, second: second))
    }

    @inline(never)
    private mutating func append(sent packet: UnsafePointer<OutgoingPacket>, again: Bool, at now: Instant) {
        let header = packet.pointee.header
        let (first, second) = header.body.extent
        let peer = findPeer(packet.pointee.peer) ?? .max
        trace.append(
            TraceEvent(
                time: now, rpc: header.common.senderID, peer: peer,
                kind: again ? .retransmitted : .sent, detail: header.common.type.rawValue, first: first,
                second: second))
    }
}

extension PacketBody {
    /// What a packet is about, in two numbers, see ``TraceEvent/Kind/received``.
    fileprivate var extent: (UInt32, UInt32) {
        switch self {
        case .data(let data): (data.offset, data.payloadLength)
        case .grant(let grant): (grant.offset, UInt32(grant.priority))
        case .resend(let resend): (resend.offset, UInt32(bitPattern: resend.length))
        default: (0, 0)
        }
    }
}
