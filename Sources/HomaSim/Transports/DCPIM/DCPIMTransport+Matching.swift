// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// The matching of receivers and senders.
extension DCPIMTransport {
    // MARK: Receivers

    /// A round begins or ends, or a data phase begins.
    mutating func passStage(_ receiver: UInt16, at now: UInt64) {
        let host = hosts + Int(receiver)
        if host.pointee.isOpen { acceptGrants(receiver, at: now) }
        if tuning.clock.isPhaseStart(now) { beginPhase(receiver, at: now) }
        if let (epoch, round) = tuning.clock.round(startingAt: now) {
            sendRequests(receiver, epoch, round, at: now)
        }
        let isBusy =
            host.pointee.isOpen || wanting[Int(receiver)].count > 0 || matched[Int(receiver)].count > 0
            || nextMatched[Int(receiver)].count > 0
        host.pointee.receiverStageAt = isBusy ? tuning.clock.receiverStage(after: now) : .max
    }

    /// Asks every sender with messages for what channels they need.
    private mutating func sendRequests(_ receiver: UInt16, _ epoch: UInt32, _ round: UInt8, at now: UInt64) {
        let host = hosts + Int(receiver)
        grants[Int(receiver)].clear()
        var place = 0
        while place < wanting[Int(receiver)].count {
            let number = wanting[Int(receiver)][place]
            let pair = pairs + Int(number)
            guard pair.pointee.first != DCPIMMessage.none else {
                pair.pointee.isActive = false
                wanting[Int(receiver)].remove(at: place)
                continue
            }
            place += 1
            guard host.pointee.nextUsed < tuning.channels else { continue }
            request(pair, host, epoch, round, at: now)
        }
        host.pointee.openEpoch = epoch
        host.pointee.openRound = round
        host.pointee.isOpen = host.pointee.nextUsed < tuning.channels && wanting[Int(receiver)].count > 0
    }

    private mutating func request(
        _ pair: UnsafeMutablePointer<DCPIMPair>, _ host: UnsafeMutablePointer<DCPIMHost>, _ epoch: UInt32,
        _ round: UInt8, at now: UInt64
    ) {
        let available = tuning.channels - host.pointee.nextUsed
        // What its channels carry without being matched anew: in this phase, and in the next one.
        let left = Double(tuning.clock.phaseEnd(after: now) - now) / Double(tuning.packetTime)
        let carried =
            Double(pair.pointee.width) * left / Double(tuning.channels)
            + Double(pair.pointee.nextChannels) * tuning.channelPackets
        let limit = carried + Double(available) * tuning.channelPackets
        var wanted = 0.0
        var (remaining, since) = (UInt32.max, UInt64(0))
        var index = pair.pointee.first
        while index != DCPIMMessage.none, wanted < limit {
            let record = records + Int(index)
            index = record.pointee.next
            let missing = record.pointee.packets - record.pointee.received
            if record.pointee.pausedUntil > 0 {
                guard resumption(record) <= now else { continue }
                wanted += Double(missing)
            } else {
                wanted += Double(record.pointee.unasked)
            }
            if remaining == .max { (remaining, since) = (missing, record.pointee.start) }
        }
        guard wanted > carried else { return }
        let channels = min(available, Int(((wanted - carried) / tuning.channelPackets).rounded(.up)))
        let idle = tuning.channels - host.pointee.used - host.pointee.idleUsed
        counters.requests += 1
        sendControl(
            DCPIMPacket(
                kind: .request, round: round, channels: UInt8(channels),
                idleChannels: UInt8(tuning.usesIdleChannels ? max(0, min(channels, idle)) : 0), epoch: epoch,
                remaining: remaining, time: since),
            kind: .other, from: pair.pointee.receiver, to: pair.pointee.sender)
    }

    mutating func receiveGrant(_ fields: DCPIMPacket, from sender: UInt16, at receiver: UInt16, now: UInt64) {
        let host = hosts + Int(receiver)
        let isInTime =
            host.pointee.isOpen && fields.epoch == host.pointee.openEpoch && fields.round == host.pointee.openRound
        guard isInTime else {
            counters.offersTooLate += 1
            return
        }
        grants[Int(receiver)].add(OfferList.Offer(fields, from: sender))
    }

