// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase
internal import HomaPosix

extension RawIPDriver {
    /// Packets appended and not yet sent or dropped.
    var queuedPackets: Int { sendQueue.queuedPackets }

    var appendedPackets: UInt64 { sendQueue.appendedPackets }
    var oldestQueued: UInt64 { sendQueue.oldestQueued }
    var room: Int { sendQueue.room }

    /// True when ``flush(at:)`` must make room before the next packet.
    var isFull: Bool { sendQueue.isFull }

    /// Where the next packet's header goes, as in ``DatagramDriver/reserveHeader()``.
    func reserveHeader() -> UnsafeMutableRawBufferPointer { sendQueue.nextHeader }

    /// Queues one packet as a ``DatagramDriver`` does, but never in a bundle.
    mutating func append(
        headerByteCount: Int, payload: UnsafeRawPointer?, payloadByteCount: Int,
        to peer: PeerAddress, priority: UInt8, bundleBytes: UInt32 = 0, isUnheard: Bool = false
    ) {
        // To a raw IPv6 socket the port is the protocol's number; to an IPv4 one it is nothing.
        var host = peer
        host.port = 0
        sendQueue.append(
            headerByteCount: headerByteCount, payload: payload, payloadByteCount: payloadByteCount,
            to: host, priority: priority, mayJoin: false, isUnheard: isUnheard)
    }

    mutating func appendFollowers(_ count: Int, from offset: UInt32, to peer: PeerAddress) {
        sendQueue.appendFollowers(count, from: offset, mayJoin: false)
    }

    /// Sends what is queued, in order, until done or until the kernel has no room. Never fails, like
    /// ``DatagramDriver/flush(at:)``.
    mutating func flush(at now: Instant = MonotonicClock.process.now()) -> FlushResult {
        var result = FlushResult()
        var refused = RefusedPeers(sendQueue)
        sendPackets(&refused, &result, at: now)
        refused.putBack(&sendQueue)
        if refused.hasAside, result.remainder == .none { result.remainder = .retryRefused }
        sendQueue.rewindIfEmpty()
        return result
    }

    private mutating func sendPackets(_ refused: inout RefusedPeers, _ result: inout FlushResult, at now: Instant) {
        var isRetry = false
        suspect = 0
        while sendQueue.firstTrain < sendQueue.trainEnd, result.remainder == .none {
            let head = sendQueue.firstTrain
            if refused.holds(sendQueue.trains[head].peer) {
                refused.setAside(&sendQueue)
                continue
            }
            let isIPv4 = sendQueue.trains[head].peer.isIPv4
            var end = head + 1
            while end < sendQueue.trainEnd, sendQueue.trains[end].peer.isIPv4 == isIPv4,
                !refused.holds(sendQueue.trains[end].peer)
            {
                end += 1
            }
            let sent = send(head, count: end - head, isIPv4: isIPv4)
            statistics.sendCalls += 1
            if sent > 0 {
                if suspect != 0 {
                    own.forget(suspect)
                    suspect = 0
                    statistics.sourcesLost += 1
                }
                account(Int(sent), &result)
                isRetry = false
            } else if !mustWait(-sent, &result), !defers(-sent, &refused, &result, at: now),
                !mayRetry(-sent, &isRetry), !losesSource(-sent)
            {
                drop(code: -sent, &result)
            }
        }
    }

    private func send(_ first: Int, count: Int, isIPv4: Bool) -> Int32 {
        let sender = sender(isIPv4: isIPv4)
        guard sender.fd >= 0 else { return -EAFNOSUPPORT }
        return withUnsafePointer(to: sender) { homa_send($0, sendQueue.outgoing + first, UInt32(count)) }
    }

    private mutating func account(_ count: Int, _ result: inout FlushResult) {
        for i in sendQueue.firstTrain..<(sendQueue.firstTrain + count) {
            statistics.sentBytes += UInt64(sendQueue.trains[i].byteCount)
        }
        statistics.sentPackets += UInt64(count)
        result.sentPackets += count
        sendQueue.queuedPackets -= count
        sendQueue.firstTrain += count
    }

    private mutating func mustWait(_ code: Int32, _ result: inout FlushResult) -> Bool {
        guard code == EAGAIN || code == 0 else { return false }
        statistics.sendBufferFull += 1
        result.remainder = .retryLater
        return true
    }

    /// True when the kernel has no room for the first packet: it has been set aside, or dropped after a while of that.
    private mutating func defers(
        _ code: Int32, _ refused: inout RefusedPeers, _ result: inout FlushResult, at now: Instant
    ) -> Bool {
        guard code == ENOBUFS || code == ENOMEM else { return false }
        suspect = 0
        statistics.deviceQueueFull += 1
        if !refused.refuse(&sendQueue, at: now) { drop(code: code, &result) }
        if refused.isFull { result.remainder = .retryLater }
        return true
    }

    /// True when the error may be an earlier packet's, which the kernel reports in place of this one's.
    private mutating func mayRetry(_ code: Int32, _ isRetry: inout Bool) -> Bool {
        if code == EINTR { return true }
        guard !isRetry else { return false }
        isRetry = true
        statistics.pendingErrors += 1
        mayHaveErrors = true
        return true
    }

    /// True when the first packet is to be tried without the address that it was to leave from. If that helps, it has
    /// gone.
    private mutating func losesSource(_ code: Int32) -> Bool {
        let head = sendQueue.firstTrain
        let local = sendQueue.trains[head].peer.local
        guard local != 0, code == ENETUNREACH || code == EINVAL else { return false }
        suspect = local
        sendQueue.trains[head].peer.local = 0
        sendQueue.outgoing[head].source = nil
        return true
    }

    private mutating func drop(code: Int32, _ result: inout FlushResult) {
        let head = sendQueue.firstTrain
        suspect = 0
        let header = sendQueue.pieces[Int(sendQueue.packets[Int(sendQueue.trains[head].firstPacket)].firstPiece)]
        reports.add(
            code, peer: sendQueue.trains[head].peer,
            header: UnsafeRawBufferPointer(start: header.iov_base, count: header.iov_len))
        mayHaveErrors = true
        switch code {
        case EMSGSIZE: statistics.droppedTooBig += 1
        case EPERM, EACCES: statistics.droppedForbidden += 1
        case ENETUNREACH, EHOSTUNREACH, EAFNOSUPPORT: statistics.droppedUnreachable += 1
        case ENOBUFS, ENOMEM: statistics.droppedNoRoom += 1
        default: statistics.droppedOther += 1
        }
        result.droppedPackets += 1
        _ = sendQueue.dropFirst(1, ofTrain: head)
        sendQueue.firstTrain += 1
    }
}
