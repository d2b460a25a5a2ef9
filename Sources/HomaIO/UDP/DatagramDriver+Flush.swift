// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase
internal import HomaPosix

extension DatagramDriver {
    /// Sends what is queued, to each peer in order, until done or until the kernel has no room.
    ///
    /// Never fails: a packet with an error of its own is counted in ``statistics``, reported by ``nextError()`` and
    /// dropped, once it is known that neither the train it was in, nor the connected socket, nor the address it was to
    /// leave from is to blame (`yields`). When the kernel refuses a train, its packets go one by one. What it has no
    /// room for stays queued for a millisecond, and others pass it (``RefusedPeers``). Payload of packets sent or
    /// dropped is free again; when the remainder is ``FlushResult/Remainder/none`` that is all of it.
    ///
    /// - Parameter now: the time, some microseconds old at most.
    mutating func flush(at now: Instant) -> FlushResult {
        var result = FlushResult()
        if now >= deniedPeers.expiry {
            deniedPeers = GSODenials()
            isUsingGSO = mayUseGSO
        }
        // What is put together takes other places in the queue.
        bundlePackets()
        var refused = RefusedPeers(sendQueue)
        sendTrains(&refused, &result, at: now)
        refused.putBack(&sendQueue)
        if refused.hasAside, result.remainder == .none { result.remainder = .retryRefused }
        sendQueue.rewindIfEmpty()
        return result
    }

    private mutating func sendTrains(_ refused: inout RefusedPeers, _ result: inout FlushResult, at now: Instant) {
        var isRetry = false
        suspect = 0
        while sendQueue.firstTrain < sendQueue.trainEnd, result.remainder == .none {
            let head = sendQueue.firstTrain
            if refused.holds(sendQueue.trains[head].peer) {
                refused.setAside(&sendQueue)
                continue
            }
            if sendQueue.trains[head].isSingly {
                sendSingly(&refused, &result, at: now)
                continue
            }
            let lane = nextLane(refused)
            let sent = send(sendQueue.outgoing + head, lane.trainCount, connected: lane.isConnected)
            statistics.sendCalls += 1
            guard sent <= 0 else {
                accountTrains(Int(sent), &result)
                isRetry = false
                continue
            }
            if stops(-sent, &result) || defers(-sent, &refused, &result, at: now) || retries(-sent, &isRetry) {
                continue
            }
            if Self.mayBlameSegmentation(-sent), sendQueue.trains[head].packetCount > 1 {
                statistics.gsoFallbacks += 1
                sendQueue.trains[head].isSingly = true
                sendQueue.trains[head].isClosed = true
            } else if yields(-sent, connected: lane.isConnected) {
                isRetry = false
            } else {
                drop(Int(sendQueue.trains[head].packetCount), code: -sent, &result)
            }
        }
    }

    private mutating func bundlePackets() {
        guard sendQueue.wantsBundles else { return }
        let (isUsingGSO, deniedPeers) = (isUsingGSO, deniedPeers)
        let count = sendQueue.bundlePackets { isUsingGSO && !deniedPeers.contains($0) }
        statistics.bundledPackets += UInt64(count)
    }

    /// Which socket the next trains leave by, and how many of them in a row.
    @inline(__always)
    private func nextLane(_ refused: RefusedPeers) -> (trainCount: Int, isConnected: Bool) {
        let head = sendQueue.firstTrain
        if connected == nil, refused.count == 0 { return (sendQueue.trainEnd - head, false) }
        let isConnected = leavesConnected(sendQueue.trains[head].peer)
        var end = head + 1
        while end < sendQueue.trainEnd, leavesConnected(sendQueue.trains[end].peer) == isConnected,
            !refused.holds(sendQueue.trains[end].peer)
        {
            end += 1
        }
        return (end - head, isConnected)
    }

    private func send(_ messages: UnsafePointer<homa_outgoing>, _ count: Int, connected isConnected: Bool) -> Int32 {
        isConnected ? connected!.send(messages, count) : main.send(messages, count)
    }

    /// Sends the rest of the first train packet by packet, and learns whether trains work at all.
    private mutating func sendSingly(_ refused: inout RefusedPeers, _ result: inout FlushResult, at now: Instant) {
        let head = sendQueue.firstTrain
        var count = sendQueue.explode(head)
        var position = 0
        var isRetry = false
        while position < count, result.remainder == .none {
            let isConnected = leavesConnected(sendQueue.trains[head].peer)
            let sent = send(sendQueue.singles + position, count - position, connected: isConnected)
            statistics.sendCalls += 1
            if sent > 0 {
                if suspect != 0 { convictSuspect() }
                statistics.sentBytes += UInt64(sendQueue.dropFirst(Int(sent), ofTrain: head))
                statistics.sentPackets += UInt64(sent)
                result.sentPackets += Int(sent)
                position += Int(sent)
                isRetry = false
            } else if defers(-sent, &refused, &result, at: now) {
                return
            } else if !stops(-sent, &result), !retries(-sent, &isRetry) {
                sendQueue.trains[head].hadRefusal = true
                isRetry = false
                if yields(-sent, connected: isConnected) {
                    (position, count) = (0, sendQueue.explode(head))
                } else {
                    drop(1, code: -sent, &result)
                    position += 1
                }
            }
        }
        guard position == count, sendQueue.firstTrain == head else { return }
        if !sendQueue.trains[head].hadRefusal { denyTrains(to: sendQueue.trains[head].peer, at: now) }
        sendQueue.firstTrain += 1
    }

