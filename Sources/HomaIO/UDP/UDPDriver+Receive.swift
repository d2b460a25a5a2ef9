// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase

extension UDPDriver {
    /// Receives what is there, at most one batch of ``UDPSocketOptions/receiveSlots``; the number of
    /// datagrams for ``datagram(_:)``, which replace those of the call before.
    ///
    /// 0 means that nothing is left now, or that the rest of a batch was truncated.
    public mutating func receive() -> Int {
        // After silence, take one datagram only: a batch would look for a second one before it hands
        // over the first, which costs 0.2 µs on the way of every lone request and response.
        let slotCount = isIdle ? 1 : UInt32(receiveRing.slotCount)
        isIdle = true
        var attempts = 0
        while true {
            let result = homa_receive(socket.descriptor, receiveRing.slots, slotCount)
            if result > 0 {
                isIdle = false
                return account(Int(result))
            }
            switch -result {
            case 0, EAGAIN: return 0
            case EINTR: continue
            default:
                // An ICMP error of an earlier packet takes the place of the answer, once each.
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

    /// One datagram of the last ``receive()``.
    ///
    /// - Parameter index: 0 … the answer of ``receive()`` − 1.
    public func datagram(_ index: Int) -> ReceivedDatagram {
        precondition(index >= 0 && index < receiveRing.slotCount)
        let slot = receiveRing.slots + index
        return ReceivedDatagram(
            baseAddress: UnsafeRawPointer(slot.pointee.base), byteCount: Int(slot.pointee.byte_count),
            segmentSize: Int(slot.pointee.segment_size), source: PeerAddress(slot.pointee.from),
            trafficClass: slot.pointee.traffic_class)
    }

    private mutating func account(_ count: Int) -> Int {
        let slots = receiveRing.slots
        var truncated = 0
        for i in 0..<count {
            if slots[i].has_overflow_count != 0 {
                statistics.receiveOverflows += UInt64(slots[i].overflow_count &- lastOverflowCount)
                lastOverflowCount = slots[i].overflow_count
            }
            guard slots[i].is_truncated == 0 else {
                truncated += 1
                continue
            }
            let bytes = slots[i].byte_count
            let segment = slots[i].segment_size
            statistics.receivedBytes += UInt64(bytes)
            statistics.receivedPackets += bytes == segment ? 1 : UInt64((bytes + segment - 1) / segment)
        }
        statistics.receiveBatches += 1
        statistics.receivedDatagrams += UInt64(count - truncated)
        guard truncated > 0 else { return count }
        statistics.truncated += UInt64(truncated)
        return receiveRing.skipTruncated(count)
    }
}
