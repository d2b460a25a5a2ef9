// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase
internal import HomaPosix

extension RawIPDriver {
    /// Receives what is there, at most one batch of one socket; the number of packets for ``datagram(_:)``.
    ///
    /// 0 means that nothing is left now, or that nothing of a batch was for this node. The sockets, of which the last
    /// two are for hijacked TCP, take turns in being first.
    mutating func receive() -> Int {
        let sockets = hijacked.isOpen ? 4 : 2
        nextSocket = (nextSocket + 1) % sockets
        for turn in 0..<sockets {
            let count = receive(from: (nextSocket + turn) % sockets)
            if count > 0 { return count }
        }
        return 0
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

    private func descriptor(_ socket: Int) -> Int32 {
        switch socket {
        case 0: sockets.ipv4
        case 1: sockets.ipv6
        case 2: hijacked.ipv4
        default: hijacked.ipv6
        }
    }

    private mutating func receive(from socket: Int) -> Int {
        let descriptor = descriptor(socket)
        guard descriptor >= 0 else { return 0 }
        var attempts = 0
        while true {
            let result = homa_receive(
                descriptor, receiveRing.slots, UInt32(receiveRing.slotCount), sockets.calls.canReceive ? 0 : 1)
            if result > 0 { return keepOurs(Int(result), of: socket) }
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
    private mutating func keepOurs(_ count: Int, of socket: Int) -> Int {
        let (isIPv6, isHijacked) = (socket % 2 == 1, socket >= 2)
        let slots = receiveRing.slots
        var good = 0
        statistics.receiveBatches += 1
        for i in 0..<count {
            if slots[i].has_overflow_count != 0 { noteOverflows(slots[i].overflow_count, of: socket) }
            guard let header = headerBytes(slots[i], isIPv6: isIPv6) else { continue }
            slots[i].overflow_count = UInt32(header)
            let packet = UnsafeRawPointer(slots[i].base!) + header
            if isHijacked, !HijackedSockets.isHoma(packet, count: Int(slots[i].byte_count) - header) {
                statistics.foreignFrames += 1
                continue
            }
            slots[i].from.port = packet.loadBigEndian(0, as: UInt16.self)
            guard ports.isOurs(packet.loadBigEndian(2, as: UInt16.self)) else {
                // The sender's TCP would get the answer, and knows nothing of the packet.
                if isHijacked {
                    statistics.foreignFrames += 1
                } else {
                    refuse(slots[i], headerBytes: header, isIPv6: isIPv6)
                }
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

    private mutating func noteOverflows(_ total: UInt32, of socket: Int) {
        statistics.receiveOverflows += UInt64(total &- lastOverflows[socket])
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