    private mutating func denyTrains(to peer: PeerAddress, at now: Instant) {
        if !deniedPeers.insert(peer, at: now) { isUsingGSO = false }
    }

    private mutating func accountTrains(_ count: Int, _ result: inout FlushResult) {
        if suspect != 0 { convictSuspect() }
        for i in sendQueue.firstTrain..<(sendQueue.firstTrain + count) {
            let packets = sendQueue.trains[i].packetCount
            statistics.sentBytes += UInt64(sendQueue.trains[i].byteCount)
            statistics.sentPackets += UInt64(packets)
            if packets > 1 { statistics.sentTrains += 1 }
            result.sentPackets += Int(packets)
            sendQueue.queuedPackets -= Int(packets)
        }
        sendQueue.firstTrain += count
    }

    /// True when the socket has no room: everything stays queued.
    private mutating func stops(_ code: Int32, _ result: inout FlushResult) -> Bool {
        guard code == EAGAIN || code == 0 else { return false }
        statistics.sendBufferFull += 1
        result.remainder = .waitUntilWritable
        return true
    }

    /// True when the kernel has no room for the first train: it has been set aside, or dropped after a while of that.
    private mutating func defers(
        _ code: Int32, _ refused: inout RefusedPeers, _ result: inout FlushResult, at now: Instant
    ) -> Bool {
        guard code == ENOBUFS || code == ENOMEM else { return false }
        suspect = 0
        statistics.deviceQueueFull += 1
        if !refused.refuse(&sendQueue, at: now) {
            drop(Int(sendQueue.trains[sendQueue.firstTrain].packetCount), code: code, &result)
        }
        if refused.isFull { result.remainder = .retryLater }
        return true
    }

    /// True when the same packet deserves another attempt: the error may be an earlier packet's, which
    /// the kernel reports once, in place of this one's.
    private mutating func retries(_ code: Int32, _ isRetry: inout Bool) -> Bool {
        if code == EINTR { return true }
        // Nobody answers on some port: never the fault of the packet being sent.
        if code != ECONNREFUSED {
            guard !isRetry else { return false }
            isRetry = true
        }
        statistics.pendingErrors += 1
        mayHaveErrors = true
        return true
    }

    /// True when what the first packet of the queue was to leave by is given up, since it may be to blame rather than
    /// the packet, which deserves another attempt without it: the busiest peer's socket, which knows one address and
    /// one route; then the address of this host that the peer was answered from. If that helps, it has gone.
    private mutating func yields(_ code: Int32, connected isConnected: Bool) -> Bool {
        guard code != EMSGSIZE else { return false }
        if isConnected {
            disconnect()
            return true
        }
        let head = sendQueue.firstTrain
        let local = sendQueue.trains[head].peer.local
        // What the kernel says of a source that it does not have (ip_route_output_key_hash_rcu, net/ipv4/route.c;
        // ip6_datagram_send_ctl, net/ipv6/datagram.c), among others.
        guard local != 0, code == ENETUNREACH || code == EINVAL else { return false }
        suspect = local
        sendQueue.trains[head].peer.local = 0
        sendQueue.outgoing[head].source = nil
        return true
    }

    private mutating func convictSuspect() {
        own.forget(suspect)
        suspect = 0
        statistics.sourcesLost += 1
    }

    private static func mayBlameSegmentation(_ code: Int32) -> Bool {
        switch code {
        case EIO, EINVAL, ENOPROTOOPT, EOPNOTSUPP, EMSGSIZE: true
        default: false
        }
    }

    /// Gives up on the first packets of the first train: all of them, or one when it goes singly.
    private mutating func drop(_ count: Int, code: Int32, _ result: inout FlushResult) {
        let head = sendQueue.firstTrain
        suspect = 0
        let header = sendQueue.pieces[Int(sendQueue.packets[Int(sendQueue.trains[head].firstPacket)].firstPiece)]
        reports.add(
            code, peer: sendQueue.trains[head].peer,
            header: UnsafeRawBufferPointer(start: header.iov_base, count: header.iov_len))
        mayHaveErrors = true
        switch code {
        case EMSGSIZE: statistics.droppedTooBig += UInt64(count)
        case EPERM, EACCES: statistics.droppedForbidden += UInt64(count)
        case ENETUNREACH, EHOSTUNREACH, EAFNOSUPPORT: statistics.droppedUnreachable += UInt64(count)
        case ENOBUFS, ENOMEM: statistics.droppedNoRoom += UInt64(count)
        default: statistics.droppedOther += UInt64(count)
        }
        result.droppedPackets += count
        _ = sendQueue.dropFirst(count, ofTrain: head)
        if !sendQueue.trains[head].isSingly { sendQueue.firstTrain += 1 }
    }
}
