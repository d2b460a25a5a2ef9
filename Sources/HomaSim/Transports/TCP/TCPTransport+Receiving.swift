// SPDX-License-Identifier: Apache-2.0

/// What a receiver does with data.
extension TCPTransport {
    mutating func receive(_ packet: UInt32, at host: UInt16, now: UInt64) {
        if packets.extra(packet, as: TCPSegment.self).pointee.isAcknowledgement {
            acknowledge(packet, at: now)
            packets.give(packet)
        } else {
            let segment = packets.extra(packet, as: TCPSegment.self)
            let connection = segment.pointee.connection
            let start = segment.pointee.sequence
            let range = ByteRange(start: start, end: start + UInt64(packets.at(packet).pointee.payloadBytes))
            let isMarked = packets.at(packet).pointee.marks.contains(.congested)
            let receiver = receivers + Int(connection)
            receiver.pointee.latestOrder = max(receiver.pointee.latestOrder, segment.pointee.order)
            packets.give(packet)
            take(range, isMarked: isMarked, connection, at: host, now: now)
        }
    }

    private mutating func take(
        _ range: ByteRange, isMarked: Bool, _ connection: UInt32, at host: UInt16, now: UInt64
    ) {
        let receiver = receivers + Int(connection)
        var isUrgent = tuning.control == .dctcp && noteMark(isMarked, connection)
        receiver.pointee.unacknowledged += 1
        if range.end <= receiver.pointee.next {
            counters.duplicatesReceived += 1
            return sendAcknowledgement(connection, reportsDuplicate: true)
        }
        if range.start > receiver.pointee.next {
            ranges.insert(range, latestFirst: &receiver.pointee.early)
            return sendAcknowledgement(connection)
        }
        receiver.pointee.next = range.end
        if receiver.pointee.early != RangePool.none {
            // A gap is filled, at least in part (RFC 5681, 4.2).
            isUrgent = true
            receiver.pointee.next = ranges.absorb(at: range.end, latestFirst: &receiver.pointee.early)
        }
        let isComplete = streams.delivered(
            before: receiver.pointee.next, of: &senders[Int(connection)].messages)
        isUrgent = isUrgent || (isComplete && tuning.acknowledgesMessageEnds)
        if isUrgent || receiver.pointee.unacknowledged >= tuning.segmentsPerAck {
            sendAcknowledgement(connection)
        } else if receiver.pointee.deadline == .max {
            receiver.pointee.deadline = now + tuning.delayedAck
            planLook(atReceiver: connection, host)
        }
    }

    /// DCTCP's two states (RFC 8257, 3.2): what came before a change is acknowledged with the old one, and the
    /// change is told at once. True when there is one.
    private mutating func noteMark(_ isMarked: Bool, _ connection: UInt32) -> Bool {
        let receiver = receivers + Int(connection)
        if isMarked { counters.marksReceived += 1 }
        guard isMarked != receiver.pointee.isMarked else { return false }
        if receiver.pointee.unacknowledged > 0 { sendAcknowledgement(connection) }
        receiver.pointee.isMarked = isMarked
        return true
    }

    /// Tells the sender what has come.
    mutating func sendAcknowledgement(_ connection: UInt32, reportsDuplicate: Bool = false) {
        let receiver = receivers + Int(connection)
        receiver.pointee.unacknowledged = 0
        receiver.pointee.deadline = .max
        var segment = TCPSegment(
            connection: connection, isAcknowledgement: true, echoesMarks: receiver.pointee.isMarked,
            reportsDuplicate: reportsDuplicate, order: receiver.pointee.latestOrder,
            sequence: receiver.pointee.next)
        var node = receiver.pointee.early
        while node != RangePool.none, Int(segment.blockCount) < TCPSegment.blockLimit {
            segment.blocks[Int(segment.blockCount)] = ranges.range(node)
            segment.blockCount += 1
            node = ranges.next(node)
        }
        let sender = senders + Int(connection)
        let packet = packets.take(
            Packet(
                source: sender.pointee.destination, destination: sender.pointee.source,
                wireBytes: UInt32(segment.acknowledgementWireBytes), message: Message.none, flow: connection,
                payloadBytes: 0, priority: 0, marks: [], kind: .acknowledgement))
        packets.extra(packet, as: TCPSegment.self).initialize(to: segment)
        enqueue(packet, at: sender.pointee.destination)
        counters.acksSent += 1
    }
}
