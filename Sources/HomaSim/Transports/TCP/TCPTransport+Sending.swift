// SPDX-License-Identifier: Apache-2.0

/// From connections to the network card.
extension TCPTransport {
    /// The connection may have something to send: it gets its turn.
    @inline(__always)
    mutating func enlist(_ connection: UInt32) {
        let sender = senders + Int(connection)
        guard !sender.pointee.isListed else { return }
        sender.pointee.isListed = true
        sender.pointee.nextListed = Self.none
        let host = hosts + Int(sender.pointee.source)
        if host.pointee.lastListed == Self.none {
            host.pointee.firstListed = connection
        } else {
            senders[Int(host.pointee.lastListed)].nextListed = connection
        }
        host.pointee.lastListed = connection
    }

    @inline(__always)
    private mutating func takeListed(_ host: UnsafeMutablePointer<TCPHost>) -> UInt32 {
        let connection = host.pointee.firstListed
        guard connection != Self.none else { return Self.none }
        host.pointee.firstListed = senders[Int(connection)].nextListed
        if host.pointee.firstListed == Self.none { host.pointee.lastListed = Self.none }
        senders[Int(connection)].isListed = false
        return connection
    }

    /// The packet that the host's network card is to send now, or `Packet.none`.
    mutating func nextPacket(_ number: UInt16, at time: UInt64) -> UInt32 {
        let host = hosts + Int(number)
        while host.pointee.firstQueued == Packet.none || host.pointee.queuedBytes < tuning.hostQueueBytes {
            let connection = takeListed(host)
            guard connection != Self.none else { break }
            var count = 0
            while count < tuning.segmentsPerTurn, sendSegment(connection, at: time) { count += 1 }
            // Whoever could not go on is listed again when something changes.
            if count == tuning.segmentsPerTurn { enlist(connection) }
        }
        let packet = host.pointee.firstQueued
        guard packet != Packet.none else { return Packet.none }
        host.pointee.firstQueued = packets.at(packet).pointee.next
        if host.pointee.firstQueued == Packet.none { host.pointee.lastQueued = Packet.none }
        if packets.at(packet).pointee.kind != .acknowledgement {
            host.pointee.queuedBytes -= Int(packets.at(packet).pointee.wireBytes)
        }
        return packet
    }

    /// Puts a packet into its host's queue.
    @inline(__always)
    func enqueue(_ packet: UInt32, at host: UInt16) {
        let queue = hosts + Int(host)
        packets.at(packet).pointee.next = Packet.none
        if queue.pointee.lastQueued == Packet.none {
            queue.pointee.firstQueued = packet
        } else {
            packets.at(queue.pointee.lastQueued).pointee.next = packet
        }
        queue.pointee.lastQueued = packet
        if packets.at(packet).pointee.kind != .acknowledgement {
            queue.pointee.queuedBytes += Int(packets.at(packet).pointee.wireBytes)
        }
    }

    // MARK: What to send next

    /// Sends one segment if the connection may; false when it may not, or has nothing.
    private mutating func sendSegment(_ connection: UInt32, at now: UInt64) -> Bool {
        let sender = senders + Int(connection)
        if sender.pointee.mustRepeat {
            sender.pointee.mustRepeat = false
            if let hole = hole(sender, from: sender.pointee.acknowledged, before: sender.pointee.next) {
                repeatSegment(connection, hole, at: now)
                return true
            }
        }
        switch sender.pointee.phase {
        case .open: return sendNew(connection, sender, at: now)
        case .recovery, .loss:
            if let hole = firstLostAgain(sender) {
                guard fits(hole.count, sender) else { return false }
                _ = ranges.removeFirst(&sender.pointee.lostAgain)
                repeatSegment(connection, hole, at: now)
                return true
            }
            let from = max(sender.pointee.acknowledged, sender.pointee.repeatedBefore)
            if let hole = hole(sender, from: from, before: sender.pointee.lostBefore) {
                guard fits(hole.count, sender) else { return false }
                repeatSegment(connection, hole, at: now)
                return true
            }
            if sendNew(connection, sender, at: now) { return true }
            return sender.pointee.phase == .recovery && repeatUncertain(connection, sender, from: from, at: now)
        }
    }

    /// Whether the window has room for so many more bytes.
    @inline(__always)
    private func fits(_ bytes: Int, _ sender: UnsafeMutablePointer<TCPSender>) -> Bool {
        Double(sender.pointee.underWay + bytes) <= sender.pointee.window.bytes || sender.pointee.underWay == 0
    }

