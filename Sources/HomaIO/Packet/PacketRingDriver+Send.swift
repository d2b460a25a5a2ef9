// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase
internal import HomaPosix

extension PacketRingDriver {
    /// Packets appended and not yet sent or dropped. Frames that the kernel had no room for count as one.
    var queuedPackets: Int {
        sendQueue.queuedPackets + socket.queuedPackets + (sendRing.pendingCount > 0 ? 1 : 0)
    }

    /// How many packets were appended before the oldest that is still queued, or before those that were handed to the
    /// socket since it had none.
    var oldestQueued: UInt64 {
        socket.queuedPackets > 0 ? min(sendQueue.oldestQueued, handedToSocket) : sendQueue.oldestQueued
    }

    var appendedPackets: UInt64 { sendQueue.appendedPackets }
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
        sendQueue.append(
            headerByteCount: headerByteCount, payload: payload, payloadByteCount: payloadByteCount,
            to: peer, priority: priority, mayJoin: isUsingGSO, isUnheard: isUnheard)
    }

    mutating func appendFollowers(_ count: Int, from offset: UInt32, to peer: PeerAddress) {
        sendQueue.appendFollowers(count, from: offset, mayJoin: isUsingGSO)
    }

    /// Sends what is queued: into frames, and one system call for all of them; trains longer than a frame by a call
    /// each; what the rings cannot send through the socket.
    ///
    /// - Parameter now: the time on ``MonotonicClock/process``, some milliseconds old at most.
    mutating func flush(at now: Instant = MonotonicClock.process.now()) -> FlushResult {
        var result = FlushResult()
        while sendQueue.firstTrain < sendQueue.trainEnd, result.remainder.letsOthersPass {
            let path = paths.path(to: sendQueue.trains[sendQueue.firstTrain].peer, at: now)
            let isPartlyGone = sendQueue.trains[sendQueue.firstTrain].isSingly
            if let headers = path.pointee!.headers, !path.pointee!.mustConfirm, !isPartlyGone {
                send(headers, interface: path.pointee!.interface, mtu: path.pointee!.mtu, &result, at: now)
            } else {
                path.pointee!.mustConfirm = false
                handToSocket(&result, at: now)
            }
        }
        kick(&result)
        sendQueue.rewindIfEmpty()
        if socket.queuedPackets > 0 { flushSocket(&result, at: now) }
        return result
    }

    private mutating func send(
        _ headers: FrameHeaders, interface: UInt32, mtu: Int, _ result: inout FlushResult, at now: Instant
    ) {
        let head = sendQueue.firstTrain
        let byteCount = Int(sendQueue.trains[head].byteCount)
        let packetBytes = Int(sendQueue.trains[head].packetBytes)
        if packetBytes + headers.count - FrameHeaders.networkOffset > mtu { return dropTooBig(&result) }
        if sendRing.mustKick(before: interface, headers.protocolNumber) { kick(&result) }
        guard result.remainder.letsOthersPass else { return }
        if byteCount + headers.count <= sendRing.capacity {
            fillFrame(headers, interface: interface, byteCount: byteCount, packetBytes: packetBytes, &result)
        } else {
            kick(&result)
            guard result.remainder.letsOthersPass else { return }
            sendLong(
                headers, interface: interface, byteCount: byteCount, packetBytes: packetBytes, &result, at: now)
        }
    }

    private mutating func fillFrame(
        _ headers: FrameHeaders, interface: UInt32, byteCount: Int, packetBytes: Int, _ result: inout FlushResult
    ) {
        let head = sendQueue.firstTrain
        var frame = sendRing.reserve()
        if frame == nil {
            kick(&result)
            frame = sendRing.reserve()
        }
        guard let frame else {
            counters.deviceQueueFull += 1
            result.remainder = .retryLater
            return
        }
        let isTrain = sendQueue.trains[head].packetCount > 1
        headers.write(
            to: frame, payloadBytes: byteCount, segmentBytes: isTrain ? packetBytes : 0,
            trafficClass: sendQueue.outgoing[head].traffic_class, copiedBytes: byteCount)
        var place = frame + headers.count
        let pieces = sendQueue.outgoing[head].pieces!
        for i in 0..<Int(sendQueue.outgoing[head].piece_count) {
            place.copyMemory(from: pieces[i].iov_base, byteCount: pieces[i].iov_len)
            place += pieces[i].iov_len
        }
        sendRing.commit(
            byteCount: headers.count + byteCount, interface: interface, protocolNumber: headers.protocolNumber)
        account(&result)
    }

    /// A train that a frame cannot hold, or a single long packet.
    private mutating func sendLong(
        _ headers: FrameHeaders, interface: UInt32, byteCount: Int, packetBytes: Int, _ result: inout FlushResult,
        at now: Instant
    ) {
        let head = sendQueue.firstTrain
        let isTrain = sendQueue.trains[head].packetCount > 1
        let code = withUnsafeTemporaryAllocation(byteCount: FrameHeaders.capacity, alignment: 8) { prefix in
            headers.write(
                to: prefix.baseAddress!, payloadBytes: byteCount, segmentBytes: isTrain ? packetBytes : 0,
                trafficClass: sendQueue.outgoing[head].traffic_class, copiedBytes: 0)
            return -homa_packet_send(
                trainSocket.value, interface, headers.protocolNumber, prefix.baseAddress!, headers.count,
                sendQueue.outgoing[head].pieces, sendQueue.outgoing[head].piece_count)
        }
        counters.sendCalls += 1
        switch code {
        case 0: account(&result)
        case EINTR: break
        case EAGAIN, ENOBUFS, ENOMEM:
            counters.sendBufferFull += 1
            result.remainder = .retryLater
        case EINVAL where isTrain:
            // The kernel does not take trains from packet sockets (before Linux 6.2).
            counters.gsoFallbacks += 1
            isUsingGSO = false
            handToSocket(&result, at: now)
        case EMSGSIZE: dropTooBig(&result)
        default:
            paths.forgetAll()
            handToSocket(&result, at: now)
        }
    }

    private mutating func kick(_ result: inout FlushResult) {
        guard sendRing.pendingCount > 0 else { return }
        counters.sendCalls += 1
        switch sendRing.kick() {
        case 0: return
        case EAGAIN:
            counters.sendBufferFull += 1
            result.remainder = .retryLater
        default:
            // The interface is down or gone: what was on its way is lost, and the protocol sends it again.
            counters.droppedUnreachable += UInt64(sendRing.takeBack())
            paths.forgetAll()
        }
    }

    private mutating func account(_ result: inout FlushResult) {
        let head = sendQueue.firstTrain
        let packets = sendQueue.trains[head].packetCount
        counters.sentPackets += UInt64(packets)
        counters.sentBytes += UInt64(sendQueue.trains[head].byteCount)
        if packets > 1 { counters.sentTrains += 1 }
        result.sentPackets += Int(packets)
        sendQueue.queuedPackets -= Int(packets)
        sendQueue.firstTrain += 1
    }

    /// The path has become narrower than the packets made for it.
    private mutating func dropTooBig(_ result: inout FlushResult) {
        let head = sendQueue.firstTrain
        let count = Int(sendQueue.trains[head].packetCount)
        let header = sendQueue.pieces[Int(sendQueue.packets[Int(sendQueue.trains[head].firstPacket)].firstPiece)]
        socket.reports.add(
            EMSGSIZE, peer: sendQueue.trains[head].peer,
            header: UnsafeRawBufferPointer(start: header.iov_base, count: header.iov_len))
        socket.mayHaveErrors = true
        counters.droppedTooBig += UInt64(count)
        result.droppedPackets += count
        _ = sendQueue.dropFirst(count, ofTrain: head)
        sendQueue.firstTrain += 1
    }

    /// Lets the kernel send the first train.
    private mutating func handToSocket(_ result: inout FlushResult, at now: Instant) {
        let head = sendQueue.firstTrain
        sendQueue.trains[head].isSingly = true
        sendQueue.trains[head].isClosed = true
        if socket.queuedPackets == 0 { handedToSocket = sendQueue.trains[head].sequence }
        while sendQueue.trains[head].packetCount > 0 {
            if socket.isFull { flushSocket(&result, at: now) }
            guard !socket.isFull else { return }
            let packet = sendQueue.packets[Int(sendQueue.trains[head].firstPacket)]
            let header = sendQueue.pieces[Int(packet.firstPiece)]
            let payload = packet.pieceCount > 1 ? sendQueue.pieces[Int(packet.firstPiece) + 1] : iovec()
            socket.reserveHeader().baseAddress!.copyMemory(from: header.iov_base, byteCount: header.iov_len)
            socket.append(
                headerByteCount: header.iov_len, payload: payload.iov_base.map { UnsafeRawPointer($0) },
                payloadByteCount: payload.iov_len, to: sendQueue.trains[head].peer,
                priority: sendQueue.trains[head].priority, isUnheard: sendQueue.trains[head].isUnheard)
            _ = sendQueue.dropFirst(1, ofTrain: head)
        }
        sendQueue.firstTrain += 1
    }

    private mutating func flushSocket(_ result: inout FlushResult, at now: Instant) {
        let part = socket.flush(at: now)
        result.sentPackets += part.sentPackets
        result.droppedPackets += part.droppedPackets
        switch part.remainder {
        case .none: break
        case .retryRefused, .waitUnheard: if result.remainder == .none { result.remainder = .retryRefused }
        // The poller does not watch for room in every socket: a little later is good enough for this one.
        case .retryLater, .waitUntilWritable: result.remainder = .retryLater
        }
    }
}
