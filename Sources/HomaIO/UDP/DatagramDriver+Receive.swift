// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase
internal import HomaPosix

extension DatagramDriver {
    /// Receives what is there, at most one batch of ``UDPSocketOptions/receiveSlots``; the number of
    /// datagrams for ``datagram(_:)``, which replace those of the call before.
    ///
    /// 0 means that nothing is left now, or that the rest of a batch was truncated. While a peer has a socket of
    /// its own, that one is asked each time, and the main one after each batch and in every eighth call at least.
    mutating func receive() -> Int {
        guard connected != nil else { return receive(fromConnected: false) }
        if callsUntilMain == 0 {
            callsUntilMain = Self.callsBetweenMain
            let count = receive(fromConnected: false)
            if count > 0 { return count }
        }
        callsUntilMain -= 1
        let count = receive(fromConnected: true)
        if count > 0 { callsUntilMain = 0 }
        return count
    }

    /// Empty calls between two looks at the main socket, each of which costs as long as one at the other.
    private static var callsBetweenMain: Int { 8 }

    private mutating func receive(fromConnected: Bool) -> Int {
        let wasIdle = fromConnected ? connected!.isIdle : main.isIdle
        // After silence, take one datagram only: a batch would look for a second one before it hands
        // over the first, which costs 0.2 µs on the way of every lone request and response.
        let count = receive(fromConnected, slotCount: wasIdle ? 1 : receiveRing.slotCount)
        if fromConnected { connected!.isIdle = count == 0 } else { main.isIdle = count == 0 }
        arrivedAt = fromConnected ? connectedLocal : 0
        return count == 0 ? 0 : account(count, fromConnected: fromConnected)
    }

    private mutating func receive(_ fromConnected: Bool, slotCount: Int) -> Int {
        var attempts = 0
        while true {
            let result = fromConnected ? receive(connected!, slotCount) : receive(main, slotCount)
            if result > 0 {
                isScattered = plan.pointee.isArmed
                return Int(result)
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

    @inline(__always)
    private func receive(_ lane: Sockets.Lane, _ slotCount: Int) -> Int32 {
        plan.pointee.isArmed
            ? lane.receive(into: plan.pointee.pieces, plan.pointee.pieceCount, receiveRing.slots)
            : lane.receive(receiveRing.slots, slotCount)
    }

    /// One datagram of the last ``receive()``.
    ///
    /// - Parameter index: 0 … the answer of ``receive()`` − 1.
    mutating func datagram(_ index: Int) -> ReceivedDatagram {
        precondition(index >= 0 && index < receiveRing.slotCount)
        let slot = receiveRing.slots + index
        var source = PeerAddress(slot.pointee.from)
        source.local = arrivedAt != 0 ? arrivedAt : own.number(of: slot.pointee.to)
        return ReceivedDatagram(
            baseAddress: UnsafeRawPointer(slot.pointee.base), byteCount: Int(slot.pointee.byte_count),
            segmentSize: Int(slot.pointee.segment_size), source: source,
            trafficClass: slot.pointee.traffic_class)
    }

    private mutating func account(_ count: Int, fromConnected: Bool) -> Int {
        let slots = receiveRing.slots
        var truncated = 0
        for i in 0..<count {
            busiestPeer.vote(for: slots[i].from, at: slots[i].to)
            if slots[i].has_overflow_count != 0 {
                noteOverflows(slots[i].overflow_count, fromConnected: fromConnected)
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

    private mutating func noteOverflows(_ total: UInt32, fromConnected: Bool) {
        let before = fromConnected ? connected!.lastOverflowCount : main.lastOverflowCount
        statistics.receiveOverflows += UInt64(total &- before)
        if fromConnected { connected!.lastOverflowCount = total } else { main.lastOverflowCount = total }
    }
}