    /// New data, as full a segment as there is data for (no waiting for more: `TCP_NODELAY`).
    @inline(__always)
    private mutating func sendNew(
        _ connection: UInt32, _ sender: UnsafeMutablePointer<TCPSender>, at now: UInt64
    ) -> Bool {
        let start = sender.pointee.next
        let count = min(tuning.segment, Int(sender.pointee.end - start))
        guard count > 0 else { return false }
        // Only whole segments are held back by the receiver's window.
        guard start + UInt64(count) <= sender.pointee.acknowledged + tuning.receiveWindow else { return false }
        guard fits(count, sender) else {
            noteUse(sender, isLimited: true)
            return false
        }
        sendBeyondWindow(connection, at: now)
        noteUse(sender, isLimited: false)
        return true
    }

    /// One segment of new data, whatever the window says.
    @inline(__always)
    mutating func sendBeyondWindow(_ connection: UInt32, at now: UInt64) {
        let sender = senders + Int(connection)
        let start = sender.pointee.next
        let count = min(tuning.segment, Int(sender.pointee.end - start))
        let range = ByteRange(start: start, end: start + UInt64(count))
        let message = streams.sent(range, of: &sender.pointee.messages)
        sender.pointee.next = range.end
        if sender.pointee.timedEnd == 0 {
            sender.pointee.timedEnd = range.end
            sender.pointee.timedSince = now
        }
        emit(connection, range, message: message, kind: .data, at: now)
    }

    /// When nothing that is surely lost is left and no new data: what may be lost (RFC 6675, 4, rules 3 and 4).
    private mutating func repeatUncertain(
        _ connection: UInt32, _ sender: UnsafeMutablePointer<TCPSender>, from: UInt64, at now: UInt64
    ) -> Bool {
        guard fits(tuning.segment, sender) else { return false }
        if let hole = hole(sender, from: from, before: highestSacked(sender)) {
            repeatSegment(connection, hole, at: now)
            return true
        }
        guard !sender.pointee.hasRescued else { return false }
        sender.pointee.hasRescued = true
        let end = sender.pointee.next
        let start = max(highestSacked(sender), end - min(end, UInt64(tuning.segment)), sender.pointee.acknowledged)
        guard start < end, start >= from else { return false }
        let before = sender.pointee.repeatedBefore
        repeatSegment(connection, ByteRange(start: start, end: end), at: now)
        // RFC 6675: the rescue does not count as having got that far.
        sender.pointee.repeatedBefore = before
        return true
    }

    /// Sends a segment again.
    mutating func repeatSegment(_ connection: UInt32, _ range: ByteRange, at now: UInt64) {
        let sender = senders + Int(connection)
        sender.pointee.repeatedBefore = max(sender.pointee.repeatedBefore, range.end)
        // What comes back may be about either copy (Karn).
        if range.start < sender.pointee.timedEnd { sender.pointee.timedEnd = 0 }
        ranges.append(range, stamp: sender.pointee.order, to: &sender.pointee.repeats)
        counters.segmentsRetransmitted += 1
        counters.bytesRetransmitted += UInt64(range.count)
        emit(connection, range, message: Message.none, kind: .resent, at: now)
    }

    private mutating func emit(
        _ connection: UInt32, _ range: ByteRange, message: UInt32, kind: PacketKind, at now: UInt64
    ) {
        let sender = senders + Int(connection)
        sender.pointee.underWay += range.count
        sender.pointee.lastSent = now
        counters.segmentsSent += 1
        let packet = packets.take(
            Packet(
                source: sender.pointee.source, destination: sender.pointee.destination,
                wireBytes: UInt32(FrameFormat.tcp.wireBytes(payload: range.count)), message: message, flow: connection,
                payloadBytes: UInt32(range.count), priority: 0, marks: tuning.marks, kind: kind))
        packets.extra(packet, as: TCPSegment.self).initialize(
            to: TCPSegment(
                connection: connection, isAcknowledgement: false, order: sender.pointee.order, sequence: range.start))
        sender.pointee.order += 1
        enqueue(packet, at: sender.pointee.source)
        if sender.pointee.deadline == .max { startTimer(connection, at: now) }
    }

    /// Windows that are not used do not grow. A round ends, as in Linux, when what is under way now is acknowledged.
    @inline(__always)
    private func noteUse(_ sender: UnsafeMutablePointer<TCPSender>, isLimited: Bool) {
        let underWay = sender.pointee.underWay
        let isOver = sender.pointee.acknowledged >= sender.pointee.roundEnd
        guard isOver || isLimited || (!sender.pointee.isWindowLimited && underWay > sender.pointee.mostUnderWay) else {
            return
        }
        sender.pointee.isWindowLimited = isLimited
        sender.pointee.mostUnderWay = underWay
        sender.pointee.roundEnd = sender.pointee.next
    }
}
