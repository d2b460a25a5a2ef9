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
        if refused.hasAside, result.remainder == .none {
            result.remainder = refused.count > 0 || !refused.isUnheardFull ? .retryRefused : .waitUnheard
            filled = .main
        }
        sendQueue.rewindIfEmpty()
        return result
    }

    private mutating func sendTrains(_ refused: inout RefusedPeers, _ result: inout FlushResult, at now: Instant) {
        var isRetry = false
        suspect = 0
        if let again = unheardFull?.again, now < again { refused.isUnheardFull = true }
        while sendQueue.firstTrain < sendQueue.trainEnd, result.remainder == .none {
            let head = sendQueue.firstTrain
            if mustWait(head, refused) {
                if refused.isUnheardFull, sendQueue.trains[head].isUnheard, hasWaitedLong(at: now) {
                    // Others have filled the buffer, so this says nothing about the peer.
                    drop(Int(sendQueue.trains[head].packetCount), code: ENOBUFS, &result, isReported: false)
                } else {
                    refused.setAside(&sendQueue)
                }
                continue
            }
            if sendQueue.trains[head].isSingly {
                sendSingly(&refused, &result, at: now)
                continue
            }
            let (lane, trainCount) = nextLane(refused)
            let sent = send(sendQueue.outgoing + head, trainCount, by: lane)
            statistics.sendCalls += 1
            guard sent <= 0 else {
                noteRoom(for: lane)
                accountTrains(Int(sent), &result, at: now)
                isRetry = false
                continue
            }
            if stops(-sent, lane, &refused, &result, at: now) || defers(-sent, &refused, &result, at: now)
                || retries(-sent, &isRetry)
            {
                continue
            }
            if Self.mayBlameSegmentation(-sent), sendQueue.trains[head].packetCount > 1 {
                statistics.gsoFallbacks += 1
                sendQueue.trains[head].isSingly = true
                sendQueue.trains[head].isClosed = true
            } else if yields(-sent, by: lane) {
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
    private func nextLane(_ refused: RefusedPeers) -> (lane: LaneKind, trainCount: Int) {
        let head = sendQueue.firstTrain
        if connected == nil, heard == nil, refused.count == 0 { return (.main, sendQueue.trainEnd - head) }
        let lane = lane(of: head)
        var end = head + 1
        while end < sendQueue.trainEnd, self.lane(of: end) == lane, !mustWait(end, refused) { end += 1 }
        return (lane, end - head)
    }

    @inline(__always)
    private func lane(of train: Int) -> LaneKind {
        if leavesConnected(sendQueue.trains[train].peer) { return .connected }
        if sendQueue.trains[train].isUnheard { return unheardLane == 0 ? .main : .spare }
        return heard == nil ? .main : .heard
    }

    /// Whether the train waits for room that others can do without.
    @inline(__always)
    private func mustWait(_ train: Int, _ refused: RefusedPeers) -> Bool {
        refused.holds(sendQueue.trains[train].peer)
            || refused.isUnheardFull && sendQueue.trains[train].isUnheard && lane(of: train) != .connected
    }

    private func send(_ messages: UnsafePointer<homa_outgoing>, _ count: Int, by lane: LaneKind) -> Int32 {
        switch lane {
        case .main: main.send(messages, count)
        case .connected: connected!.send(messages, count)
        case .heard: heard!.send(messages, count)
        case .spare: spares[unheardLane - 1].send(messages, count)
        }
    }

    /// Sends the rest of the first train packet by packet, and learns whether trains work at all.
    private mutating func sendSingly(_ refused: inout RefusedPeers, _ result: inout FlushResult, at now: Instant) {
        let head = sendQueue.firstTrain
        var count = sendQueue.explode(head)
        var position = 0
        var isRetry = false
        while position < count, result.remainder == .none {
            let lane = lane(of: head)
            let sent = send(sendQueue.singles + position, count - position, by: lane)
            statistics.sendCalls += 1
            if sent > 0 {
                if suspect != 0 { convictSuspect() }
                noteRoom(for: lane)
                if sendQueue.trains[head].isUnheard { lastUnheard = now }
                statistics.sentBytes += UInt64(sendQueue.dropFirst(Int(sent), ofTrain: head))
                statistics.sentPackets += UInt64(sent)
                result.sentPackets += Int(sent)
                position += Int(sent)
                isRetry = false
            } else if defers(-sent, &refused, &result, at: now) {
                return
            } else if stops(-sent, lane, &refused, &result, at: now) {
                // By another socket, perhaps.
                return
            } else if !retries(-sent, &isRetry) {
                sendQueue.trains[head].hadRefusal = true
                isRetry = false
                if yields(-sent, by: lane) {
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

    private mutating func accountTrains(_ count: Int, _ result: inout FlushResult, at now: Instant) {
        if suspect != 0 { convictSuspect() }
        for i in sendQueue.firstTrain..<(sendQueue.firstTrain + count) {
            let packets = sendQueue.trains[i].packetCount
            statistics.sentBytes += UInt64(sendQueue.trains[i].byteCount)
            statistics.sentPackets += UInt64(packets)
            if packets > 1 { statistics.sentTrains += 1 }
            if sendQueue.trains[i].isUnheard { lastUnheard = now }
            result.sentPackets += Int(packets)
            sendQueue.queuedPackets -= Int(packets)
        }
        sendQueue.firstTrain += count
    }

    /// True when the socket has no room. What is to leave by it stays queued.
    private mutating func stops(
        _ code: Int32, _ lane: LaneKind, _ refused: inout RefusedPeers, _ result: inout FlushResult, at now: Instant
    ) -> Bool {
        guard code == EAGAIN || code == 0 else { return false }
        statistics.sendBufferFull += 1
        if lane == .main && partsUnheard(at: now) || lane == .spare {
            // To go on, what did not find room needs another socket.
            if sendQueue.trains[sendQueue.firstTrain].isUnheard { findRoom(&refused, at: now) }
        } else {
            filled = lane
            result.remainder = .waitUntilWritable
        }
        return true
    }

    @inline(__always)
    private mutating func noteRoom(for lane: LaneKind) {
        if lane == .main || lane == .spare { unheardFull = nil }
    }

    /// Has packets to peers that are not heard leave by the next socket, since theirs is full; a new one if need be.
    private mutating func findRoom(_ refused: inout RefusedPeers, at now: Instant) {
        refused.fullLanes += 1
        if refused.fullLanes > spares.count, spares.count < mostSpares, let spare = sockets.openSender(isWatched: false)
        {
            spares.append(spare)
            unheardLane = spares.count
        } else {
            unheardLane = (unheardLane + 1) % (spares.count + 1)
        }
        // Once all were full, one a flush is asked.
        guard unheardFull != nil || refused.fullLanes > spares.count else { return }
        refused.isUnheardFull = true
        unheardFull = (unheardFull?.since ?? now, now.advanced(byNanoseconds: Self.unheardPause))
    }

    /// The system looks for a neighbor for up to three seconds, and keeps what is for it meanwhile (arp(7),
    /// retrans_time and mcast_solicit): so long may packets to hosts that do not exist fill a socket's buffer.
    private static var neighborTime: UInt64 { 3_000_000_000 }
    /// A full buffer is tried again after so long, and what finds it full longer than the patience is dropped.
    private static var unheardPause: UInt64 { 100_000 }
    private static var unheardPatience: UInt64 { 100_000_000 }

    /// Whether peers that are heard have a socket of their own, which they get once it may be others that fill theirs.
    private mutating func partsUnheard(at now: Instant) -> Bool {
        if heard != nil { return true }
        guard mostSpares > 0, let lastUnheard, now.nanoseconds(since: lastUnheard) < Self.neighborTime else {
            return false
        }
        heard = sockets.openSender(isWatched: true)
        if heard == nil { mostSpares = 0 }
        return heard != nil
    }

    private func hasWaitedLong(at now: Instant) -> Bool {
        guard let unheardFull else { return false }
        return now.nanoseconds(since: unheardFull.since) >= Self.unheardPatience || sendQueue.isFull
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
    private mutating func yields(_ code: Int32, by lane: LaneKind) -> Bool {
        guard code != EMSGSIZE else { return false }
        if lane == .connected {
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
    private mutating func drop(
        _ count: Int, code: Int32, _ result: inout FlushResult, isReported: Bool = true
    ) {
        let head = sendQueue.firstTrain
        suspect = 0
        if isReported {
            let header = sendQueue.pieces[Int(sendQueue.packets[Int(sendQueue.trains[head].firstPacket)].firstPiece)]
            reports.add(
                code, peer: sendQueue.trains[head].peer,
                header: UnsafeRawBufferPointer(start: header.iov_base, count: header.iov_len))
            mayHaveErrors = true
        }
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