    private mutating func acceptGrants(_ receiver: UInt16, at now: UInt64) {
        let host = hosts + Int(receiver)
        host.pointee.isOpen = false
        let shortestFirst = Int(host.pointee.openRound) < tuning.shortestFirstRounds
        while grants[Int(receiver)].count > 0, host.pointee.nextUsed < tuning.channels {
            let offer = grants[Int(receiver)].take(shortestFirst: shortestFirst, &host.pointee.random)
            let channels = min(Int(offer.channels), tuning.channels - host.pointee.nextUsed)
            let idle = max(0, tuning.channels - host.pointee.used - host.pointee.idleUsed)
            match(receiver, offer, channels, idle: min(channels, Int(offer.idleChannels), idle), at: now)
        }
        grants[Int(receiver)].clear()
    }

    private mutating func match(
        _ receiver: UInt16, _ offer: OfferList.Offer, _ channels: Int, idle: Int, at now: UInt64
    ) {
        let host = hosts + Int(receiver)
        let number = pair(receiver, from: offer.peer)
        let pair = pairs + Int(number)
        if pair.pointee.nextChannels == 0 {
            nextMatched[Int(receiver)].add(number)
            pair.pointee.nextRemaining = offer.remaining
        }
        pair.pointee.nextRemaining = min(pair.pointee.nextRemaining, offer.remaining)
        pair.pointee.nextChannels += channels
        pair.pointee.idleChannels += idle
        host.pointee.nextUsed += channels
        host.pointee.idleUsed += idle
        counters.accepts += 1
        counters.channelsMatched += UInt64(channels)
        counters.channelsUsedAtOnce += UInt64(idle)
        sendControl(
            DCPIMPacket(
                kind: .accept, round: host.pointee.openRound, channels: UInt8(channels), idleChannels: UInt8(idle),
                epoch: host.pointee.openEpoch),
            kind: .other, from: receiver, to: offer.peer)
        if idle > 0 { resume(number, at: now) }
    }

    /// What has been matched comes into force.
    private mutating func beginPhase(_ receiver: UInt16, at now: UInt64) {
        let host = hosts + Int(receiver)
        for place in 0..<matched[Int(receiver)].count {
            let pair = pairs + Int(matched[Int(receiver)][place])
            pair.pointee.channels = 0
            pair.pointee.due = .max
        }
        matched[Int(receiver)].clear()
        matched[Int(receiver)].swap(&nextMatched[Int(receiver)])
        host.pointee.used = host.pointee.nextUsed
        host.pointee.nextUsed = 0
        host.pointee.idleUsed = 0
        host.pointee.tokenAt = .max
        for place in 0..<matched[Int(receiver)].count {
            let pair = pairs + Int(matched[Int(receiver)][place])
            pair.pointee.channels = pair.pointee.nextChannels
            pair.pointee.nextChannels = 0
            pair.pointee.idleChannels = 0
            pair.pointee.due = .max
        }
        rank(receiver)
        for place in 0..<matched[Int(receiver)].count {
            let number = matched[Int(receiver)][place]
            renewWindow(pairs + Int(number), at: now)
            resume(number, at: now)
        }
    }

    /// Pairs with shorter messages get lower ranks; each has as many ranks as channels.
    private mutating func rank(_ receiver: UInt16) {
        for place in 0..<matched[Int(receiver)].count {
            let pair = pairs + Int(matched[Int(receiver)][place])
            var rank = 0
            for other in 0..<matched[Int(receiver)].count where other != place {
                let rival = pairs + Int(matched[Int(receiver)][other])
                let isBefore =
                    rival.pointee.nextRemaining == pair.pointee.nextRemaining
                    ? rival.pointee.sender < pair.pointee.sender
                    : rival.pointee.nextRemaining < pair.pointee.nextRemaining
                if isBefore { rank += rival.pointee.channels }
            }
            pair.pointee.rank = UInt8(min(rank, Int(DCPIMTuning.idleRank) - 1))
        }
    }

    /// Tokens of an earlier phase that were never used do not count against the window of this one.
    private mutating func renewWindow(_ pair: UnsafeMutablePointer<DCPIMPair>, at now: UInt64) {
        var index = pair.pointee.first
        while index != DCPIMMessage.none {
            let record = records + Int(index)
            let latest = max(record.pointee.lastTokenAt, record.pointee.lastDataAt)
            if latest + tuning.windowTimeout <= now { record.pointee.tokensAnswered = record.pointee.tokensSent }
            index = record.pointee.next
        }
    }

