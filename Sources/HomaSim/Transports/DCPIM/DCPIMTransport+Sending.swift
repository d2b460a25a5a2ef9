// SPDX-License-Identifier: Apache-2.0

/// Senders: what goes to the network card, and what receivers say.
extension DCPIMTransport {
    /// The packet that the host's network card is to send now, or `Packet.none`: control packets, then short messages,
    /// then what there are tokens for.
    mutating func nextPacket(_ number: UInt16, at now: UInt64) -> UInt32 {
        let host = hosts + Int(number)
        let control = host.pointee.firstControl
        if control != Packet.none {
            host.pointee.firstControl = packets.at(control).pointee.next
            if host.pointee.firstControl == Packet.none { host.pointee.lastControl = Packet.none }
            return control
        }
        if shorts[Int(number)].count > 0, let packet = nextShort(number, at: now) { return packet }
        return nextTokened(number, at: now)
    }

    /// Hands a packet without data to the network card.
    mutating func sendControl(
        _ fields: DCPIMPacket, kind: PacketKind, from source: UInt16, to destination: UInt16
    ) {
        let packet = packets.take(
            Packet(
                source: source, destination: destination, wireBytes: UInt32(tuning.frame.minimumWireBytes),
                message: Message.none, flow: UInt32(destination), payloadBytes: 0,
                priority: DCPIMTuning.controlPriority, marks: [], kind: kind))
        packets.extra(packet, as: DCPIMPacket.self).initialize(to: fields)
        let host = hosts + Int(source)
        if host.pointee.lastControl == Packet.none {
            host.pointee.firstControl = packet
        } else {
            packets.at(host.pointee.lastControl).pointee.next = packet
        }
        host.pointee.lastControl = packet
    }

    // MARK: Notifications

    /// Tells the receiver of a message, now and again until it answers.
    mutating func notify(_ index: UInt32, at now: UInt64) {
        let record = records + Int(index)
        counters.notifications += 1
        sendControl(
            DCPIMPacket(kind: .notification, record: index, generation: record.pointee.generation), kind: .other,
            from: record.pointee.source, to: record.pointee.destination)
        armNotification(index, at: now)
    }

    /// The next notification is due some time from now: longer each time, and much longer once the receiver has
    /// answered, for then only its last word can be missing.
    private mutating func armNotification(_ index: UInt32, at now: UInt64) {
        let record = records + Int(index)
        let doublings = record.pointee.isNoted ? 8 : record.pointee.notifications
        if record.pointee.notifications < 6 { record.pointee.notifications += 1 }
        let due = now + tuning.notifyAfter << UInt64(doublings)
        record.pointee.notifyAt = due
        timers[Int(record.pointee.source)].push(due, index)
    }

    // MARK: Data

    private mutating func nextShort(_ number: UInt16, at now: UInt64) -> UInt32? {
        while shorts[Int(number)].count > 0 {
            let entry = shorts[Int(number)].pop()
            let record = records + Int(entry.timer)
            // What tokens have asked for meanwhile has been sent, perhaps all of it.
            guard record.pointee.sequence & 0xFF_FFFF_FFFF == entry.time & 0xFF_FFFF_FFFF else { continue }
            while record.pointee.nextShort < record.pointee.packets, record.pointee.isSent(record.pointee.nextShort) {
                record.pointee.nextShort += 1
            }
            guard record.pointee.nextShort < record.pointee.packets else { continue }
            let next = record.pointee.nextShort
            record.pointee.nextShort += 1
            if record.pointee.nextShort < record.pointee.packets {
                shorts[Int(number)].push(Self.shortKey(record), entry.timer)
            } else {
                armNotification(entry.timer, at: now)
            }
            return makeData(entry.timer, next, order: DCPIMPacket.untokened)
        }
        return nil
    }

