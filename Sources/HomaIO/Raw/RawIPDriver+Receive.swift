// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase

extension RawIPDriver {
    /// Receives what is there, at most one batch of one family; the number of packets for ``datagram(_:)``.
    ///
    /// 0 means that nothing is left now, or that nothing of a batch was for this node.
    mutating func receive() -> Int {
        isIPv6Next.toggle()
        let isIPv6First = isIPv6Next
        let count = receive(isIPv6: isIPv6First)
        return count > 0 ? count : receive(isIPv6: !isIPv6First)
    }

    /// One packet of the last ``receive()``.
    mutating func datagram(_ index: Int) -> ReceivedDatagram {
        precondition(index >= 0 && index < receiveRing.slotCount)
        let slot = receiveRing.slots[index]
        var source = PeerAddress(slot.from)
        source.local = own.number(of: slot.to)
        let skipped = Int(slot.overflow_count)
        return ReceivedDatagram(
            baseAddress: UnsafeRawPointer(slot.base) + skipped, byteCount: Int(slot.byte_count) - skipped,
            segmentSize: Int(slot.byte_count) - skipped, source: source,
            trafficClass: slot.traffic_class)
    }

    private mutating func receive(isIPv6: Bool) -> Int {
        let descriptor = isIPv6 ? sockets.ipv6 : sockets.ipv4
        guard descriptor >= 0 else { return 0 }
        var attempts = 0
        while true {
            let result = homa_receive(
                descriptor, receiveRing.slots, UInt32(receiveRing.slotCount), sockets.calls.canReceive ? 0 : 1)
            if result > 0 { return keepOurs(Int(result), isIPv6: isIPv6) }
            switch -result {
            case 0, EAGAIN: return 0
            case EINTR: continue
            default:
                statistics.pendingErrors += 1
                mayHaveErrors = true
                attempts += 1
                guard attempts < 16 else {
                    statistics.receiveFailures += 1
                    return 0
                }
            }
        }
    }

    /// Moves what is for this node to the front; how many. In each such slot `overflow_count` then holds the bytes of
    /// the IP header, and `from` the port.
    private mutating func keepOurs(_ count: Int, isIPv6: Bool) -> Int {
        let slots = receiveRing.slots
        var good = 0
        statistics.receiveBatches += 1
        for i in 0..<count {
            if slots[i].has_overflow_count != 0 { noteOverflows(slots[i].overflow_count, isIPv6: isIPv6) }
            guard let header = headerBytes(slots[i], isIPv6: isIPv6) else { continue }
            slots[i].overflow_count = UInt32(header)
            let packet = UnsafeRawPointer(slots[i].base!) + header
            slots[i].from.port = packet.loadBigEndian(0, as: UInt16.self)
            guard ports.isOurs(packet.loadBigEndian(2, as: UInt16.self)) else {
                refuse(slots[i], headerBytes: header, isIPv6: isIPv6)
                continue
            }
            statistics.receivedPackets += 1
            statistics.receivedDatagrams += 1
            statistics.receivedBytes += UInt64(slots[i].byte_count) - UInt64(header)
            if good != i { swap(&slots[good], &slots[i]) }
            good += 1
        }
        return good
    }

    /// Bytes of the IP header that an IPv4 socket delivers too. nil: too short to be a Homa packet, and counted.
    private mutating func headerBytes(_ slot: homa_incoming, isIPv6: Bool) -> Int? {
        guard slot.is_truncated == 0 else {
            statistics.truncated += 1
            return nil
        }
        let count = Int(slot.byte_count)
        var header = 0
        if !isIPv6 {
            guard count >= 20 else {
                statistics.malformedFrames += 1
                return nil
            }
            header = Int(slot.base.load(as: UInt8.self) & 15) * 4
        }
        guard count >= header + 4, isIPv6 || header >= 20 else {
            statistics.malformedFrames += 1
            return nil
        }
        return header
    }

    /// What is for another node's port is its business; what is for nobody's is answered, within limits.
    private mutating func refuse(_ slot: homa_incoming, headerBytes: Int, isIPv6: Bool) {
        statistics.foreignFrames += 1
        let packet = UnsafeRawPointer(slot.base!)
        guard ports.answersForHost, answers.allowsOne(at: MonotonicClock.process.now()),
            !ports.belongsToSomebody((packet + headerBytes).loadBigEndian(2, as: UInt16.self))
        else { return }
        var sender = slot.from
        let count = min(Int(slot.byte_count), headerBytes + Self.quotedBytes)
        if homa_send_port_unreachable(&sender, packet, count, Self.protocolNumber) >= 0 {
            statistics.refusedPackets += 1
        }
    }

    /// Of a packet that is answered with "unreachable": more than its longest header.
    private static var quotedBytes: Int { 128 }

    private mutating func noteOverflows(_ total: UInt32, isIPv6: Bool) {
        statistics.receiveOverflows += UInt64(total &- (isIPv6 ? lastOverflows.ipv6 : lastOverflows.ipv4))
        if isIPv6 { lastOverflows.ipv6 = total } else { lastOverflows.ipv4 = total }
    }
}

/// Keeps a flood of misdirected packets from becoming a flood of answers: 1000 a second, as many in one go, like
/// the kernel's own limit (icmp_msgs_per_sec, net/ipv4/icmp.c).
struct AnswerLimit {
    private static let perSecond: UInt64 = 1000
    private var tokens = perSecond
    private var lastRefill: Instant?

    mutating func allowsOne(at now: Instant) -> Bool {
        let interval = 1_000_000_000 / Self.perSecond
        guard let last = lastRefill else {
            lastRefill = now
            tokens -= 1
            return true
        }
        let earned = now.nanoseconds(since: last) / interval
        if earned > 0 {
            tokens = min(Self.perSecond, tokens + earned)
            lastRefill = last.advanced(byNanoseconds: earned * interval)
        }
        guard tokens > 0 else { return false }
        tokens -= 1
        return true
    }
}
