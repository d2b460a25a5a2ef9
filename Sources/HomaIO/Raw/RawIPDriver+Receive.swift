// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase
internal import HomaPosix

extension RawIPDriver {
    /// Receives what is there, at most one batch of one socket; the number of packets for ``datagram(_:)``.
    ///
    /// 0 means that nothing is left now, or that nothing of a batch was for this node. Hijacked TCP and the rest take
    /// turns in being first.
    mutating func receive() -> Int {
        guard hijacked != nil else { return receive(isHijacked: false) }
        isHijackedFirst.toggle()
        let count = receive(isHijacked: isHijackedFirst)
        return count > 0 ? count : receive(isHijacked: !isHijackedFirst)
    }

    /// One packet of the last ``receive()``.
    mutating func datagram(_ index: Int) -> ReceivedDatagram {
        precondition(index >= 0 && index < datagrams.receiveRing.slotCount)
        let slot = datagrams.receiveRing.slots[index]
        var source = PeerAddress(slot.from)
        source.local = datagrams.own.number(of: slot.to)
        let skipped = Int(slot.overflow_count)
        return ReceivedDatagram(
            baseAddress: UnsafeRawPointer(slot.base) + skipped, byteCount: Int(slot.byte_count) - skipped,
            segmentSize: Int(slot.byte_count) - skipped, source: source,
            trafficClass: slot.traffic_class)
    }

    private mutating func receive(isHijacked: Bool) -> Int {
        var attempts = 0
        while true {
            let (slots, count) = (datagrams.receiveRing.slots, datagrams.receiveRing.slotCount)
            let result = isHijacked ? hijacked!.receive(slots, count) : datagrams.main.receive(slots, count)
            if result > 0 { return keepOurs(Int(result), isHijacked: isHijacked) }
            switch -result {
            case 0, EAGAIN: return 0
            case EINTR: continue
            default:
                datagrams.statistics.pendingErrors += 1
                datagrams.mayHaveErrors = true
                attempts += 1
                guard attempts < 16 else {
                    datagrams.statistics.receiveFailures += 1
                    return 0
                }
            }
        }
    }

    /// Moves what is for this node to the front; how many. In each such slot `overflow_count` then holds the bytes of
    /// the IP header, and `from` the port.
    private mutating func keepOurs(_ count: Int, isHijacked: Bool) -> Int {
        let slots = datagrams.receiveRing.slots
        // All of a batch come from one socket.
        let isIPv6 = !PeerAddress(slots[0].from).isIPv4
        var good = 0
        datagrams.statistics.receiveBatches += 1
        for i in 0..<count {
            if slots[i].has_overflow_count != 0 {
                noteOverflows(slots[i].overflow_count, of: (isHijacked ? 2 : 0) + (isIPv6 ? 1 : 0))
            }
            guard let header = headerBytes(slots[i], isIPv6: isIPv6) else { continue }
            slots[i].overflow_count = UInt32(header)
            let packet = UnsafeRawPointer(slots[i].base!) + header
            if isHijacked, !Self.isHijackedHoma(packet, count: Int(slots[i].byte_count) - header) {
                datagrams.statistics.foreignFrames += 1
                continue
            }
            slots[i].from.port = packet.loadBigEndian(0, as: UInt16.self)
            guard ports.isOurs(packet.loadBigEndian(2, as: UInt16.self)) else {
                // The sender's TCP would get the answer, and knows nothing of the packet.
                if isHijacked {
                    datagrams.statistics.foreignFrames += 1
                } else {
                    refuse(slots[i], headerBytes: header, isIPv6: isIPv6)
                }
                continue
            }
            datagrams.statistics.receivedPackets += 1
            datagrams.statistics.receivedDatagrams += 1
            datagrams.statistics.receivedBytes += UInt64(slots[i].byte_count) - UInt64(header)
            if good != i { swap(&slots[good], &slots[i]) }
            good += 1
        }
        return good
    }

    /// Bytes of the IP header that an IPv4 socket delivers too. nil: too short to be a Homa packet, and counted.
    private mutating func headerBytes(_ slot: homa_incoming, isIPv6: Bool) -> Int? {
        guard slot.is_truncated == 0 else {
            datagrams.statistics.truncated += 1
            return nil
        }
        let count = Int(slot.byte_count)
        var header = 0
        if !isIPv6 {
            guard count >= 20 else {
                datagrams.statistics.malformedFrames += 1
                return nil
            }
            header = Int(slot.base.load(as: UInt8.self) & 15) * 4
        }
        guard count >= header + 4, isIPv6 || header >= 20 else {
            datagrams.statistics.malformedFrames += 1
            return nil
        }
        return header
    }

    /// What is for another node's port is its business; what is for nobody's is answered, within limits.
    private mutating func refuse(_ slot: homa_incoming, headerBytes: Int, isIPv6: Bool) {
        datagrams.statistics.foreignFrames += 1
        let packet = UnsafeRawPointer(slot.base!)
        guard ports.answersForHost, answers.allowsOne(at: MonotonicClock.process.now()),
            !ports.belongsToSomebody((packet + headerBytes).loadBigEndian(2, as: UInt16.self))
        else { return }
        var sender = slot.from
        let count = min(Int(slot.byte_count), headerBytes + Self.quotedBytes)
        if homa_send_port_unreachable(&sender, packet, count, Self.protocolNumber) >= 0 {
            datagrams.statistics.refusedPackets += 1
        }
    }

    /// Of a packet that is answered with "unreachable": more than its longest header.
    private static var quotedBytes: Int { 128 }

    /// What came before the filter was there is told by the same marks.
    private static func isHijackedHoma(_ packet: UnsafeRawPointer, count: Int) -> Bool {
        count >= 20 && packet.load(fromByteOffset: 13, as: UInt8.self) == 6
            && packet.loadBigEndian(18, as: UInt16.self) == 0xB97D
    }

    private mutating func noteOverflows(_ total: UInt32, of socket: Int) {
        datagrams.statistics.receiveOverflows += UInt64(total &- lastOverflows[socket])
        lastOverflows[socket] = total
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