    mutating func receiveGiveBack(_ fields: DCPIMPacket, from sender: UInt16, at receiver: UInt16) {
        let host = hosts + Int(receiver)
        let pair = pairs + Int(pair(receiver, from: sender))
        // The phase has begun meanwhile: then the channels stay idle to its end.
        guard fields.epoch == host.pointee.openEpoch, pair.pointee.nextChannels > 0 else { return }
        let channels = min(Int(fields.channels), pair.pointee.nextChannels)
        let idle = min(Int(fields.idleChannels), pair.pointee.idleChannels)
        pair.pointee.nextChannels -= channels
        pair.pointee.idleChannels -= idle
        host.pointee.nextUsed -= channels
        host.pointee.idleUsed -= idle
        if pair.pointee.nextChannels == 0 {
            nextMatched[Int(receiver)].remove(self.pair(receiver, from: sender))
        }
    }

    // MARK: Senders

    mutating func receiveRequest(_ fields: DCPIMPacket, from receiver: UInt16, at sender: UInt16, now: UInt64) {
        let host = hosts + Int(sender)
        let stage = tuning.clock.senderStage(epoch: fields.epoch, round: fields.round)
        guard stage > now else {
            counters.offersTooLate += 1
            return
        }
        host.pointee.roll(to: fields.epoch)
        host.pointee.senderStageAt = stage
        requests[Int(sender)].add(OfferList.Offer(fields, from: receiver))
    }

    mutating func answerRequests(_ sender: UInt16, at now: UInt64) {
        let host = hosts + Int(sender)
        host.pointee.senderStageAt = .max
        let epoch = UInt32(now / tuning.clock.dataPhase)
        let round = UInt8((now - UInt64(epoch) * tuning.clock.dataPhase) / tuning.clock.roundLength)
        var available = tuning.channels - host.pointee.sentNextUsed
        var idle = max(0, tuning.channels - host.pointee.sentUsed - host.pointee.sentIdleUsed)
        while requests[Int(sender)].count > 0, available > 0 {
            let offer = requests[Int(sender)].take(
                shortestFirst: Int(round) < tuning.shortestFirstRounds, &host.pointee.random)
            let channels = min(available, Int(offer.channels))
            let idleChannels = min(channels, idle, Int(offer.idleChannels))
            available -= channels
            idle -= idleChannels
            counters.grants += 1
            sendControl(
                DCPIMPacket(
                    kind: .grant, round: round, channels: UInt8(channels), idleChannels: UInt8(idleChannels),
                    epoch: epoch, remaining: offer.remaining, time: offer.since),
                kind: .other, from: sender, to: offer.peer)
        }
        requests[Int(sender)].clear()
    }

    mutating func receiveAccept(_ fields: DCPIMPacket, from receiver: UInt16, at sender: UInt16) {
        let host = hosts + Int(sender)
        host.pointee.roll(to: fields.epoch)
        var channels = 0
        var idle = 0
        if fields.epoch == host.pointee.senderEpoch {
            channels = min(Int(fields.channels), tuning.channels - host.pointee.sentNextUsed)
            idle = min(Int(fields.idleChannels), channels)
            host.pointee.sentNextUsed += channels
            host.pointee.sentIdleUsed += idle
        } else if fields.epoch + 1 == host.pointee.senderEpoch {
            // Another receiver, nearer by, has begun the next matching meanwhile.
            channels = min(Int(fields.channels), tuning.channels - host.pointee.sentUsed)
            idle = min(Int(fields.idleChannels), channels)
            host.pointee.sentUsed += channels
        }
        guard channels < Int(fields.channels) else { return }
        counters.channelsGivenBack += UInt64(Int(fields.channels) - channels)
        sendControl(
            DCPIMPacket(
                kind: .giveBack, round: fields.round, channels: UInt8(Int(fields.channels) - channels),
                idleChannels: UInt8(Int(fields.idleChannels) - idle), epoch: fields.epoch),
            kind: .other, from: sender, to: receiver)
    }
}

extension OfferList.Offer {
    fileprivate init(_ fields: DCPIMPacket, from peer: UInt16) {
        self.init(
            peer: peer, channels: fields.channels, idleChannels: fields.idleChannels, remaining: fields.remaining,
            since: fields.time)
    }
}
