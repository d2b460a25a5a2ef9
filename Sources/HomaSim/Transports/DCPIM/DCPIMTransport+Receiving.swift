// SPDX-License-Identifier: Apache-2.0

/// Receivers: what arrives, and what is known of messages.
extension DCPIMTransport {
    mutating func receive(_ packet: UInt32, at host: UInt16, now: UInt64) {
        let fields = packets.extra(packet, as: DCPIMPacket.self).pointee
        let source = packets.at(packet).pointee.source
        packets.give(packet)
        switch fields.kind {
        case .data: receiveData(fields, at: now)
        case .token: receiveToken(fields)
        case .notification: receiveNotification(fields, at: now)
        case .acknowledgement: receiveAcknowledgement(fields)
        case .request: receiveRequest(fields, from: source, at: host, now: now)
        case .grant: receiveGrant(fields, from: source, at: host, now: now)
        case .accept: receiveAccept(fields, from: source, at: host)
        case .giveBack: receiveGiveBack(fields, from: source, at: host)
        }
    }

    // MARK: Data

    private mutating func receiveData(_ fields: DCPIMPacket, at now: UInt64) {
        let record = records + Int(fields.record)
        guard record.pointee.generation == fields.generation, !record.pointee.isDelivered else {
            counters.duplicatesReceived += 1
            return
        }
        if !record.pointee.isKnown { learn(fields.record, byData: true, at: now) }
        guard record.pointee.receive(fields.number) else {
            counters.duplicatesReceived += 1
            return
        }
        record.pointee.lastDataAt = now
        if record.pointee.received == record.pointee.packets { return deliver(fields.record) }
        guard fields.order != DCPIMPacket.untokened else { return }
        if fields.order >= record.pointee.tokensAnswered { record.pointee.tokensAnswered = fields.order + 1 }
        resume(pair(record.pointee.destination, from: record.pointee.source), at: now)
    }

    private mutating func deliver(_ index: UInt32) {
        let record = records + Int(index)
        record.pointee.isDelivered = true
        record.pointee.recoverAt = .max
        if record.pointee.isWanted { removeWanted(index) }
        messages.delivered(record.pointee.token)
        acknowledge(index)
    }

    private mutating func acknowledge(_ index: UInt32) {
        let record = records + Int(index)
        sendControl(
            DCPIMPacket(
                kind: .acknowledgement, isComplete: record.pointee.isDelivered, record: index,
                generation: record.pointee.generation),
            kind: .acknowledgement, from: record.pointee.destination, to: record.pointee.source)
    }

    private mutating func receiveNotification(_ fields: DCPIMPacket, at now: UInt64) {
        let record = records + Int(fields.record)
        guard record.pointee.generation == fields.generation else { return }
        if !record.pointee.isKnown { learn(fields.record, byData: false, at: now) }
        acknowledge(fields.record)
    }

    /// The first that the receiver hears of a message.
    private mutating func learn(_ index: UInt32, byData: Bool, at now: UInt64) {
        let record = records + Int(index)
        record.pointee.isKnown = true
        record.pointee.lastDataAt = now
        guard record.pointee.isShort else { return want(index, at: now) }
        // The notification of a short message only comes when nothing has been heard of it: then its packets are lost.
        guard byData else { return armRecovery(index, at: now + tuning.resendAfter) }
        // The rest of it comes now, and takes the link: nothing else is asked for meanwhile.
        let host = hosts + Int(record.pointee.destination)
        let time = UInt64(record.pointee.packets) * tuning.packetTime
        host.pointee.heldUntil = max(host.pointee.heldUntil, now) + time
        if record.pointee.packets > 1 { armRecovery(index, at: now + time + tuning.resendAfter) }
    }

    // MARK: Short messages that lose packets

    private mutating func armRecovery(_ index: UInt32, at due: UInt64) {
        let record = records + Int(index)
        record.pointee.recoverAt = due
        timers[Int(record.pointee.destination)].push(due, index)
    }

    /// Nothing has been heard of a short message for a while: what is missing is asked for as if it were a long one.
    mutating func recover(_ index: UInt32, at now: UInt64) {
        let record = records + Int(index)
        let due = record.pointee.lastDataAt + tuning.resendAfter
        guard due <= now else { return armRecovery(index, at: due) }
        record.pointee.recoverAt = .max
        counters.shortMessagesRecovered += 1
        record.pointee.isRepeating = true
        want(index, at: now)
    }

    // MARK: Messages wanted

    /// Puts a message into its pair's list, so that channels are requested for it.
    private mutating func want(_ index: UInt32, at now: UInt64) {
        let record = records + Int(index)
        record.pointee.isWanted = true
        let number = pair(record.pointee.destination, from: record.pointee.source)
        let pair = pairs + Int(number)
        let remaining = record.pointee.packets - record.pointee.received
        var before = DCPIMMessage.none
        var place = pair.pointee.first
        while place != DCPIMMessage.none {
            let other = records + Int(place)
            guard other.pointee.packets - other.pointee.received <= remaining else { break }
            before = place
            place = other.pointee.next
        }
        record.pointee.next = place
        if before == DCPIMMessage.none { pair.pointee.first = index } else { records[Int(before)].next = index }
        let host = hosts + Int(pair.pointee.receiver)
        if !pair.pointee.isActive {
            pair.pointee.isActive = true
            wanting[Int(pair.pointee.receiver)].add(number)
        }
        if host.pointee.receiverStageAt == .max {
            host.pointee.receiverStageAt = tuning.clock.receiverStage(after: now)
        }
        resume(number, at: now)
    }

    private mutating func removeWanted(_ index: UInt32) {
        let record = records + Int(index)
        record.pointee.isWanted = false
        let pair = pairs + Int(pair(record.pointee.destination, from: record.pointee.source))
        var before = DCPIMMessage.none
        var place = pair.pointee.first
        while place != index {
            before = place
            place = records[Int(place)].next
        }
        if before == DCPIMMessage.none {
            pair.pointee.first = record.pointee.next
        } else {
            records[Int(before)].next = record.pointee.next
        }
    }
}
