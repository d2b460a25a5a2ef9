// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

/// Unscheduled packets that are known to be lost before any timer tells (`probesUnscheduled`).
///
/// The sender sends its unscheduled bytes at once, whether or not the network has room for them. The probe that follows
/// them is not dropped as early as they are, so it tells the receiver, once for each message, what has been sent. Bytes
/// missing then no longer count as under way. They take part in granting: of the messages granted to, those with lost
/// bytes are asked for these first, by RESEND, and under the limits that hold for grants.
///
/// A packet that took another path and comes after the probe is no loss; if it was asked for before, it comes twice.
extension Endpoint {
    // MARK: At the sender

    /// The last unscheduled packet of a message has just been given out.
    mutating func sendLossProbe(_ slot: UInt32) {
        guard controlPackets.count < Self.maximumControlPackets else { return }
        let rpc = rpcs.at(slot)
        let peer = peer(of: slot)
        let body = DataFields(
            messageLength: rpc.pointee.outgoing.length, incoming: rpc.pointee.outgoing.granted, ack: .none,
            cutoffVersion: peer.pointee.cutoffVersion, offset: rpc.pointee.outgoing.unscheduled, payloadLength: 0)
        let header = PacketHeader(
            sourcePort: rpc.pointee.localPort, destinationPort: rpc.pointee.peerPort, senderID: rpc.pointee.id,
            extensions: ownExtension(marks(of: slot), tag: tag(of: slot)), body: .data(body))
        controlPackets.append(
            OutgoingPacket(
                header: header, peer: way(of: slot), priority: rpc.pointee.outgoing.unscheduledPriority))
        counters.probesSent += 1
    }

    // MARK: At the receiver

    /// Everything before the probe's offset has been sent.
    mutating func acceptLossProbe(_ slot: UInt32, _ data: DataFields, at now: Instant) -> Disposition {
        let rpc = rpcs.at(slot)
        rpc.pointee.lastHeard = now
        granter.willReceive(slot)
        granter.hear(slot)
        defer { granter.didReceive(slot, bytes: 0) }
        let arrival = ranges.arrive(
            data.offset..<data.offset, in: &rpc.pointee.incoming, maximumGaps: tuning.maximumGaps)
        if case .tooManyGaps = arrival { return .dropped(.tooManyGaps) }
        postponeProbe(slot, at: now)
        rpc.pointee.incoming.lostEnd = max(rpc.pointee.incoming.lostEnd, data.offset)
        recountLost(slot)
        counters.bytesFoundLost += UInt64(rpc.pointee.incoming.lost)
        return .consumed
    }

    /// Some of the bytes taken for lost may have come; call between the granter's `willReceive` and `didReceive`.
    mutating func recountLost(_ slot: UInt32) {
        let message = rpcs.at(slot).pointee.incoming
        granter.lose(
            slot, bytes: ranges.bytes(from: message.askedEnd, to: message.lostEnd, of: message.gaps),
            missing: ranges.bytes(from: 0, to: message.lostEnd, of: message.gaps))
    }

    /// Asks for lost bytes as far as the granter allows; for all of it in several steps, one for each gap.
    mutating func askForLost(_ grant: Granter.Grant) {
        let rpc = rpcs.at(grant.slot)
        let message = rpc.pointee.incoming
        guard let gap = ranges.first(from: message.askedEnd, to: message.lostEnd, of: message.gaps) else {
            return granter.lose(grant.slot, bytes: 0, missing: 0)
        }
        let end = min(gap.upperBound, gap.lowerBound + grant.offset)
        rpc.pointee.incoming.askedEnd = end
        granter.asked(grant.slot, bytes: end - gap.lowerBound)
        sendResend(grant.slot, offset: gap.lowerBound, length: Int32(end - gap.lowerBound), priority: grant.priority)
    }

    /// A timer has come up, and asks for everything that is missing.
    mutating func askedForAll(_ slot: UInt32) {
        let rpc = rpcs.at(slot)
        rpc.pointee.incoming.askedEnd = max(rpc.pointee.incoming.askedEnd, rpc.pointee.incoming.end)
        let missing = rpc.pointee.incoming.missing
        if missing > 0 { granter.lose(slot, bytes: 0, missing: missing) }
    }
}

extension RangePool {
    /// The first part of a list that lies in so many bytes; nil: there is none.
    func first(from start: UInt32, to end: UInt32, of list: RangeList) -> Range<UInt32>? {
        var index = list.head
        while let (range, next) = node(index), range.lowerBound < end {
            if range.upperBound > start {
                let first = max(range.lowerBound, start)
                return first..<max(first, min(range.upperBound, end))
            }
            index = next
        }
        return nil
    }

    /// Bytes of a list that lie between two offsets.
    func bytes(from start: UInt32, to end: UInt32, of list: RangeList) -> UInt32 {
        var sum: UInt32 = 0
        var index = list.head
        while let (range, next) = node(index), range.lowerBound < end {
            let (first, last) = (max(range.lowerBound, start), min(range.upperBound, end))
            if first < last { sum += last - first }
            index = next
        }
        return sum
    }
}