    /// A packet for the best token: of the message with the lowest rank, then with the fewest packets remaining.
    private mutating func nextTokened(_ number: UInt16, at now: UInt64) -> UInt32 {
        var best = DCPIMMessage.none
        var place = 0
        while place < tokened[Int(number)].count {
            let index = tokened[Int(number)][place]
            let record = records + Int(index)
            dropExpired(record, at: now)
            guard record.pointee.firstToken != TokenPool.none else {
                record.pointee.isListed = false
                tokened[Int(number)].remove(at: place)
                continue
            }
            if best == DCPIMMessage.none || precedes(record, records + Int(best)) { best = index }
            place += 1
        }
        guard best != DCPIMMessage.none else { return Packet.none }
        let record = records + Int(best)
        let token = record.pointee.firstToken
        let (next, order) = (tokens.at(token).pointee.number, tokens.at(token).pointee.order)
        takeFirstToken(record)
        return makeData(best, next, order: order)
    }

    @inline(__always)
    private func precedes(
        _ one: UnsafeMutablePointer<DCPIMMessage>, _ other: UnsafeMutablePointer<DCPIMMessage>
    ) -> Bool {
        if one.pointee.rank != other.pointee.rank { return one.pointee.rank < other.pointee.rank }
        if one.pointee.remaining != other.pointee.remaining { return one.pointee.remaining < other.pointee.remaining }
        return one.pointee.sequence < other.pointee.sequence
    }

    private mutating func dropExpired(_ record: UnsafeMutablePointer<DCPIMMessage>, at now: UInt64) {
        while record.pointee.firstToken != TokenPool.none, tokens.at(record.pointee.firstToken).pointee.expiry < now {
            takeFirstToken(record)
            counters.tokensExpired += 1
        }
    }

    @inline(__always)
    private mutating func takeFirstToken(_ record: UnsafeMutablePointer<DCPIMMessage>) {
        let token = record.pointee.firstToken
        record.pointee.firstToken = tokens.at(token).pointee.next
        if record.pointee.firstToken == TokenPool.none { record.pointee.lastToken = TokenPool.none }
        tokens.give(token)
    }

    private mutating func makeData(_ index: UInt32, _ number: UInt32, order: UInt32) -> UInt32 {
        let record = records + Int(index)
        let payload = record.pointee.payload(of: number, tuning.frame)
        var kind = order == DCPIMPacket.untokened ? PacketKind.unscheduled : .scheduled
        if record.pointee.send(number) {
            messages.sent(record.pointee.token, bytes: UInt32(payload))
        } else {
            kind = .resent
            counters.packetsRetransmitted += 1
        }
        let packet = packets.take(
            Packet(
                source: record.pointee.source, destination: record.pointee.destination,
                wireBytes: UInt32(tuning.frame.wireBytes(payload: payload)),
                message: MessageLedger.index(record.pointee.token), flow: index, payloadBytes: UInt32(payload),
                priority: record.pointee.priority, marks: [], kind: kind))
        packets.extra(packet, as: DCPIMPacket.self).initialize(
            to: DCPIMPacket(
                kind: .data, record: index, generation: record.pointee.generation, number: number, order: order))
        return packet
    }

    // MARK: What receivers say

    mutating func receiveToken(_ fields: DCPIMPacket) {
        let record = records + Int(fields.record)
        guard record.pointee.generation == fields.generation else { return }
        record.pointee.isNoted = true
        record.pointee.rank = fields.rank
        record.pointee.remaining = fields.remaining
        let token = tokens.take(
            TokenPool.Token(expiry: fields.time, number: fields.number, order: fields.order))
        if record.pointee.firstToken == TokenPool.none {
            record.pointee.firstToken = token
        } else {
            tokens.at(record.pointee.lastToken).pointee.next = token
        }
        record.pointee.lastToken = token
        guard !record.pointee.isListed else { return }
        record.pointee.isListed = true
        tokened[Int(record.pointee.source)].add(fields.record)
    }

    mutating func receiveAcknowledgement(_ fields: DCPIMPacket) {
        let record = records + Int(fields.record)
        guard record.pointee.generation == fields.generation else { return }
        record.pointee.isNoted = true
        guard fields.isComplete else { return }
        while record.pointee.firstToken != TokenPool.none { takeFirstToken(record) }
        if record.pointee.isListed {
            record.pointee.isListed = false
            tokened[Int(record.pointee.source)].remove(fields.record)
        }
        end(fields.record)
    }
}
